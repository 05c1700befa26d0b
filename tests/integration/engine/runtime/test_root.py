"""A container's root: its mounts, its devices, what is hidden; and roots that mean harm."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.processes.client import StartError
from engine.runtime.spec import DeviceNode, Mount
from tests.integration.engine.cell import Cell, make_root

pytestmark = pytest.mark.root


def bind(source: Path, target: str, *options: str) -> Mount:
    return Mount("bind", target, str(source), ("rbind", *options))


async def test_what_is_written_lands_in_the_upper_folder(cell: Cell) -> None:
    spec = cell.spec("sh", "-c", "echo new > /etc/added; rm /etc/group")
    done = await cell.finish(await cell.prepare(spec))
    assert done.exit_code == 0, done
    assert Path(spec.rootfs.upper, "etc/added").read_text() == "new\n"
    assert stat.S_ISCHR(Path(spec.rootfs.upper, "etc/group").lstat().st_mode)
    assert not (cell.base / "etc/added").exists()


async def test_the_old_root_is_gone(cell: Cell) -> None:
    done = await cell.sh("cat /proc/self/mountinfo; ls -a /")
    points = [line.split()[4] for line in done.out.splitlines() if " - " in line]
    assert points.count("/") == 1
    assert all(p == "/" or p.startswith(("/proc", "/sys", "/dev")) for p in points), points
    assert str(cell.folder) not in "".join(p for p in points)


async def test_a_read_only_root(cell: Cell, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = await cell.sh(
        "touch /etc/x; touch /data/x && echo volume; touch /dev/shm/x && echo shm; touch /tmp/y && echo tmpfs",
        read_only=True,
        mounts=(bind(tmp_path / "data", "/data"), Mount("tmpfs", "/tmp")),
    )
    assert done.out.split() == ["volume", "shm", "tmpfs"]
    assert "Read-only file system" in done.err
    assert (tmp_path / "data/x").exists()


async def test_the_standard_mounts(cell: Cell) -> None:
    done = await cell.sh("cat /proc/mounts", shm_size=1 << 20)
    mounts = {
        words[1]: (words[2], words[3].split(",")) for words in map(str.split, done.out.splitlines())
    }
    assert mounts["/"][0] == "overlay"
    for place, kind, options in (
        ("/proc", "proc", {"rw", "nosuid", "nodev", "noexec"}),
        ("/dev", "tmpfs", {"rw", "nosuid", "mode=755", "size=65536k"}),
        ("/dev/pts", "devpts", {"rw", "nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"}),
        ("/dev/shm", "tmpfs", {"rw", "nosuid", "nodev", "noexec", "size=1024k"}),
        ("/dev/mqueue", "mqueue", {"rw", "nosuid", "nodev", "noexec"}),
        ("/sys", "sysfs", {"ro", "nosuid", "nodev", "noexec"}),
    ):
        assert mounts[place][0] == kind
        assert options <= set(mounts[place][1]), place


async def test_tmpfs(cell: Cell) -> None:
    mount = Mount("tmpfs", "/scratch/deep", options=("noexec",), data="size=64k,mode=1770,uid=33")
    done = await cell.sh(
        "stat -c '%a %u' /scratch/deep; dd if=/dev/zero of=/scratch/deep/x bs=1k count=100",
        mounts=(mount,),
    )
    assert done.out.splitlines()[0] == "1770 33"
    assert "No space left on device" in done.err


async def test_binds(cell: Cell, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").write_text("from outside\n")
    done = await cell.sh(
        "cat /in/file /one; echo changed > /in/file; echo no > /ro/file; echo no > /one",
        mounts=(
            bind(tmp_path / "host", "/in"),
            bind(tmp_path / "host", "/ro", "ro"),
            bind(tmp_path / "host/file", "/one", "ro"),
        ),
    )
    assert done.out == "from outside\n" * 2
    assert done.err.count("Read-only file system") == 2
    assert (tmp_path / "host/file").read_text() == "changed\n"
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


async def test_a_source_that_is_not_there(cell: Cell, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot mount .*gone to /x: No such file or directory"):
        await cell.run("true", mounts=(bind(tmp_path / "gone", "/x"),))


async def test_only_the_devices_that_are_allowed(cell: Cell) -> None:
    done = await cell.sh(
        "mknod /tmp-disk b 1 0 && echo made; cat /tmp-disk; mknod /k c 1 11 && cat /k; cat /dev/mine",
        devices=(DeviceNode("/dev/mine", "c", 1, 3, 0o600, 33, 44),),
    )
    assert done.out.split() == ["made"]
    assert done.err.count("Operation not permitted") == 2
    assert done.exit_code == 0


async def test_a_device_below_a_folder_with_owner_and_mode(cell: Cell) -> None:
    device = DeviceNode("/dev/net/tun", "c", 10, 200, 0o640, 33, 44)
    done = await cell.sh("stat -c '%t:%T %a %u:%g' /dev/net/tun", devices=(device,))
    assert done.out.strip() == "a:c8 640 33:44"


async def test_a_privileged_one_sees_it_all(cell: Cell) -> None:
    done = await cell.sh(
        "echo changed > /proc/sys/kernel/hostname; hostname; grep Seccomp: /proc/self/status;"
        "grep ' /sys ' /proc/mounts",
        privileged=True, hostname="before", seccomp="",
    )  # fmt: skip
    assert done.out.split()[:3] == ["changed", "Seccomp:", "0"]
    assert "sysfs rw" in done.out


async def test_a_symlink_at_a_mount_target_leads_nowhere_but_inside(
    cell: Cell, tmp_path: Path
) -> None:
    layer, outside = tmp_path / "layer", tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/proof").touch()
    layer.mkdir()
    (layer / "data").symlink_to(outside)
    (layer / "up").symlink_to("../" * 20 + str(outside).lstrip("/"))
    (layer / "deep").symlink_to("/proc/self/root" + str(outside))
    inside = f"/{outside.relative_to('/')}"
    for target in ("/data", "/up", "/deep/more"):
        try:
            done = await cell.sh(
                f"ls {target} {inside}", lower=(layer,), mounts=(bind(tmp_path / "data", target),)
            )
        except EngineError as error:
            assert "symlink that leads nowhere" in str(error) or "symbolic links" in str(error)  # noqa: PT017
        else:
            assert "proof" in done.out
    assert list(outside.iterdir()) == []
    assert str(outside) not in Path("/proc/self/mountinfo").read_text()


async def test_a_symlink_to_a_folder_inside_is_followed_inside(cell: Cell, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "real/place").mkdir(parents=True)
    (layer / "link").symlink_to("/../../real/place")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/proof").touch()
    done = await cell.sh(
        "ls /real/place", lower=(layer,), mounts=(bind(tmp_path / "data", "/link"),)
    )
    assert done.out.split() == ["proof"]


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "huge", "link out"])
async def test_hostile_user_tables(cell: Cell, tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").write_text("spy:x:7:7::/:/bin/sh\n")
    layer = tmp_path / "layer"
    (layer / "etc").mkdir(parents=True)
    passwd = layer / "etc/passwd"
    if kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "folder":
        passwd.mkdir()
    elif kind == "device":
        os.mknod(passwd, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    elif kind == "huge":
        with passwd.open("wb") as stream:
            stream.truncate(1 << 34)
    else:
        passwd.symlink_to(tmp_path / "secret")
    words = "no regular file" if kind in ("fifo", "folder", "device") else "unable to find user spy"
    with pytest.raises(StartError, match=words) as caught:
        await cell.run("true", lower=(layer,), user="spy")
    assert caught.value.exit_code == 125


@pytest.mark.parametrize("name", ["dev", "proc", "sys"])
@pytest.mark.parametrize("target", ["etc", "/", "loop"])
async def test_a_symlink_where_a_file_system_goes(
    cell: Cell, tmp_path: Path, name: str, target: str
) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / name).symlink_to(name if target == "loop" else target)
    before = set(os.listdir("/dev"))
    try:
        await cell.run("true", lower=(layer,))
    except EngineError as error:
        assert str(error).startswith(("cannot", "exec", "File exists"))  # noqa: PT017
    assert set(os.listdir("/dev")) == before


async def test_a_null_device_that_is_none(cell: Cell, tmp_path: Path) -> None:
    fake = tmp_path / "dev"
    fake.mkdir()
    (fake / "null").symlink_to("/proc/sys/kernel/hostname")
    with pytest.raises(StartError, match=r"/dev/null|symbolic"):
        await cell.run("true", mounts=(bind(fake, "/dev"),))


async def test_a_name_that_hides_a_folder_on_the_way(cell: Cell, tmp_path: Path) -> None:
    make_root(tmp_path / "other")
    (tmp_path / "data").mkdir()
    with pytest.raises(StartError, match="cannot mount .*/etc/passwd/x: Not a directory"):
        await cell.run("true", mounts=(bind(tmp_path / "data", "/etc/passwd/x"),))


SWAP = (
    "cd /v; while :; do mv t u; ln -s /outside t; rm t; mv u t; done"  # t is a folder, then a link
)


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
async def test_a_target_that_another_container_swaps_for_a_link_leads_nowhere(
    cell: Cell, tmp_path: Path, kind: str
) -> None:
    """The volume is another's too; he races our start, so that we mount outside of the root."""
    shared, source, outside = tmp_path / "shared", tmp_path / "source", tmp_path / "outside"
    for folder in (shared, source, outside, shared / "t"):
        folder.mkdir()
    (source / "mark").touch()
    swap = SWAP.replace("/outside", str(outside))
    attacker = await cell.start("sh", "-c", swap, mounts=(bind(shared, "/v"),))
    mounts = (
        bind(shared, "/v"),
        bind(source, "/v/t") if kind == "bind" else Mount("tmpfs", "/v/t", data="size=64k"),
    )
    refused = []
    for _ in range(25):
        try:
            done = await cell.sh("cat /proc/mounts; touch /v/t/made", mounts=mounts)
        except StartError as error:
            refused.append(str(error))
            continue
        points = [line.split()[1] for line in done.out.splitlines()]
        inside = ("/v", "/proc", "/sys", "/dev", str(outside))  # a link is followed in its own root
        assert all(point == "/" or point.startswith(inside) for point in points), points
    attacker.signal(9)
    assert all("cannot mount" in words for words in refused), refused
    assert len(refused) < 25
    assert list(outside.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
