"""What a container says, as its monitor writes it: large lines, floods, readers that do not read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import trio

from engine.containers.log_entries import parse_all
from engine.runtime.spec import LogTarget
from tests.integration.engine.cell import Cell

pytestmark = pytest.mark.root


def logged(path: Path, stream: str = "stdout") -> bytes:
    entries = parse_all(path.read_bytes().split(b"\n"))
    return b"".join(entry.text for entry in entries if entry.stream == stream)


async def test_a_line_of_a_megabyte_and_binary(cell: Cell, tmp_path: Path) -> None:
    path = tmp_path / "log"
    script = (
        "head -c 1048576 /dev/zero | tr '\\0' x; echo; head -c 100000 /dev/urandom >/bin/noise;"
        "cat /bin/noise >&2; cat /bin/noise"
    )
    done = await cell.prepare(cell.spec("sh", "-c", script, log=LogTarget(path=str(path))))
    await done.start()
    with trio.fail_after(30):
        await done.monitor.wait_exit()
    noise = logged(path, "stderr")
    assert len(noise) == 100_000
    assert logged(path) == b"x" * 1048576 + b"\n" + noise


async def test_a_flood_with_a_reader_that_stalls(cell: Cell, tmp_path: Path) -> None:
    path = tmp_path / "log"
    script = "yes 0123456789abcdef | head -c 30000000"
    prepared = await cell.prepare(
        cell.spec("sh", "-c", script, log=LogTarget(path=str(path), max_size=-1))
    )
    stalled = await prepared.monitor.attach(stdin=False, stdout=True, stderr=True)
    await prepared.start()
    with trio.fail_after(60):
        record = await prepared.monitor.wait_exit()
    assert record.exit_code == 0
    await stalled.aclose()
    whole = logged(path)
    wanted = (b"0123456789abcdef\n" * (30_000_000 // 17 + 1))[:30_000_000]
    assert hashlib.sha256(whole).digest() == hashlib.sha256(wanted).digest()


async def test_what_ends_without_a_newline(cell: Cell, tmp_path: Path) -> None:
    path = tmp_path / "log"
    await cell.sh("printf out; printf err >&2", log=LogTarget(path=str(path)))
    assert (logged(path), logged(path, "stderr")) == (b"out", b"err")


async def test_a_target_that_cannot_be_opened_is_said(cell: Cell) -> None:
    target = LogTarget("syslog", address="unixgram:///nowhere/at/all")
    with pytest.raises(Exception, match="failed to initialize logging driver: syslog"):
        await cell.sh("true", log=target)
