"""Tars between the loop and a thread, through a pipe: nothing is kept whole, in memory or on disk.

Whoever gives up closes its end, and the other side notices.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from engine.api.exchange import StreamedBody

CHUNK = 1 << 17


async def send_written(body: StreamedBody, write: Callable[[IO[bytes]], None]) -> None:
    """Send what `write` (in a thread) writes. Its error is raised here: the answer stays unfinished."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    async with trio.open_nursery() as nursery:
        source = trio.lowlevel.FdStream(reading)
        nursery.start_soon(trio.to_thread.run_sync, _write, writing, write)
        async with source:
            while chunk := await source.receive_some(CHUNK):
                await body.send(bytes(chunk))


def _write(fd: int, write: Callable[[IO[bytes]], None]) -> None:
    try:
        with os.fdopen(fd, "wb", CHUNK) as out:
            write(out)
    except BrokenPipeError:
        pass  # the client has hung up


async def read_received(chunks: AsyncIterator[bytes], read: Callable[[IO[bytes]], None]) -> None:
    """Let `read` (in a thread) read what comes. Its error is raised here, whatever still comes."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    failures: list[Exception] = []

    def reader() -> None:
        with os.fdopen(reading, "rb", CHUNK) as source:
            try:
                read(source)
            except Exception as error:  # noqa: BLE001  # raised below, outside of the nursery
                failures.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, reader)
        async with trio.lowlevel.FdStream(writing) as target:
            try:
                async for chunk in chunks:
                    await target.send_all(chunk)
            except trio.BrokenResourceError:
                pass  # it has read enough, or given up
    if failures:
        raise failures[0]
