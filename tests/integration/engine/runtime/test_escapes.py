"""What those inside could take hold of with CAP_SYS_PTRACE: nothing of the host's, whatever they try.

The engine's own programs are in a container's pid namespace twice: as its init, and for a moment as
the process of an exec that is about to start. The attempts are those of CVE-2016-9962, CVE-2019-5736
and CVE-2024-21626.
"""

from __future__ import annotations

import contextlib
import json
import stat
from pathlib import Path

import pytest

from engine.processes.client import StartError
from engine.runtime.privileges import mask_of
from engine.runtime.seccomp import compiled_profile
from tests.integration.engine.cell import Cell

pytestmark = pytest.mark.root

#: What an attacker asks of a process: its privileges, descriptors, places, environment, its program.
ATTACK = """
p=/proc/$1
grep -E '^(Uid|CapPrm|CapEff|Seccomp):' $p/status
for f in $p/fd/*; do [ -e "$f" -o -L "$f" ] && echo "fd ${f##*/} $(readlink $f)"; done
echo root $(stat -c %d:%i $p/root/.) cwd $(stat -c %d:%i $p/cwd/.) own $(stat -c %d:%i /.)
tr '\\0' '\\n' <$p/environ | grep -q HOST_SECRET && echo secret
chmod 755 $p/exe && echo writable
true
"""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_SECRET", "of whoever started the engine")


def layer(tmp_path: Path) -> tuple[Path, ...]:
    """A folder with the attack in it."""
    folder = tmp_path / "attack"
    folder.mkdir(exist_ok=True)
    (folder / "attack").write_text(ATTACK)
    return (folder,)


def without_memfd(cell: Cell, tmp_path: Path) -> str:
    """A filter by which the init cannot become its own program (see init_program): it stays ours."""
    refused = {"names": ["memfd_create"], "action": "SCMP_ACT_ERRNO"}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]}
    return compiled_profile((), cell.host.machine, str(tmp_path), profile)


def lines(text: str, word: str) -> list[str]:
    """The lines that begin with a word."""
    return [line for line in text.splitlines() if line.startswith(word)]


async def test_an_interpreter_as_init_gives_a_tracer_nothing_of_the_host(
    cell: Cell, tmp_path: Path
) -> None:
    done = await cell.sh(
        "sh /attack 1", lower=layer(tmp_path), init=True, cap_add=("SYS_PTRACE",),
        seccomp=without_memfd(cell, tmp_path),
    )  # fmt: skip
    assert "CapEff" in done.out
    assert lines(done.out, "fd") == []
    _, root, _, cwd, _, own = lines(done.out, "root")[0].split()
    assert root == cwd == own
    assert "secret" not in done.out
    assert "writable" not in done.out
    assert "Read-only file system" in done.err  # and so when no process runs it any more


@pytest.mark.parametrize("user", ["", "www"])
@pytest.mark.parametrize("terminal", [False, True])
async def test_an_exec_has_given_up_all_before_it_can_be_seen(
    cell: Cell, tmp_path: Path, user: str, terminal: bool
) -> None:
    spec = cell.spec("sleep", "60", lower=layer(tmp_path), cap_add=("SYS_PTRACE",))
    first = await cell.prepare(spec)
    await first.start()
    waiting = await cell.enter(spec, first.monitor, "true", user=user, terminal=terminal)
    script = "for p in /proc/[0-9]*; do n=${p#/proc/}; [ $n = 1 -o $n = $$ ] || sh /attack $n; done"
    seen = await cell.exec(spec, first.monitor, "sh", "-c", script)
    assert lines(seen.out, "Uid")[0].split()[1] == ("33" if user else "0")
    held = 0 if user else mask_of(spec.process.capabilities.permitted)
    assert {int(line.split()[1], 16) for line in lines(seen.out, "Cap")[:2]} == {held}
    assert lines(seen.out, "Seccomp:")[0].split()[1] == "2"
    held_open = sorted((int(n), t) for _, n, t in (f.split() for f in lines(seen.out, "fd")))
    assert [target.partition(":")[0] for _, target in held_open] == (
        ["/dev/pts/0"] * 3 if terminal else ["/dev/null", "pipe", "pipe"]
    ) + ["socket"]
    for line in lines(seen.out, "root"):
        _, root, _, cwd, _, own = line.split()
        assert root == cwd == own
    assert "secret" not in seen.out
    assert "writable" not in seen.out
    await waiting.start()
    assert (await waiting.monitor.wait_exit()).exit_code == 0


async def test_a_filter_without_clone_lets_an_exec_in_all_the_same(
    cell: Cell, tmp_path: Path
) -> None:
    refused = {"names": ["clone", "clone3", "vfork", "setsid"], "action": "SCMP_ACT_ERRNO"}
    profile = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]})
    strict = compiled_profile((), cell.host.machine, str(tmp_path), json.loads(profile))
    spec = cell.spec("sleep", "60", seccomp=strict)
    prepared = await cell.prepare(spec)
    await prepared.start()
    done = await cell.exec(spec, prepared.monitor, "sh", "-c", "echo in; echo $(echo child)")
    assert done.out.startswith("in\n")
    assert "child" not in done.out
    assert "fork" in done.err


@pytest.mark.parametrize("number", range(3, 16))
async def test_no_working_directory_leads_out_through_a_descriptor(cell: Cell, number: int) -> None:
    with contextlib.suppress(StartError):  # most are refused
        done = await cell.run("sh", "-c", "stat -c %d:%i . /", cwd=f"/proc/self/fd/{number}")
        here, root = done.out.split()
        assert here == root


async def test_the_interpreters_file_is_as_it_was(cell: Cell, tmp_path: Path) -> None:
    program = Path("/proc/self/exe").resolve()
    before = program.stat()
    spec = cell.spec(
        "sleep", "60", init=True, lower=layer(tmp_path), cap_add=("SYS_PTRACE",),
        seccomp=without_memfd(cell, tmp_path),
    )  # fmt: skip
    prepared = await cell.prepare(spec)
    await prepared.start()
    script = "exec 3</proc/1/exe; chmod 777 /proc/self/fd/3; echo x >/proc/self/fd/3"
    done = await cell.exec(spec, prepared.monitor, "sh", "-c", script)
    assert "Read-only file system" in done.err
    after = program.stat()
    assert stat.S_IMODE(after.st_mode) == stat.S_IMODE(before.st_mode)
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)
