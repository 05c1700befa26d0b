"""Options of a container whose effect only the kernel can show: devices, shared memory, cgroup view."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.containers.inputs import host_devices
from engine.errors import HostLimitError
from engine.processes.client import StartError
from engine.runtime.spec import DeviceNode, DeviceRule, Limits, Mount, Rlimit
from tests.integration.engine.cell import Cell

pytestmark = pytest.mark.root


async def test_a_device_may_be_used_as_far_as_it_is_given(cell: Cell) -> None:
    node = DeviceNode("/dev/mine", "c", 10, 234)  # not among those that every container has
    script = (
        "for how in '<' '>'; do eval \": $how /dev/mine\" 2>&1 | grep -q permitted && echo no; done"
    )
    for access, answer in (("m", "no\nno\n"), ("rm", "no\n")):
        rule = DeviceRule(True, "c", 10, 234, access)
        done = await cell.sh(script, devices=(node,), device_rules=(rule,))
        assert done.out == answer, access


async def test_privileged_has_the_hosts_devices_and_its_rights(cell: Cell) -> None:
    nodes = tuple(host_devices("/dev"))
    done = await cell.sh(
        "ls /dev; mount -o remount,rw /sys && echo may; ls -d /proc/kcore",
        privileged=True, devices=nodes, seccomp="",
    )  # fmt: skip
    assert {"full", "may", Path(nodes[-1].path).parts[2]} <= set(done.out.split())
    assert not {node.path for node in nodes} & {"/dev/console", "/dev/ptmx", "/dev/pts/0"}


async def test_dev_shm_of_another_container(cell: Cell) -> None:
    one = await cell.start("sh", "-c", "echo hello >/dev/shm/x; sleep 100", shm_size=1 << 20)
    spaces = {"ipc": f"/proc/{one.pid}/ns/ipc"}
    script = "until test -s /dev/shm/x; do :; done; cat /dev/shm/x; df -k /dev/shm | tail -1"
    done = await cell.sh(script, namespaces=spaces, shm=f"/proc/{one.pid}/ns/mnt")
    assert done.out.split()[:3] == ["hello", "shm", "1024"]


async def test_dev_shm_of_the_host_and_none(cell: Cell) -> None:
    done = await cell.sh("stat -c %d /dev/shm", namespaces={"ipc": "host"}, shm="host")
    assert int(done.out) == os.stat("/dev/shm").st_dev
    assert (await cell.sh("test -e /dev/shm", shm="none")).exit_code == 1


async def test_a_limited_container_sees_its_limit_and_nobody_elses(cell: Cell) -> None:
    limits = Limits(memory=32 << 20, pids=77)
    where = {
        "v2": ("memory.max", "pids.max"),
    }.get(cell.host.cgroup_mode, ("memory/memory.limit_in_bytes", "pids/pids.max"))
    script = f"cd /sys/fs/cgroup; cat {' '.join(where)}; find . -type d; echo 1 >{where[1]}"
    done = await cell.sh(script, limits=limits)
    memory, pids, *folders = done.out.split()
    assert (memory, pids) == (str(32 << 20), "77")
    assert set(folders) <= {".", "./memory", "./pids"}
    assert "Read-only file system" in done.err


async def test_a_subpath_stays_inside(cell: Cell, tmp_path: Path) -> None:
    source = tmp_path / "volume"
    (source / "in/deep").mkdir(parents=True)
    (source / "in/deep/file").write_text("right")
    (source / "link").symlink_to("/in")
    (source / "out").symlink_to("../../../../../../etc")

    def mount(subpath: str) -> Mount:
        return Mount("bind", "/v", str(source), ("bind",), subpath=subpath)

    for subpath in ("in/deep", "link/deep", "../in/deep"):
        assert (await cell.sh("cat /v/file", mounts=(mount(subpath),))).out == "right", subpath
    for subpath in ("out", "missing", "out/passwd"):
        with pytest.raises(StartError, match=f"cannot mount {subpath} in .*volume to /v"):
            await cell.run("true", mounts=(mount(subpath),))


async def test_a_resource_limit_is_set_or_refused_never_cut(cell: Cell) -> None:
    done = await cell.sh("ulimit -n; ulimit -Hn", rlimits=(Rlimit("nofile", 100, 200),))
    assert done.out.split() == ["100", "200"]
    if "SYS_RESOURCE" not in cell.host.capabilities:
        own = cell.host.hard_limits["nofile"]
        with pytest.raises(HostLimitError, match=f"can give at most {own}"):
            cell.spec("true", rlimits=(Rlimit("nofile", 10, own + 1),))


async def test_a_bind_mapped_to_its_owner(cell: Cell, tmp_path: Path) -> None:
    source = tmp_path / "project"
    (source / "deep").mkdir(parents=True)
    (source / "others").write_text("x")
    for path in (source, source / "deep"):
        os.chown(path, 1234, 1235)
    mount = Mount("bind", "/v", str(source), ("rbind", "rprivate", "map-owner"))
    for user, inside in (("", "0:0"), ("www", "33:33")):
        script = "stat -c %u:%g /v /v/deep; echo hello >/v/deep/by-$(id -u); stat -c %u /v/others"
        done = await cell.sh(script, user=user, mounts=(mount,))
        assert done.out.split()[:2] == [inside, inside]
        # Root has changed places with the owner; for another user root stays root.
        assert done.out.split()[2] == ("1234" if user == "" else "0")
        made = source / f"deep/by-{inside.split(':')[0]}"
        assert made.read_text() == "hello\n"
        assert (made.stat().st_uid, made.stat().st_gid) == (1234, 1235)


async def test_a_file_system_that_cannot_be_mapped_is_named(cell: Cell) -> None:
    mount = Mount("bind", "/v", "/proc", ("bind", "map-owner"))
    with pytest.raises(StartError, match="cannot mount /proc to /v: .* map-owner needs"):
        await cell.run("true", mounts=(mount,))
