"""While an exec enters: what those inside can see of it, and reach through it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.engine.cell import Cell

pytestmark = pytest.mark.root
LOOK = (
    "for p in /proc/[0-9]*; do ls $p/root/only-here >/dev/null 2>&1 || echo $p outside;"
    "for f in $p/fd/*; do readlink $f; done; dd if=/dev/null of=$p/exe 2>/dev/null && echo $p written;"
    "cat $p/environ $p/maps 2>/dev/null | tr '\\0' '\\n'; done"
)


@pytest.mark.parametrize("powers", [(), ("SYS_PTRACE", "SYS_ADMIN")])
async def test_one_that_enters_is_never_outside(cell: Cell, powers: tuple[str, ...]) -> None:
    script = "echo >/only-here; read x </dev/null; sleep 100"
    spec = cell.spec("sh", "-c", script, cap_add=powers)
    prepared = await cell.prepare(spec)
    await prepared.start()
    while (await cell.exec(spec, prepared.monitor, "test", "-e", "/only-here")).exit_code:
        pass
    waiting = await cell.enter(spec, prepared.monitor, "true")  # inside, not yet its program
    seen = await cell.exec(spec, prepared.monitor, "sh", "-c", LOOK)
    pid = waiting.monitor.pid
    outside = os.stat("/")
    root = os.stat(f"/proc/{pid}/root/.")
    assert (root.st_dev, root.st_ino) != (outside.st_dev, outside.st_ino)
    if powers:  # who may trace anything may look at it, but it is inside, and read-only to him
        assert "written" not in seen.out
    else:
        assert "python" not in seen.out
        assert "PYTHON" not in seen.out
    await waiting.abort()


async def test_only_stdio_is_open_inside(cell: Cell) -> None:
    script = "ls /proc/self/fd"
    own = set((await cell.sh(script)).out.split())
    spec = cell.spec("sleep", "100")
    prepared = await cell.prepare(spec)
    await prepared.start()
    execs = set((await cell.exec(spec, prepared.monitor, "sh", "-c", script)).out.split())
    assert own == execs == {"0", "1", "2", "3"}  # the last is ls's own


async def test_the_memory_of_a_monitor_that_has_nothing_to_do_is_small(cell: Cell) -> None:
    """Its budget is for the whole, with its share of what all have in common."""
    monitors = [await cell.start("sleep", "100") for _ in range(5)]
    for monitor in monitors:
        stat = Path(f"/proc/{monitor.pid}/stat").read_text()
        parent = stat.rpartition(")")[2].split()[1]
        rollup = Path(f"/proc/{parent}/smaps_rollup").read_text()
        dirty = int(rollup.split("Private_Dirty:")[1].split()[0])
        assert dirty < 1800, f"{dirty} KiB: something was touched on the way that need not be"
