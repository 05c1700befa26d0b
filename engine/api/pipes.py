"""A request's body as a file for a thread that reads it, an answer's body from a thread that writes it.

A pipe between the loop and the thread: neither has more than a pipe's worth of the stream in memory.
"""

from __future__ import annotations

import os
from contextlib import aclosing, suppress
from typing import IO, TYPE_CHECKING, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from engine.api.exchange import StreamedBody

T = TypeVar("T")

CHUNK = 1 << 20
_F_SETPIPE_SZ = 1031


async def read_in_thread(body: AsyncGenerator[bytes, None], read: Callable[[IO[bytes]], T]) -> T:
    """Run `read` in a thread on a file that has the body; its result. What it does not read is lost.

    The body is closed.

    Raises what `read` raises.
    """
    reading, writing = _pipe()

    def work() -> T:
        with os.fdopen(reading, "rb", CHUNK) as stream:
            return read(stream)

    async def feed() -> None:
        async with trio.lowlevel.FdStream(writing) as pipe:
            # A pipe that breaks: it has read enough, or failed and says why.
            with suppress(trio.BrokenResourceError):
                async with aclosing(body) as chunks:
                    async for chunk in chunks:
                        await pipe.send_all(chunk)

    # A thread is not cancelled: it ends because its file does, whatever became of the body.
    results: list[T] = []
    failures: list[Exception] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_kept, feed, failures)
        await _kept(lambda: trio.to_thread.run_sync(work), failures, results)
        nursery.cancel_scope.cancel()
    if failures:
        raise failures[0]
    return results[0]


async def _kept(
    run: Callable[[], Awaitable[T]], failures: list[Exception], results: list[T] | None = None
) -> None:
    """Run something; its failure is kept for later, so that no nursery wraps it."""
    try:
        result = await run()
    except Exception as error:  # noqa: BLE001  # raised by the one who asked
        failures.append(error)
    else:
        if results is not None:
            results.append(result)


async def send_from_thread(body: StreamedBody, write: Callable[[IO[bytes]], None]) -> None:
    """Run `write` in a thread; what it writes to its file goes out as the body.

    Raises what `write` raises, but for the end of somebody who reads no more.
    """
    reading, writing = _pipe()

    def work() -> None:
        with suppress(BrokenPipeError), os.fdopen(writing, "wb", CHUNK) as stream:
            write(stream)

    async def pass_on() -> None:
        async with trio.lowlevel.FdStream(reading) as pipe:
            while chunk := await pipe.receive_some(CHUNK):
                await body.send(bytes(chunk))

    failures: list[Exception] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_kept, pass_on, failures)
        await _kept(lambda: trio.to_thread.run_sync(work), failures)
    if failures:
        raise failures[0]


def _pipe() -> tuple[int, int]:
    import fcntl

    reading, writing = os.pipe2(os.O_CLOEXEC)
    with suppress(OSError):  # a user's pipes are limited: smaller is only slower
        fcntl.fcntl(writing, _F_SETPIPE_SZ, CHUNK)
    return reading, writing
