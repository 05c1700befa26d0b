"""PID 1 of `init: true`, and the way by an entrypoint /proc/self/exe to the runtime's own program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.runtime import init_program
from engine.runtime.seccomp import compiled_profile
from engine.runtime.spec import Mount
from tests.integration.engine.cell import Cell

pytestmark = pytest.mark.root
PTRACE = {"cap_add": ("SYS_PTRACE",)}
ALL = {"privileged": True}
POWERS = pytest.mark.parametrize("powers", [{}, PTRACE, ALL], ids=["plain", "ptrace", "privileged"])
on_x86 = pytest.mark.skipif(
    os.uname().machine != init_program.MACHINE, reason="the init program is x86_64's"
)


@POWERS
@pytest.mark.parametrize("init", [False, True])
async def test_the_engines_programs_cannot_be_reached_from_inside(
    cell: Cell, init: bool, powers: dict[str, object]
) -> None:
    spec = cell.spec("sleep", "60", init=init, **powers)
    prepared = await cell.prepare(spec)
    await prepared.start()
    done = await cell.exec(
        spec, prepared.monitor, "sh", "-c",
        "for p in /proc/[0-9]*; do echo $p $(readlink $p/exe) $(readlink $p/cwd) $(ls $p/fd);"
        "cat $p/environ $p/cmdline $p/comm; done; ls -l /proc/1/root/",
    )  # fmt: skip
    for word in ("python", "PYTHONPATH", "engine.processes", "PYCOMPOSE"):
        assert word not in done.out
    if init and os.uname().machine == init_program.MACHINE:
        assert done.out.startswith(f"/proc/1 /memfd:{init_program.NAME} (deleted) /\nPATH=")
        assert f"{init_program.NAME}\0--\0sleep\x0060\0{init_program.NAME}\n" in done.out


@on_x86
@POWERS
async def test_the_init_cannot_be_changed_and_is_nothing_of_the_hosts(
    cell: Cell, powers: dict[str, object]
) -> None:
    script = (
        "for n in 1 2 3; do { echo x > /proc/1/exe && echo wrote; } 2>/dev/null; done;"
        "grep -c -i python /proc/1/maps; ls /proc/1/fd | wc -l; wc -c < /proc/1/exe;"
        "grep -E '^(VmRSS|VmSize)' /proc/1/status"
    )
    done = await cell.sh(script, init=True, **powers)
    words = done.out.split()
    size = len(init_program.program(1, 0))
    assert words[:3] == ["0", "0", str(size)]
    assert "wrote" not in done.out
    sizes = {name: int(value) for name, value in zip(words[3::3], words[4::3], strict=True)}
    assert sizes["VmRSS:"] < 64
    assert sizes["VmSize:"] < 1024


@on_x86
async def test_the_init_forwards_reaps_and_ends_as_its_program(cell: Cell) -> None:
    orphan = "(sh -c 'sleep 0.1 & exit' &); sleep 0.3; ls /proc | grep -c '^[0-9]'"
    assert (await cell.sh(f"{orphan}; exit 7", init=True)).exit_code == 7
    done = await cell.sh(
        "trap 'echo got; exit 3' USR1; kill -USR1 1; while :; do :; done", init=True
    )
    assert (done.exit_code, done.out) == (3, "got\n")
    assert (await cell.sh("kill -9 $$", init=True)).exit_code == 137
    done = await cell.sh("id -u; kill -TERM 1; sleep 5", init=True, user="www")
    assert (done.exit_code, done.out) == (143, "33\n")


async def test_without_the_init_program_the_interpreter_does_its_work(
    cell: Cell, tmp_path: Path
) -> None:
    """A filter that refuses memfd_create leaves no way to it."""
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["memfd_create"], "action": "SCMP_ACT_ERRNO"}],
    }
    filtered = compiled_profile((), cell.host.machine, str(tmp_path), profile)
    script = "readlink /proc/1/exe; trap 'exit 3' USR1; kill -USR1 1; while :; do :; done"
    done = await cell.sh(script, init=True, seccomp=filtered)
    assert (done.exit_code, done.out) == (3, "")


def with_interpreter(folder: Path) -> Path:
    """A layer with what Python's program needs to load: an attacker's image would have the like."""
    layer = folder / "layer"
    layer.mkdir()
    listed = subprocess.run(["ldd", sys.executable], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        path = next((word for word in line.split() if word.startswith("/")), "")
        if path:
            place = layer / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    return layer


@POWERS
@pytest.mark.parametrize("way", ["/proc/self/exe", "/link"])
async def test_executing_the_runtimes_own_program_gives_no_hold_on_it(
    cell: Cell, tmp_path: Path, way: str, powers: dict[str, object]
) -> None:
    layer = with_interpreter(tmp_path)
    (layer / "link").symlink_to("/proc/self/exe")
    before = os.stat(os.path.realpath(sys.executable))
    code = (
        "import os\n"
        "me = os.open('/proc/self/exe', os.O_RDONLY)\n"
        "for what in (lambda: os.fchmod(me, 0o4777), lambda: os.chmod('/proc/self/exe', 0o4777),\n"
        "             lambda: os.utime('/proc/self/exe'), lambda: os.setxattr(me, 'user.x', b'1'),\n"
        "             lambda: os.open('/proc/self/exe', os.O_WRONLY),\n"
        "             lambda: os.open(f'/proc/self/fd/{me}', os.O_RDWR),\n"
        "             lambda: os.truncate('/proc/self/exe', 0)):\n"
        "    try: what(); print('done')\n"
        "    except OSError as error: print(error.strerror)\n"
    )
    stdlib = Path(os.__file__).parent
    (layer / "attack.py").write_text(code)
    mounts = (Mount("bind", str(stdlib), str(stdlib), ("bind", "ro")),)
    home = str(Path(sys.base_prefix))
    done = await cell.run(
        way, "-S", "/attack.py", lower=(layer,), mounts=mounts,
        env=(f"PYTHONHOME={home}",), **powers,
    )  # fmt: skip
    after = os.stat(os.path.realpath(sys.executable))
    os.chmod(os.path.realpath(sys.executable), before.st_mode & 0o7777)  # whatever has happened
    assert (before.st_mode, before.st_mtime_ns, before.st_size) == (
        after.st_mode, after.st_mtime_ns, after.st_size,
    )  # fmt: skip
    assert done.out.splitlines().count("Read-only file system") >= 4, str(done)
    assert "done" not in done.out
