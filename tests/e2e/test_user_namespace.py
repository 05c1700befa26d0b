"""`userns_mode: auto` in a project: every kind of mount, a build, exec, cp and commit beside a plain service."""

from __future__ import annotations

import io
import os
import struct
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bench.sides import busybox_tar
from tests.e2e.projects import sleeping, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Person

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("busybox")]
CAP_CHOWN = 0
ABLE = """
FROM able-base
RUN mkdir -p /etc /app /filled && echo www:x:33:44::/:/bin/sh >/etc/passwd && echo made >/app/file && echo first >/filled/first \
 && chown -R 33:44 /app && chown 55:66 /filled /filled/first
USER www
"""


def able_tar() -> bytes:
    """busybox's root with a copy of it that may change owners: security.capability, version 2 (capabilities(7))."""
    value = struct.pack("<5I", 0x02000001, 1 << CAP_CHOWN, 0, 0, 0)
    program = Path("/bin/busybox").read_bytes()
    out = io.BytesIO(busybox_tar())
    with tarfile.open(fileobj=out, mode="a", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("usr/bin/chown")
        entry.size, entry.mode = len(program), 0o755
        entry.pax_headers = {"SCHILY.xattr.security.capability": value.decode()}
        archive.addfile(entry, io.BytesIO(program))
    return out.getvalue()


@pytest.fixture(scope="module")
def able(person: Person, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The base image, by the name that the Dockerfile has for it."""
    archive = tmp_path_factory.mktemp("image") / "able.tar"
    archive.write_bytes(able_tar())
    person.does("image", "import", str(archive), "able-base")


@pytest.fixture
def home(person: Person, tmp_path: Path, able: None) -> Iterator[Path]:
    """A project of one service in a user namespace, built here, and a plain one, both with everything mounted."""
    folder = tmp_path / "land"
    (folder / "bind").mkdir(parents=True)
    (folder / "bind/theirs").write_text("theirs")
    os.chown(folder / "bind/theirs", 1000, 1001)
    (folder / "Dockerfile").write_text(ABLE)
    mounts = [
        "shared:/filled",
        "memory:/memory",
        "./bind:/bind",
        {"type": "image", "source": "land-own", "target": "/image"},
        {"type": "tmpfs", "target": "/tmpfs", "tmpfs": {"mode": 0o1777, "size": 8 << 20}},
    ]
    secrets = [{"source": "word", "target": "word", "uid": "7", "gid": "8", "mode": 0o440}]
    both = {"volumes": mounts, "secrets": secrets, "image": "land-own", "tmpfs": ["/run:uid=33,gid=44"]}  # fmt: skip
    probe = {"test": ["CMD-SHELL", "test $(id -u) = 33 && test -w /app/file"], "interval": "1s"}
    write(
        folder,
        {
            "own": sleeping(build=".", userns_mode="auto", healthcheck=probe, **both),
            "plain": sleeping(depends_on=["own"], user="0", **both),
        },
        volumes={"shared": {}, "memory": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "uid=33,mode=755"}}},
        secrets={"word": {"environment": "WORD"}},
    )  # fmt: skip
    person.environment["WORD"] = "hidden"
    try:
        person.does("up", "-d", "--build", "--wait", cwd=folder)
        yield folder
    finally:
        person.does("down", "-t", "0", "-v", "--rmi", "all", cwd=folder)
        del person.environment["WORD"]


def test_all_kinds_of_files_have_the_owners_that_a_plain_service_sees(
    person: Person, home: Path
) -> None:
    def inside(service: str, text: str, user: str = "0") -> str:
        return person.does("exec", "-T", "-u", user, service, "sh", "-c", text, cwd=home)

    pid = person.does("container", "inspect", "-f", "{{.State.Pid}}", "land-own-1", cwd=home)
    assert int(Path(f"/proc/{pid.strip()}/uid_map").read_text().split()[1]) >= 0x30000000
    seen = "stat -c '%u:%g %a %n' /app/file /filled /filled/first /memory /bind/theirs /image/app/file /tmpfs /run /run/secrets/word"
    assert inside("own", seen) == inside("plain", seen)
    assert inside("own", seen).split("\n")[:6] == [
        "33:44 644 /app/file", "55:66 755 /filled", "55:66 644 /filled/first",
        "33:0 755 /memory", "1000:1001 644 /bind/theirs", "33:44 644 /image/app/file",
    ]  # fmt: skip
    assert inside("own", "cat /run/secrets/word", "7") == "hidden"
    written = "for d in /filled /bind /memory /tmpfs; do echo x > $d/new && chown 9:10 $d/new; done"
    inside("own", written)
    assert inside("plain", "stat -c %u:%g /filled/new /bind/new /memory/new") == "9:10\n" * 3
    assert ((home / "bind/new").stat().st_uid, (home / "bind/new").stat().st_gid) == (9, 10)
    inside("plain", "chown 11 /filled/new; echo y > /filled/plain")
    assert inside("own", "stat -c %u /filled/new /filled/plain") == "11\n0\n"
    inside("own", "echo changed > /image/app/file", "33")
    assert inside("plain", "cat /image/app/file") == "made\n"


def test_a_programs_own_capabilities_work_for_a_user_inside(person: Person, home: Path) -> None:
    for service in ("own", "plain"):
        given = "cp /bin/busybox /tmpfs/mine && /usr/bin/chown 5:6 /tmpfs/mine && stat -c %u:%g /tmpfs/mine"
        seen = person.does("exec", "-T", "-u", "www", service, "sh", "-c", given, cwd=home)
        assert seen == "5:6\n", service
        plain = "touch /tmpfs/other; /bin/busybox chown 5:6 /tmpfs/other"
        refused = person.pycompose("exec", "-T", "-u", "www", service, "sh", "-c", plain, cwd=home)
        assert (refused.returncode, "not permitted" in refused.stderr) == (1, True)


def test_cp_commit_and_diff_have_the_ids_inside(person: Person, home: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    os.chown(mine, 1000, 1001)
    person.does("cp", str(mine), "own:/app/copied", cwd=home)
    person.does("cp", "-a", str(mine), "own:/filled/kept", cwd=home)
    # As Docker has it: owners as they are, with -a those of the container's user.
    show = ("stat", "-c", "%u:%g", "/app/copied", "/filled/kept")
    assert person.does("exec", "-T", "own", *show, cwd=home) == "1000:1001\n33:44\n"
    out = tmp_path / "out"
    out.mkdir()
    person.does("cp", "-a", "own:/app/file", str(out / "file"), cwd=home)
    assert ((out / "file").stat().st_uid, (out / "file").stat().st_gid) == (33, 44)
    assert "A /app/copied" in person.does("container", "diff", "land-own-1", cwd=home)
    person.does("commit", "own", "land-committed", cwd=home)
    told = person.does(
        "container", "run", "--rm", "land-committed", "stat", "-c", "%u:%g", "/app/copied", "/app/file"
    )  # fmt: skip
    assert told == "1000:1001\n33:44\n"
    ran = person.does("run", "--rm", "-T", "own", "stat", "-c", "%u:%g", "/filled/kept", cwd=home)
    assert ran == "33:44\n"
    person.does("image", "rm", "-f", "land-committed")
