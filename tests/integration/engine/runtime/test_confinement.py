"""What a container's program may not do: capabilities, system calls, limits; on the real kernel."""

from __future__ import annotations

import errno
import platform
import struct
from pathlib import Path

import pytest

from engine.processes.client import StartError
from engine.runtime.cgroups import tree
from engine.runtime.privileges import mask_of
from engine.runtime.spec import Limits
from tests.integration.engine.cell import Cell, hear_out, until

pytestmark = pytest.mark.root

DOCKER = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
    "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip
STATUS = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status"


def fields(text: str) -> dict[str, int]:
    """Lines of /proc/self/status as numbers."""
    pairs = (line.split(":") for line in text.splitlines())
    return {key: int(value, 16 if key.startswith("Cap") else 10) for key, value in pairs}


def system_call(number: int, *arguments: int) -> bytes:
    """A static program for x86_64: makes one system call and exits with the error's number."""
    code = b""
    for register, value in zip(
        (b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba"), arguments, strict=False
    ):
        code += register + struct.pack("<q", value)
    return program(code + b"\xb8" + struct.pack("<I", number) + b"\x0f\x05")  # mov eax; syscall


def socket_call(number: int, *words: int) -> bytes:
    """The same by i386's entry: socketcall(number, words)."""
    table = 0x400078 + 5  # behind a jump over it
    code = b"\xe9" + struct.pack("<I", 4 * len(words)) + struct.pack(f"<{len(words)}I", *words)
    code += b"\xbb" + struct.pack("<I", number) + b"\xb9" + struct.pack("<I", table)
    return program(code + b"\xb8" + struct.pack("<I", 102) + b"\xcd\x80")  # int 0x80


def old_call(number: int, *arguments: int) -> bytes:
    """One system call by i386's entry, int 0x80."""
    code = b""
    for register, value in zip((b"\xbb", b"\xb9", b"\xba", b"\xbe"), arguments, strict=False):
        code += register + struct.pack("<I", value & 0xFFFFFFFF)
    code += b"\xb8" + struct.pack("<I", number) + b"\xcd\x80"
    return program(code + b"\x48\x63\xc0")  # movsxd rax, eax


def program(code: bytes) -> bytes:
    """A static program of such code, which leaves its answer in rax."""
    code += b"\x48\x85\xc0\x78\x02\x31\xc0"  # test rax, rax; js +2; xor eax, eax
    code += b"\xf7\xd8\x89\xc7\xb8\x3c\x00\x00\x00\x0f\x05"  # exit(-rax)
    size = 64 + 56 + len(code)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 0x1000) + code


async def test_the_capabilities_are_dockers_and_the_hosts(cell: Cell) -> None:
    found = fields((await cell.sh(STATUS)).out)
    wanted = mask_of(set(DOCKER) & set(cell.host.capabilities))
    assert found["CapEff"] == found["CapPrm"] == found["CapBnd"] == wanted
    assert found["CapInh"] == found["CapAmb"] == 0


async def test_a_user_who_is_not_root_has_none(cell: Cell) -> None:
    found = fields((await cell.sh(STATUS, user="www")).out)
    assert found["CapEff"] == found["CapPrm"] == found["CapInh"] == found["CapAmb"] == 0
    assert found["CapBnd"] == mask_of(set(DOCKER) & set(cell.host.capabilities))


async def test_added_and_dropped(cell: Cell) -> None:
    done = await cell.sh(STATUS, cap_add=("NET_ADMIN",), cap_drop=("ALL",))
    assert fields(done.out)["CapEff"] == mask_of(["NET_ADMIN"])
    done = await cell.sh(STATUS, cap_drop=("mknod", "CAP_KILL"))
    left = set(DOCKER) & set(cell.host.capabilities) - {"MKNOD", "KILL"}
    assert fields(done.out)["CapBnd"] == mask_of(left)
    done = await cell.sh(STATUS, cap_add=("ALL",))
    assert fields(done.out)["CapEff"] == mask_of(cell.host.capabilities)


@pytest.mark.parametrize("no_new_privileges", [False, True])
@pytest.mark.parametrize("user", ["", "www"])
async def test_the_filter_is_on(cell: Cell, user: str, no_new_privileges: bool) -> None:
    options = ("no-new-privileges",) if no_new_privileges else ()
    found = fields((await cell.sh(STATUS, user=user, security_opt=options)).out)
    assert found["Seccomp"] == 2
    assert found["NoNewPrivs"] == int(no_new_privileges)


