"""A program in its namespaces: what it sees, who it is, how it ends; on the real kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.processes.client import StartError
from engine.runtime.spec import Rlimit
from tests.integration.engine.cell import Cell

pytestmark = pytest.mark.root

KINDS = ("cgroup", "ipc", "mnt", "net", "pid", "uts")


async def test_it_runs_in_namespaces_of_its_own(cell: Cell) -> None:
    done = await cell.sh(
        "for kind in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$kind; done"
    )
    inside = done.out.split()
    outside = [os.readlink(f"/proc/self/ns/{kind}") for kind in KINDS]
    assert len(inside) == len(outside)
    assert not set(inside) & set(outside)


async def test_the_hosts_namespaces_when_asked_for(cell: Cell) -> None:
    shared = dict.fromkeys(("ipc", "net", "uts"), "host")
    done = await cell.sh(
        "for kind in ipc net uts; do readlink /proc/self/ns/$kind; done", namespaces=shared
    )
    assert done.out.split() == [os.readlink(f"/proc/self/ns/{k}") for k in ("ipc", "net", "uts")]


async def test_another_containers_network_is_joined(cell: Cell) -> None:
    other = await cell.start("sleep", "60")
    path = f"/proc/{other.pid}/ns/net"
    done = await cell.sh("readlink /proc/self/ns/net", namespaces={"net": path})
    assert done.out.strip() == os.readlink(path)


@pytest.mark.parametrize("code", [0, 1, 3, 125, 126, 127, 128, 137, 254, 255])
async def test_exit_codes(cell: Cell, code: int) -> None:
    assert (await cell.sh(f"exit {code}")).exit_code == code


@pytest.mark.parametrize("init", [False, True])
@pytest.mark.parametrize("number", [1, 2, 6, 9, 15])
async def test_a_signal_is_128_and_its_number(cell: Cell, number: int, init: bool) -> None:
    if init:
        done = await cell.sh(f"kill -{number} $$", init=True)
        assert done.exit_code == 128 + number
    else:  # PID 1 is not hit by its own signals; from outside only SIGKILL is sure
        monitor = await cell.start("sleep", "60")
        monitor.signal(9)
        assert (await monitor.wait_exit()).exit_code == 137


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("nope",), 127, 'exec: "nope": executable file not found in $PATH'),
        (("/bin/nope",), 127, 'exec: "/bin/nope": stat /bin/nope: no such file or directory'),
        (("/etc/passwd",), 126, 'exec: "/etc/passwd": permission denied'),
        (("/etc",), 126, 'exec: "/etc": is a directory'),
        (("",), 127, 'exec: "": executable file not found in $PATH'),
    ],
)
@pytest.mark.parametrize("init", [False, True])
async def test_what_cannot_be_executed(
    cell: Cell, args: tuple[str, ...], code: int, words: str, init: bool
) -> None:
    with pytest.raises(StartError) as caught:
        await cell.run(*args, init=init)
    assert caught.value.exit_code == code
    assert words in str(caught.value)


async def test_a_script_without_its_interpreter(cell: Cell, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "bin").mkdir(parents=True)
    (layer / "bin/broken").write_text("#!/no/such/interpreter\n")
    (layer / "bin/odd").write_text("no program at all")
    for name in ("broken", "odd"):
        (layer / "bin" / name).chmod(0o755)
    with pytest.raises(StartError, match="exec /bin/broken: No such file or directory") as caught:
        await cell.run("broken", lower=(layer,))
    assert caught.value.exit_code == 127
    with pytest.raises(StartError, match="Exec format error") as caught:
        await cell.run("odd", lower=(layer,))
    assert caught.value.exit_code == 126


async def test_the_environment_is_what_was_given_and_no_more(cell: Cell) -> None:
    done = await cell.run("env", env=("GREETING=hello  world", "EMPTY=", "ODD=a=b\nc"))
    assert "GREETING=hello  world\n" in done.out
    assert "EMPTY=\n" in done.out
    assert "ODD=a=b\nc\n" in done.out
    names = {line.partition("=")[0] for line in done.out.splitlines()} - {"c"}
    assert names == {"GREETING", "EMPTY", "ODD", "PATH", "HOME", "CELL"}


@pytest.mark.parametrize(
    ("user", "groups", "said"),
    [
        ("", (), "0:0:0:/root"),
        ("www", (), "33:33:33 44:/var/www"),
        ("33", (), "33:33:33 44:/var/www"),
        ("www:logs", (), "33:44:44:/var/www"),
        ("1234", (), "1234:0:0:/"),
        ("1234:4321", ("logs", "99"), "1234:4321:4321 44 99:/"),
    ],
)
async def test_who_it_is(cell: Cell, user: str, groups: tuple[str, ...], said: str) -> None:
    script = 'echo "$(id -u):$(id -g):$(id -G):$HOME"; touch /proc/self/comm; : > /dev/stdout'
    done = await cell.sh(script, user=user, groups=groups)
    assert done.out.strip() == said
    assert not done.err


async def test_a_user_the_image_does_not_know(cell: Cell) -> None:
    with pytest.raises(StartError, match="unable to find user nobody: no matching entries"):
        await cell.run("true", user="nobody")


async def test_the_working_directory_is_made(cell: Cell) -> None:
    done = await cell.sh("pwd; stat -c '%u:%g %a' . ..", cwd="/srv/app/data")
    assert done.out.splitlines() == ["/srv/app/data", "0:0 755", "0:0 755"]


async def test_a_working_directory_that_may_not_be_entered(cell: Cell, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "closed").mkdir(parents=True)
    (layer / "closed").chmod(0o700)
    with pytest.raises(StartError, match="cannot enter the working directory /closed") as caught:
        await cell.run("true", lower=(layer,), cwd="/closed", user="www")
    assert caught.value.exit_code == 126
    with pytest.raises(StartError, match="cannot make the working directory /etc/passwd/x"):
        await cell.run("true", cwd="/etc/passwd/x")


async def test_host_and_domain_name(cell: Cell) -> None:
    done = await cell.sh(
        "hostname; cat /proc/sys/kernel/domainname", hostname="harbour", domainname="test.invalid"
    )
    assert done.out.split() == ["harbour", "test.invalid"]
    assert os.uname().nodename != "harbour"


async def test_unlimited_is_as_far_as_the_engine_may_go(cell: Cell) -> None:
    done = await cell.sh("ulimit -n", rlimits=(Rlimit("nofile", -1, -1),))
    assert done.exit_code == 0
    assert int(done.out) >= 1024


async def test_sysctls(cell: Cell) -> None:
    asked = (("net.ipv4.ip_forward", "1"), ("kernel.msgmax", "12345"))
    done = await cell.sh(
        "cd /proc/sys; cat net/ipv4/ip_forward kernel/msgmax net/ipv4/ip_unprivileged_port_start;"
        "cat net/ipv4/ping_group_range",
        sysctls=asked,
    )
    assert done.out.split() == ["1", "12345", "0", "0", "2147483647"]
    assert Path("/proc/sys/kernel/msgmax").read_text().strip() != "12345"
    with pytest.raises(StartError, match=r"cannot set the sysctl net\.nope: this kernel has none"):
        await cell.run("true", sysctls=(("net.nope", "1"),))
    with pytest.raises(StartError, match=r"net\.ipv4\.ip_forward to many: Invalid argument"):
        await cell.run("true", sysctls=(("net.ipv4.ip_forward", "many"),))


async def test_the_oom_score(cell: Cell) -> None:
    assert (await cell.sh("cat /proc/self/oom_score_adj", oom_score_adj=321)).out.strip() == "321"


async def test_a_fresh_process(cell: Cell) -> None:
    done = await cell.sh(
        "ls /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status; umask; readlink /proc/1/exe"
    )
    words = done.out.split()
    assert words[:4] == ["0", "1", "2", "3"]  # 3 is ls's own
    assert words[4:] == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16, "0022", "/bin/busybox"]


async def test_loopback_is_up(cell: Cell) -> None:
    assert "LOOPBACK" not in (await cell.sh("cat /sys/class/net/lo/flags")).err
    assert (await cell.sh("cat /sys/class/net/lo/flags; ls /sys/class/net")).out.split() == [
        "0x9",
        "lo",
    ]
