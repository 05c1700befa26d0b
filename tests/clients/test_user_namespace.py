"""An engine whose containers have user namespaces of their own: volumes, ports, exec, cp, commit, restart, and what is refused."""

from __future__ import annotations

import io
import tarfile
import urllib.request
from typing import TYPE_CHECKING

import docker
import pytest

from tests.bench.sides import import_image
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container


pytestmark = pytest.mark.root
IMAGE = "busybox:bench"


@pytest.fixture(scope="module")
def own_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    folder = tmp_path_factory.mktemp("engine")
    with running_engine(folder, "10.102.0.0/16", PYCOMPOSE_USERNS="auto") as engine:
        import_image(engine.host)
        yield engine


def first_id(container: Container) -> int:
    container.reload()
    with open(f"/proc/{container.attrs['State']['Pid']}/uid_map") as lines:
        return int(lines.read().split()[1])


@pytest.fixture
def own(client: docker.DockerClient) -> Iterator[Container]:
    container = client.containers.run(
        IMAGE, ["sh", "-c", "mkdir /w; echo hello >/w/index.html; busybox httpd -f -p 80 -h /w"],
        detach=True, ports={"80/tcp": ("127.0.0.1", 21480)}, volumes=["shared:/v"],
    )  # fmt: skip
    yield container
    container.remove(force=True, v=True)


def test_the_whole_life_of_one(client: docker.DockerClient, own: Container) -> None:
    first = first_id(own)
    assert first >= 0x30000000
    assert own.exec_run("id -u").output == b"0\n"
    assert own.exec_run(["sh", "-c", "echo x >/v/f && chown 5:6 /v/f"]).exit_code == 0
    show = ["busybox", "stat", "-c", "%u:%g", "/v/f"]
    plain = client.containers.run(
        IMAGE, show, volumes=["shared:/v"], userns_mode="host", remove=True
    )
    other = client.containers.run(IMAGE, show, volumes=["shared:/v"], remove=True)
    assert (plain, other) == (b"5:6\n", b"5:6\n")
    another = client.containers.run(IMAGE, ["sleep", "1000"], detach=True)
    assert first_id(another) != first
    another.remove(force=True)
    with urllib.request.urlopen("http://127.0.0.1:21480/", timeout=10) as answer:
        assert answer.read() == b"hello\n"
    own.restart(timeout=0)
    assert first_id(own) == first
    assert own.exec_run("cat /w/index.html").output == b"hello\n"
    own.stop(timeout=0)
    own.start()
    assert own.exec_run(["busybox", "ping", "-c1", "-W5", "127.0.0.1"]).exit_code == 0


def owners(container: Container, path: str) -> tuple[int, int]:
    stream, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        (entry,) = archive.getmembers()
    return entry.uid, entry.gid


def test_what_is_copied_and_committed_has_the_ids_inside(
    client: docker.DockerClient, own: Container
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, uid in (("a", 0), ("b", 33)):
            entry = tarfile.TarInfo(name)
            entry.uid = entry.gid = uid
            archive.addfile(entry)
    for folder in ("/", "/v"):
        assert own.put_archive(folder, out.getvalue())
        names = [f"{folder.rstrip('/')}/{name}" for name in ("a", "b")]
        seen = own.exec_run(["busybox", "stat", "-c", "%u:%g", *names]).output
        assert seen == b"0:0\n33:33\n"
        assert [owners(own, name) for name in names] == [(0, 0), (33, 33)]
    own.stop(timeout=0)
    assert owners(own, "/b") == (33, 33)
    image = own.commit("committed")
    try:
        told = client.containers.run(
            image.id, ["busybox", "stat", "-c", "%u", "/b"], remove=True, userns_mode="host"
        )
        assert told == b"33\n"
    finally:
        client.images.remove(image.id, force=True)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"privileged": True}, "privileged mode is incompatible with user namespaces"),
        ({"network_mode": "host"}, "cannot share the host's network namespace"),
        ({"pid_mode": "host"}, "cannot share the host's pid namespace"),
        ({"volumes": ["/tmp:/x:rshared"]}, "the mount propagation rshared of /x is not possible"),
    ],
)
def test_what_cannot_go_with_it_is_named(
    client: docker.DockerClient, asked: dict[str, object], words: str
) -> None:
    with pytest.raises(docker.errors.APIError, match=words):
        client.containers.create(IMAGE, "true", **asked)
    client.containers.create(IMAGE, "true", userns_mode="host", **asked).remove()
