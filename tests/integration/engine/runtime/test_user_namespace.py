"""A container's own user namespace: its maps, whose files are whose, what it may, and entering it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.processes.client import StartError
from engine.runtime.spec import Mount
from tests.integration.engine.cell import Cell

pytestmark = pytest.mark.root

FIRST = 0x30000000


def ids(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1:] for line in lines if line.startswith("Uid:"))


async def test_root_inside_is_nobody_outside(cell: Cell) -> None:
    run = await cell.start("sleep", "100", first_id=FIRST)
    assert ids(run.pid) == [str(FIRST)] * 4
    assert Path(f"/proc/{run.pid}/uid_map").read_text().split() == ["0", str(FIRST), "65536"]
    user = await cell.start("sleep", "100", first_id=FIRST + 65536, user="www", init=True)
    assert ids(user.pid) == [str(FIRST + 65536 + 33)] * 4


async def test_all_of_its_root_is_its_own_and_plain_on_disk(cell: Cell) -> None:
    script = (
        "stat -c '%u:%g %n' / /bin /dev /dev/null /dev/shm /dev/pts /work /w; echo x >/made; "
        "chown 5:6 /bin/busybox; stat -c %u:%g /bin/busybox /made; echo >/dev/null && echo fine; "
        "ls /sys/class/net; touch /dev/mqueue/a && echo queue; mount -t tmpfs x /w || echo locked"
    )
    spec = cell.spec(
        "sh", "-c", script, first_id=FIRST, cwd="/work",
        mounts=(Mount("tmpfs", "/w", options=("nosuid",), data="uid=9,gid=9"),),
    )  # fmt: skip
    done = await cell.finish(await cell.prepare(spec))
    assert done.out.splitlines() == [
        "0:0 /", "0:0 /bin", "0:0 /dev", "0:0 /dev/null", "0:0 /dev/shm", "0:0 /dev/pts",
        "0:0 /work", "9:9 /w", "5:6", "0:0", "fine", "lo", "queue", "locked",
    ]  # fmt: skip
    upper = Path(spec.rootfs.upper)
    assert [(upper / n).stat().st_uid for n in ("made", "work", "bin/busybox")] == [0, 0, 5]


async def test_its_rights_end_at_its_namespaces(cell: Cell) -> None:
    script = (
        "echo 1 >/proc/sys/vm/swappiness; echo core >/proc/sys/kernel/core_pattern; "
        "mknod /null c 1 3; umount /proc/kcore; mount -o remount,rw /proc/sys; hostname mine && hostname"
    )
    before = Path("/proc/sys/vm/swappiness").read_text()
    done = await cell.sh(script, first_id=FIRST, cap_add=("ALL",), seccomp="")
    assert done.out == "mine\n"
    assert len(done.err.splitlines()) == 5, done.err
    assert Path("/proc/sys/vm/swappiness").read_text() == before


async def test_an_exec_enters_it_too(cell: Cell) -> None:
    spec = cell.spec("sleep", "100", first_id=FIRST)
    prepared = await cell.prepare(spec)
    await prepared.start()
    script = "id -u; readlink /proc/self/ns/user; readlink /proc/1/ns/user; echo >/by-exec; stat -c %u /by-exec"
    done = await cell.exec(spec, prepared.monitor, "sh", "-c", script)
    root, own, first, owner = done.out.split()
    assert (root, owner) == ("0", "0")
    assert own == first
    told = await cell.exec(spec, prepared.monitor, "sh", "-c", "id -u; echo >&2", user="www")
    assert (told.out, told.err) == ("33\n", "\n")
    seen = await cell.exec(spec, prepared.monitor, "stat", "-c", "%u", "/dev/pts/0", terminal=True)
    assert seen.out == "0\r\n"


async def test_a_folder_is_shared_with_sane_owners(cell: Cell, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    mounts = (Mount("bind", "/data", str(shared), ("rbind",)),)
    await cell.sh(
        "echo a >/data/a; chown 33:44 /data/a; echo b >/data/b", first_id=FIRST, mounts=mounts
    )
    plain = await cell.sh("stat -c %u:%g /data/a /data/b; chown 7 /data/b", mounts=mounts)
    assert plain.out == "33:44\n0:0\n"
    again = await cell.sh("stat -c %u /data/b", first_id=FIRST + 65536, mounts=mounts)
    assert again.out == "7\n"
    assert [(shared / name).stat().st_uid for name in ("a", "b")] == [33, 7]


async def test_a_bind_may_belong_to_its_owner_too(cell: Cell, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    owned.mkdir()
    (tmp_path / "owned").chmod(0o755)

    os.chown(owned, 1000, 1000)
    mounts = (Mount("bind", "/data", str(owned), ("rbind", "map-owner")),)
    done = await cell.sh("echo >/data/x; stat -c %u /data /data/x", first_id=FIRST, mounts=mounts)
    assert done.out == "0\n0\n"
    assert (owned / "x").stat().st_uid == 1000


async def test_what_cannot_be_mapped_is_named(cell: Cell) -> None:
    mounts = (Mount("bind", "/data", "/proc/bus", ("bind",)),)
    with pytest.raises(StartError, match="no idmapped mounts, which userns_mode auto needs"):
        await cell.sh("true", first_id=FIRST, mounts=mounts)
    with pytest.raises(StartError, match="the id 70000 is not among the 65536"):
        await cell.sh("true", first_id=FIRST, user="70000")
