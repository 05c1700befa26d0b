"""Bytes both ways between a client and a process, until one of them has had enough.

Rules: the client hears the end only when the end has been recorded (an inspect that follows tells
the exit code); its half-close is end of file on stdin, and output goes on; a client that is gone ends
the pump, never the process.
"""

from __future__ import annotations

import select
from enum import Enum
from typing import TYPE_CHECKING, Protocol

import trio

from networking.wire.stdstream import STDERR, encode_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.api.detach_keys import DetachKeys
    from engine.processes.attachment import Attachment

#: What a reader hears who has taken nothing for so long that the container went on without him.
DROPPED = b"\r\n(output left out: this reader took too long; the logs have all of it)\r\n"
#: Seconds between looks at whether a client that sends no more has gone altogether.
LOOK = 5.0


class Outcome(Enum):
    """Why a pump ended."""

    ENDED = "the output has ended"
    DETACHED = "the client has left by the detach keys"
    GONE = "the client has hung up"


class Client(Protocol):
    """A connection that carries a process's streams. Errors are trio's."""

    async def receive(self) -> bytes:
        """What the client has sent, b"" when it sends no more."""

    async def send(self, data: bytes) -> None:
        """Bytes for the client."""

    async def finish(self) -> None:
        """There is nothing more for the client."""

    async def wait_gone(self) -> None:
        """Until a client that sends no more has hung up altogether."""


class RawClient:
    """A hijacked connection."""

    def __init__(self, stream: trio.SocketStream, early: bytes) -> None:
        self._stream = stream
        self._early = early

    async def receive(self) -> bytes:
        """What came with the request first."""
        if self._early:
            early, self._early = self._early, b""
            return early
        return bytes(await self._stream.receive_some(1 << 16))

    async def send(self, data: bytes) -> None:
        """Raw bytes."""
        await self._stream.send_all(data)

    async def finish(self) -> None:
        """A half-close."""
        with trio.move_on_after(1):
            await self._stream.send_eof()

    async def wait_gone(self) -> None:
        """A unix socket tells a hang-up from a half-close, but only to poll(2)."""
        poll = select.poll()
        poll.register(self._stream.socket.fileno(), 0)
        while not poll.poll(0):  # noqa: ASYNC110  # readable it stays: no event tells
            await trio.sleep(LOOK)


async def pump(
    client: Client,
    attachment: Attachment,
    *,
    multiplexed: bool,
    stdin: bool,
    keys: DetachKeys | None = None,
    passes_end: bool = True,
    recorded: Callable[[], Awaitable[None]],
) -> Outcome:
    """Move bytes; `recorded` returns when the end of the process is known to whoever asks.

    `passes_end`: the end of the client's input is that of the process's, too.
    """
    outcome = Outcome.GONE

    async def upwards(scope: trio.CancelScope) -> None:
        nonlocal outcome
        try:
            while data := await client.receive():
                passing, left = keys.feed(data) if keys else (data, False)
                if stdin and passing:
                    await attachment.send(passing)
                if left:
                    outcome = Outcome.DETACHED
                    scope.cancel()
                    return
            if stdin and passes_end:
                await attachment.close_stdin()  # a half-close: output goes on
            await client.wait_gone()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # as good as gone
        scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(upwards, nursery.cancel_scope)
        try:
            async for number, data in attachment.frames():
                await client.send(encode_frame(number, data) if multiplexed else data)
            if attachment.cut_short:
                await client.send(encode_frame(STDERR, DROPPED) if multiplexed else DROPPED)
            await recorded()
            await client.finish()
            outcome = Outcome.ENDED
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has gone; the process goes on
        nursery.cancel_scope.cancel()
    return outcome
