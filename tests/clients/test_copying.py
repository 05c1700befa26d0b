"""docker cp and export by docker-py: paths as Docker has them, nothing leads out, owners are kept."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

if TYPE_CHECKING:
    from docker.models.containers import Container

    from tests.own_engine import OwnEngine

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"
SCRIPT = (
    "busybox mkdir -p /dir/sub /tmp; echo one > /dir/file; busybox ln /dir/file /dir/hard;"
    "busybox ln -s file /dir/link; busybox ln -s /dir /away; busybox ln -s /etc/passwd /dir/host;"
    "busybox chown -R 7:8 /dir; busybox mkfifo /dir/pipe; busybox ln -s / /dir/up; exec sleep 1000"
)


@pytest.fixture(scope="module")
def filled(client: docker.DockerClient) -> Container:
    container = client.containers.run(
        IMAGE, ["sh", "-c", SCRIPT], detach=True, name="tests-cp", volumes=["/vol"], user="0"
    )
    while container.exec_run(["sh", "-c", "test -L /dir/up"]).exit_code:
        pass
    return container


def members(container: Container, path: str) -> tuple[dict[str, tarfile.TarInfo], dict]:
    stream, status = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        return {entry.name: entry for entry in archive.getmembers()}, status


@pytest.mark.parametrize("running", [True, False])
def test_names_follow_the_path_that_was_asked_for(filled: Container, running: bool) -> None:
    filled.start() if running else filled.stop(timeout=0)
    below = {"", "/sub", "/file", "/hard", "/link", "/host", "/pipe", "/up"}
    found, status = members(filled, "/dir")
    assert set(found) == {f"dir{name}" for name in below}
    assert (status["name"], status["mode"] >> 31 & 1) == ("dir", 1)
    assert found["dir/hard"].islnk()
    assert (found["dir/file"].uid, found["dir/file"].gid, found["dir/file"].uname) == (7, 8, "")
    assert set(members(filled, "/dir/.")[0]) == {f".{name}" for name in below}
    assert set(members(filled, "/away")[0]) == {"away"}
    assert set(members(filled, "/away/")[0]) == {f"away{name}" for name in below}
    assert set(members(filled, "dir/sub/../file")[0]) == {"file"}
    link, status = members(filled, "/dir/link")
    assert (link["link"].linkname, status["linkTarget"]) == ("file", "/dir/file")
    assert members(filled, "/dir/host")[1]["linkTarget"] == "/etc/passwd"
    for missing in ("/nothing", "/dir/file/x"):
        with pytest.raises(
            docker.errors.NotFound, match="Could not find the file .* in container [a-z]+"
        ):
            filled.get_archive(missing)
    filled.start()


def tar_of(*entries: tuple[str, bytes | str | None], uid: int = 0) -> bytes:
    """Files by name: bytes is a file, None a folder, a string a symlink's target."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.uid = entry.gid = uid
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content if isinstance(content, bytes) else b""))
    return out.getvalue()


def put(container: Container, path: str, data: bytes, **query: int) -> tuple[int, str]:
    api = container.client.api
    answer = api._put(
        api._url("/containers/{0}/archive", container.id), params={"path": path, **query}, data=data
    )
    return answer.status_code, answer.json()["message"] if answer.content else ""


@pytest.mark.parametrize("running", [True, False])
def test_what_goes_in_stays_below_and_is_owned(filled: Container, running: bool) -> None:
    filled.start() if running else filled.stop(timeout=0)
    host = Path("/tmp/tests-cp-must-not-be")
    evil = tar_of(
        ("in/../../../tmp/tests-cp-must-not-be", b"x"), ("esc", "/tmp"), ("esc/tests-cp-inside", b"y"),
        (".wh.kept", b"named so"),
    )  # fmt: skip
    assert put(filled, "/dir", evil) == (200, "")
    assert not host.exists()
    assert not Path("/tmp/tests-cp-inside").exists()
    assert put(filled, "/dir/up/../..", tar_of(("late", b"z"), uid=5))[0] == 200
    assert put(filled, "/vol", tar_of(("in-volume", b"v"))) == (200, "")
    assert put(filled, "/dir/file", tar_of(("x", b"")))[0] == 404
    assert put(filled, "/nowhere", tar_of(("x", b"")))[0] == 404
    assert put(filled, "/", tar_of(("dir", b"no folder")), noOverwriteDirNonDir=1) == (
        400, 'cannot overwrite directory "/dir" with non-directory',
    )  # fmt: skip
    assert put(filled, "/dir", tar_of(("file", None)), noOverwriteDirNonDir=1)[0] == 400
    assert put(filled, "/", b"this is no tar" * 99)[0] == 400
    filled.start()
    look = "cat /dir/.wh.kept /tmp/tests-cp-inside /vol/in-volume; busybox stat -c %u:%g /late"
    assert filled.exec_run(["sh", "-c", look]).output == b"named soyv5:5\n"
    filled.exec_run(["sh", "-c", "busybox rm -rf /late /tmp/* /dir/esc /dir/.wh.kept /dir/tmp"])