async def test_new_namespaces_are_refused(cell: Cell) -> None:
    done = await cell.sh("unshare -m true || unshare -U true || unshare -n true")
    assert done.exit_code == 1
    assert done.err.count("Operation not permitted") == 3


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the programs are x86_64's")
@pytest.mark.parametrize(
    ("name", "number", "arguments", "answer"),
    [
        ("getpid", 39, (), 0),
        ("keyctl", 250, (0, -3, 0), errno.EPERM),
        ("bpf", 321, (0, 0, 0), errno.EPERM),
        ("perf_event_open", 298, (0, 0, 0, 0), errno.EPERM),
        ("mount", 165, (0, 0, 0, 0), errno.EPERM),
        ("add_key", 248, (0, 0, 0, 0), errno.EPERM),
        ("userfaultfd", 323, (0,), errno.EPERM),
        ("io_uring_setup", 425, (0, 0), errno.EPERM),
        ("clone3", 435, (0, 0), errno.ENOSYS),
        ("one not yet invented", 1000, (), errno.ENOSYS),
        ("clone of a namespace", 56, (0x10000000 | 17, 0, 0, 0), errno.EPERM),
        ("personality", 135, (0x0040000,), errno.EPERM),
        ("personality that is told", 135, (0xFFFFFFFF,), 0),
        ("socket of AF_VSOCK", 41, (40, 1, 0), errno.EPERM),
        ("socket of AF_ALG", 41, (38, 5, 0), errno.EPERM),
        ("socket of AF_UNIX", 41, (1, 1, 0), 0),
    ],
)
async def test_system_calls(
    cell: Cell, tmp_path: Path, name: str, number: int, arguments: tuple[int, ...], answer: int
) -> None:
    (tmp_path / "call").write_bytes(system_call(number, *arguments))
    (tmp_path / "call").chmod(0o755)
    layer = tmp_path / "layer"
    layer.mkdir()
    (tmp_path / "call").rename(layer / "call")
    assert (await cell.run("/call", lower=(layer,))).exit_code == answer, name


X32 = 0x40000000


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the programs are x86_64's")
@pytest.mark.parametrize(
    ("name", "code", "answers"),
    [
        ("i386 getpid", old_call(20), (0,)),
        ("i386 mount", old_call(21, 0, 0, 0, 0), (errno.EPERM,)),
        ("i386 keyctl", old_call(288, 0, -3, 0), (errno.EPERM,)),
        ("i386 bpf", old_call(357, 0, 0, 0), (errno.EPERM,)),
        ("i386 unshare", old_call(310, 0x10000000), (errno.EPERM,)),
        ("i386 clone of a namespace", old_call(120, 0x10000000 | 17, 0, 0, 0), (errno.EPERM,)),
        ("i386 io_uring_setup", old_call(425, 0, 0), (errno.EPERM,)),
        ("i386 socket of AF_ALG", old_call(359, 38, 5, 0), (errno.EPERM,)),
        ("i386 socket of AF_VSOCK", old_call(359, 40, 1, 0), (errno.EPERM,)),
        ("i386 socket of AF_UNIX", old_call(359, 1, 1, 0), (0,)),
        # A kernel without x32 says ENOSYS to whatever the filter lets through.
        ("x32 mount", system_call(X32 | 165, 0, 0, 0, 0), (errno.EPERM,)),
        ("x32 keyctl", system_call(X32 | 250, 0, -3, 0), (errno.EPERM,)),
        ("x32 unshare", system_call(X32 | 272, 0x10000000), (errno.EPERM,)),
        ("x32 io_uring_setup", system_call(X32 | 425, 0, 0), (errno.EPERM,)),
        ("x32 socket of AF_ALG", system_call(X32 | 41, 38, 5, 0), (errno.EPERM,)),
        ("x32 getpid", system_call(X32 | 39), (0, errno.ENOSYS)),
    ],
)
async def test_the_other_entries_are_filtered_too(
    cell: Cell, tmp_path: Path, name: str, code: bytes, answers: tuple[int, ...]
) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "call").write_bytes(code)
    (layer / "call").chmod(0o755)
    assert (await cell.run("/call", lower=(layer,))).exit_code in answers, name


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the programs are x86_64's")
@pytest.mark.parametrize(
    ("call", "words", "answer"),
    [(1, (38, 5, 0), errno.EPERM), (1, (40, 1, 0), errno.EPERM), (5, (99, 0, 0), errno.EBADF)],
)
async def test_no_socket_comes_by_socketcall(
    cell: Cell, tmp_path: Path, call: int, words: tuple[int, ...], answer: int
) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "call").write_bytes(socket_call(call, *words))
    (layer / "call").chmod(0o755)
    assert (await cell.run("/call", lower=(layer,))).exit_code == answer


