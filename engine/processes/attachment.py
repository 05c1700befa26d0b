"""A taken part in a process's streams: frames out of it, raw bytes into it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import trio

from engine.processes.messages import END_MARK

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Attachment:
    """An attached connection; `aclose` detaches. Ends when the process has, or when we were too slow."""

    def __init__(self, stream: trio.SocketStream, *, marks: bool = False) -> None:
        self._stream = stream
        #: whether frames were left out; known when they have ended (`marks`: the monitor tells)
        self.cut_short = marks

    async def frames(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """(1 for stdout or a terminal, 2 for stderr, bytes) until the end."""
        buffer = bytearray()
        while True:
            while len(buffer) >= 8:
                number, size = struct.unpack_from(">BxxxI", buffer)
                if len(buffer) < 8 + size:
                    break
                data = bytes(buffer[8 : 8 + size])
                del buffer[: 8 + size]
                if number == END_MARK:
                    self.cut_short = False
                    return
                yield number, data
            try:
                chunk = await self._stream.receive_some(1 << 16)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if not chunk:
                return
            buffer += chunk

    async def send(self, data: bytes) -> None:
        """Bytes for the process's stdin; once it has ended they are dropped."""
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # ended: nobody reads any more

    async def close_stdin(self) -> None:
        """End of file on the process's stdin; output goes on."""
        try:
            await self._stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # ended

    async def aclose(self) -> None:
        """Detach."""
        await self._stream.aclose()
