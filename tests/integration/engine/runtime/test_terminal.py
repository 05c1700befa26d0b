"""A container's terminal: made inside, of the right size, with what was typed before the start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.processes.client import StartError
from engine.runtime.spec import Mount
from tests.integration.engine.cell import Cell, read_until

pytestmark = pytest.mark.root


async def test_it_has_a_name_inside_and_is_the_console(cell: Cell) -> None:
    done = await cell.sh("tty; stat -c %t:%T /dev/console", terminal=True)
    assert done.out.split() == ["/dev/pts/0", "88:0"]


async def test_it_belongs_to_the_user(cell: Cell) -> None:
    done = await cell.sh(
        "stat -c '%u %a' /dev/pts/0; echo x >/dev/stdout", terminal=True, user="www"
    )
    assert done.out.split() == ["33", "620", "x"]


async def test_its_size_is_there_from_the_start_and_can_change(cell: Cell) -> None:
    spec = cell.spec("sh", "-c", "stty size; read x; stty size", terminal=True, terminal_size=(40, 100))  # fmt: skip
    prepared = await cell.prepare(spec)
    attachment = await prepared.monitor.attach(stdin=True, stdout=True, stderr=False)
    await prepared.start()
    assert await read_until(attachment, b"40 100")
    await prepared.monitor.resize(50, 132)
    await attachment.send(b"go\n")
    assert await read_until(attachment, b"50 132")
    await attachment.aclose()


async def test_what_comes_before_the_start_is_not_lost(cell: Cell) -> None:
    prepared = await cell.prepare(cell.spec("sh", "-c", "read x; echo got $x; stty size", terminal=True))  # fmt: skip
    attachment = await prepared.monitor.attach(stdin=True, stdout=True, stderr=False)
    await attachment.send(b"early\n")
    await prepared.monitor.resize(30, 90)
    await prepared.start()
    assert b"got early" in await read_until(attachment, b"30 90")
    await attachment.aclose()


async def test_an_exec_has_one_of_its_own(cell: Cell) -> None:
    spec = cell.spec("sleep", "100")
    prepared = await cell.prepare(spec)
    await prepared.start()
    done = await cell.exec(spec, prepared.monitor, "tty", terminal=True)
    assert done.out.strip() == "/dev/pts/0"


async def test_a_multiplexer_that_is_none_is_refused(cell: Cell, tmp_path: Path) -> None:
    (tmp_path / "pts").mkdir()
    os.mkfifo(tmp_path / "pts/ptmx")
    mount = Mount("bind", "/dev/pts", str(tmp_path / "pts"), ("bind",))
    with pytest.raises(StartError, match="terminal multiplexer"):
        await cell.run("tty", terminal=True, mounts=(mount,))