async def test_without_a_filter_it_is_the_capabilities_that_refuse(cell: Cell) -> None:
    done = await cell.sh(f"{STATUS}; unshare -U true && echo made", seccomp="")
    assert "Seccomp:\t0" in done.out
    assert "made" in done.out


@pytest.mark.parametrize("init", [False, True])
async def test_the_engines_programs_cannot_be_reached_from_inside(cell: Cell, init: bool) -> None:
    spec = cell.spec("sleep", "60", init=init)
    prepared = await cell.prepare(spec)
    await prepared.start()
    done = await cell.exec(
        spec, prepared.monitor, "sh", "-c",
        "for p in /proc/[0-9]*; do echo $p $(readlink $p/exe) $(readlink $p/cwd); done; cat /proc/1/environ",
    )  # fmt: skip
    assert "python" not in done.out
    if init:
        assert done.out.startswith("/proc/1 /memfd:pycompose-init (deleted)")  # all its own


async def test_memory_is_limited_and_the_kill_recorded(cell: Cell) -> None:
    limits = Limits(memory=16 << 20, memory_swap=16 << 20)
    done = await cell.sh(
        "x=$(dd if=/dev/zero bs=1M count=64 | tr '\\0' x); echo survived", limits=limits
    )
    assert "survived" not in done.out
    assert done.record.oom_killed
    done = await cell.sh("echo fine", limits=limits)
    assert not done.record.oom_killed
    assert done.out == "fine\n"


async def test_the_number_of_processes_is_limited(cell: Cell) -> None:
    done = await cell.sh(
        "for n in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done; echo all", limits=Limits(pids=6)
    )
    assert "Resource temporarily unavailable" in done.err or "can't fork" in done.err
    assert "all" not in done.out


async def test_the_processors_time_is_limited(cell: Cell) -> None:
    limits = Limits(cpu_quota=10_000, cpu_period=100_000)
    spec = cell.spec("sh", "-c", "while :; do :; done", limits=limits)
    prepared = await cell.prepare(spec)
    await prepared.start()
    top = tree.MOUNT if cell.host.cgroup_mode == "v2" else f"{tree.MOUNT}/cpu"
    folder = Path(top, spec.cgroup.path)

    def throttled() -> bool:
        stat = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
        return int(stat["nr_throttled"]) >= 3

    await until(throttled)
    prepared.monitor.signal(9)
    await prepared.monitor.wait_exit()
    assert not folder.exists()


async def test_a_limit_the_kernel_refuses(cell: Cell) -> None:
    with pytest.raises(
        StartError, match="cannot make the cgroup .*Invalid argument|Numerical result"
    ):
        await cell.run("true", limits=Limits(cpuset_cpus="4095"))


async def test_freezing(cell: Cell) -> None:
    spec = cell.spec("sh", "-c", "while :; do :; done")
    prepared = await cell.prepare(spec)
    await prepared.start()
    tree.freeze(spec.cgroup, frozen=True)
    spent = Path(f"/proc/{prepared.monitor.pid}/stat").read_text().split()[13]
    assert tree.processes(spec.cgroup) == [prepared.monitor.pid]
    assert Path(f"/proc/{prepared.monitor.pid}/stat").read_text().split()[13] == spent
    tree.freeze(spec.cgroup, frozen=False)
    await until(lambda: Path(f"/proc/{prepared.monitor.pid}/stat").read_text().split()[13] != spent)
    tree.freeze(spec.cgroup, frozen=True)
    tree.kill_all(spec.cgroup)
    assert (await prepared.monitor.wait_exit()).exit_code == 137


async def test_nothing_outlives_the_first_process(cell: Cell) -> None:
    spec = cell.spec(
        "sh", "-c", "setsid sleep 60 & nohup sleep 61 & exit 7", namespaces={"pid": "host"}
    )
    prepared = await cell.prepare(spec)
    attachment = await prepared.monitor.attach(stdin=False, stdout=True, stderr=True)
    await prepared.start()
    assert (await hear_out(prepared.monitor, attachment)).exit_code == 7
    assert tree.processes(spec.cgroup) == []
    assert tree.folders_of(spec.cgroup) == []