def test_the_owner_is_the_containers_user_where_asked(client: docker.DockerClient) -> None:
    text = 'FROM busybox:bench\nRUN busybox mkdir -p /etc && echo "me:x:12:34::/:" > /etc/passwd\nUSER me\n'
    image, _ = client.images.build(fileobj=io.BytesIO(text.encode()), tag="tests/owned")
    container = client.containers.create(image.id, ["sleep", "1000"])
    assert put(container, "/", tar_of(("mine", b""), uid=99), copyUIDGID=1) == (200, "")
    assert put(container, "/", tar_of(("theirs", b""), uid=99)) == (200, "")
    assert members(container, "/mine")[0]["mine"].uid == 12
    assert members(container, "/theirs")[0]["theirs"].uid == 99
    container.remove()


def test_the_working_directory_is_there_before_the_first_start(client: docker.DockerClient) -> None:
    container = client.containers.create(IMAGE, ["ls", "/w/d"], working_dir="/w/d")
    assert container.get_archive("/w/d")[1]["name"] == "d"
    assert put(container, "/w/d", tar_of(("before", b""))) == (200, "")
    other = client.containers.create(IMAGE, ["ls", "/w/d"], working_dir="/w/d")
    assert put(other, "/w/d/", tar_of(("at-once", b""))) == (200, "")
    for made, said in ((container, b"before\n"), (other, b"at-once\n")):
        made.start()
        made.wait()
        assert made.logs() == said
        made.remove()
    blocked = client.containers.create(IMAGE, ["ls"], working_dir="/bin/busybox/d")
    assert put(blocked, "/", tar_of(("x", b""))) == (200, "")
    blocked.remove()


def test_programs_find_that_they_are_in_a_container(client: docker.DockerClient) -> None:
    look = "test -e /.dockerenv && grep -q ' /proc ' /etc/mtab && echo inside"
    container = client.containers.create(IMAGE, ["sh", "-c", look])
    container.start()
    container.wait()
    assert container.logs() == b"inside\n"
    assert container.diff() in (None, [])
    assert ".dockerenv" in members(container, "/.dockerenv")[0]
    container.remove()


def test_a_read_only_root_and_mount_refuse(client: docker.DockerClient) -> None:
    container = client.containers.run(
        IMAGE, ["sleep", "1000"], read_only=True, detach=True,
        volumes={"tests-ro": {"bind": "/ro", "mode": "ro"}, "tests-rw": {"bind": "/rw"}},
    )  # fmt: skip
    tar = tar_of(("x", b"x"))
    assert put(container, "/", tar) == (403, "container rootfs is marked read-only")
    assert put(container, "/ro", tar) == (403, "mounted volume is marked read-only")
    assert put(container, "/rw", tar) == (200, "")
    container.remove(force=True)
    for name in ("tests-ro", "tests-rw"):
        client.volumes.get(name).remove()


def test_an_export_is_the_root_without_its_mounts(filled: Container) -> None:
    filled.exec_run(["sh", "-c", "echo v > /vol/hidden; busybox rm /bin/true"])
    with tarfile.open(fileobj=io.BytesIO(b"".join(filled.export()))) as archive:
        names = set(archive.getnames())
    assert {"bin/busybox", "dir/file", "vol", "proc", "dir/pipe"} <= names
    assert not any(name.startswith(("vol/", "proc/", "sys/")) for name in names)
    assert "bin/true" not in names
    whole = members(filled, "/")[0]
    assert {"./vol/hidden", "./dir/file", "./proc", "./etc/hosts"} <= set(whole)
    assert not any(name.startswith(("./proc/", "./sys/", "./dev/")) for name in whole)


def test_a_folder_that_is_swapped_for_a_link_never_shows_the_host(
    filled: Container, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("the host's")
    script = (
        "busybox mkdir -p /race/a /race/b; echo ours > /race/a/secret;"
        f"while :; do busybox mv /race/a /race/t; busybox ln -s {tmp_path} /race/a;"
        "busybox rm /race/a; busybox mv /race/t /race/a; done"
    )
    made = filled.client.api.exec_create(filled.id, ["sh", "-c", script])
    filled.client.api.exec_start(made["Id"], detach=True)
    seen = set()
    for _ in range(60):
        try:
            stream, _ = filled.get_archive("/race")
            with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
                for entry in archive.getmembers():
                    content = archive.extractfile(entry) if entry.isfile() else None
                    seen.add(content.read() if content else b"")
        except (docker.errors.NotFound, tarfile.TarError):
            continue
    assert b"the host's" not in seen


def test_a_client_that_hangs_up_leaves_nothing(filled: Container, own_engine: OwnEngine) -> None:
    filled.exec_run(["busybox", "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=64"])
    engine = Path(f"/proc/{own_engine.pid}")

    def once() -> None:
        stream, _ = filled.get_archive("/big")
        next(iter(stream))
        stream.close()

    once()
    before = len(os.listdir(engine / "fd"))
    crowd = [threading.Thread(target=once) for _ in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    for _ in range(200):
        if len(os.listdir(engine / "fd")) <= before + 3:
            break
        filled.reload()
    assert len(os.listdir(engine / "fd")) <= before + 3
    assert list((own_engine.folder / "root" / "tmp").iterdir()) == []
    filled.exec_run(["busybox", "rm", "/big"])


def test_the_path_stat_is_gos(filled: Container) -> None:
    assert json.loads(json.dumps(members(filled, "/dir/pipe")[1]))["mode"] >> 25 & 1
    assert members(filled, "/dir/link")[1]["mode"] >> 27 & 1
