"""Images between a Docker Engine and ours, both ways: the same id, the same layers, and they run."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

from tests.bench.sides import import_image
from tests.contract.dockerd import is_installed, running_dockerd
from tests.own_engine import running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.peer
DOCKERFILE = b"""FROM busybox:bench
RUN rm bin/cat && mkdir -p a/b && echo 1 > a/b/c && ln a/b/c hard && ln -s a/b/c soft && chmod 4755 a/b/c
RUN rm -r a/b && mkdir a/b && echo 2 > a/b/d
CMD ["sh"]
"""
LOOK = "ls bin/cat a/b; echo *; ls -l hard soft"


class Pair:
    """A Docker Engine and ours, with busybox:bench in both."""

    def __init__(self, theirs: str, ours: str) -> None:
        self.theirs = docker.DockerClient(base_url=theirs, timeout=60)
        self.ours = docker.DockerClient(base_url=ours, timeout=60)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    assert is_installed(), "`make peers` installs docker"
    with (
        running_dockerd(tmp_path_factory.mktemp("dockerd")) as theirs,
        running_engine(tmp_path_factory.mktemp("engine"), "10.105.128.0/18") as own,
    ):
        import_image(theirs)
        import_image(own.host)
        made = Pair(theirs, own.host)
        yield made
        made.theirs.close()
        made.ours.close()


def look(client: docker.DockerClient, image: str) -> str:
    """What a container of it shows of its files; a dockerd in namespaces has no network to give."""
    command = ["sh", "-c", LOOK]
    container = client.containers.create(image, command, network_mode="none")
    try:
        container.start()
        container.wait()
        return container.logs(stdout=True, stderr=False).decode()
    finally:
        container.remove(force=True)


def moved(source: docker.DockerClient, target: docker.DockerClient, name: str) -> str:
    """Save there, load here; the id here."""
    raw = b"".join(source.images.get(name).save(named=name))
    (loaded,) = target.images.load(raw)
    assert name in loaded.tags
    return str(loaded.id)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("way", ["to docker", "from docker"])
def test_an_image_moves_and_is_the_same(pair: Pair, way: str) -> None:
    source, target = (pair.ours, pair.theirs) if way == "to docker" else (pair.theirs, pair.ours)
    name = f"moved/{way.partition(' ')[0]}:1"
    source.images.build(fileobj=io.BytesIO(DOCKERFILE), tag=name, network_mode="none")
    before = source.images.get(name).attrs
    assert moved(source, target, name) == before["Id"]
    after = target.images.get(name).attrs
    assert after["RootFS"]["Layers"] == before["RootFS"]["Layers"]
    assert after["Config"]["Cmd"] == before["Config"]["Cmd"]
    assert look(target, name) == look(source, name)
    # And back, unharmed.
    source.images.remove(name)
    assert moved(target, source, name) == before["Id"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_history_and_list_are_alike(pair: Pair) -> None:
    pair.theirs.images.build(fileobj=io.BytesIO(DOCKERFILE), tag="alike:1", network_mode="none")
    moved(pair.theirs, pair.ours, "alike:1")

    def history(client: docker.DockerClient) -> list[tuple[str, str]]:
        return [
            (one["CreatedBy"], one["Comment"]) for one in client.images.get("alike:1").history()
        ]

    assert history(pair.ours) == history(pair.theirs)
    for filters in ({"reference": "al*"}, {"dangling": False}, {"before": "alike:1"}):
        ours, theirs = (
            sorted(
                tag
                for image in client.images.list(filters=filters)
                for tag in image.tags
                if "alike" in tag
            )
            for client in (pair.ours, pair.theirs)
        )
        assert ours == theirs, filters


def test_skopeo_reads_what_we_save(pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "saved.tar"
    path.write_bytes(b"".join(pair.ours.images.get("busybox:bench").save(named=True)))
    done = subprocess.run(
        ["skopeo", "inspect", "--config", f"docker-archive:{path}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    layers = json.loads(done.stdout)["rootfs"]["diff_ids"]
    assert layers == pair.ours.images.get("busybox:bench").attrs["RootFS"]["Layers"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("layout", ["docker-archive", "oci-archive"])
def test_podman_reads_what_we_save_and_we_what_it_saves(
    pair: Pair, tmp_path: Path, layout: str
) -> None:
    # podman takes short folders only.
    short = Path(tempfile.mkdtemp(prefix="pod"))
    folders = ["--root", f"{short}/root", "--runroot", f"{short}/run", "--storage-driver", "vfs"]
    podman = ["podman", *folders]

    def run(*arguments: str) -> str:
        done = subprocess.run([*podman, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    image = pair.ours.images.get("busybox:bench")
    image.tag("localhost/moved", "podman")
    path = tmp_path / "ours.tar"
    path.write_bytes(
        b"".join(
            pair.ours.images.get("localhost/moved:podman").save(named="localhost/moved:podman")
        )
    )
    pair.ours.images.remove("localhost/moved:podman")
    run("load", "-q", "-i", str(path))
    run(
        "save",
        "-q",
        "--format",
        layout,
        "-o",
        str(tmp_path / "theirs.tar"),
        "localhost/moved:podman",
    )
    (loaded,) = pair.ours.images.load((tmp_path / "theirs.tar").read_bytes())
    assert "localhost/moved:podman" in loaded.tags
    assert loaded.attrs["RootFS"]["Layers"] == image.attrs["RootFS"]["Layers"]
    assert look(pair.ours, "localhost/moved:podman") == look(pair.ours, "busybox:bench")
    pair.ours.images.remove("localhost/moved:podman")
    run("rmi", "--all", "--force")
    shutil.rmtree(short, ignore_errors=True)
