"""What a RUN prints, as text: bytes that may break inside a character."""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable

#: Takes text of a stream (1 or 2).
Write = Callable[[int, str], Awaitable[None]]


class Decoder:
    """Both streams of one RUN, each decoded on its own."""

    def __init__(self, write: Write) -> None:
        self._write = write
        make = codecs.getincrementaldecoder("utf-8")
        self._announced = False
        self._decoders = {1: make("replace"), 2: make("replace")}

    async def feed(self, stream: int, chunk: bytes) -> None:
        """Pass on what is complete; stream 0 brings the container's id."""
        if not stream:
            await self._announce(chunk.decode())
            return
        text = self._decoders[stream].decode(chunk)
        if text:
            await self._write(stream, text)

    async def finish(self, container_id: str) -> None:
        """Pass on what is left of a broken character, and the container if it was not told yet."""
        await self._announce(container_id)
        for stream, decoder in self._decoders.items():
            if text := decoder.decode(b"", final=True):
                await self._write(stream, text)

    async def _announce(self, container_id: str) -> None:
        """Stream 0: which container runs the step."""
        if not self._announced:
            self._announced = True
            await self._write(0, container_id)
