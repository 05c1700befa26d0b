"""What a RUN prints, as messages of the build's stream: bytes that may break inside a character."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.build.request import Report


class Decoder:
    """Both streams of one RUN, each decoded on its own."""

    def __init__(self, report: Report) -> None:
        self._report = report
        make = codecs.getincrementaldecoder("utf-8")
        self._announced = False
        self._decoders = {1: make("replace"), 2: make("replace")}

    async def feed(self, stream: int, chunk: bytes) -> None:
        """Report what is complete; stream 0 brings the container's id."""
        if not stream:
            await self._announce(chunk.decode())
            return
        text = self._decoders[stream].decode(chunk)
        if text:
            await self._report({"stream": text})

    async def finish(self, container_id: str) -> None:
        """Report what is left of a broken character, and the container if it was not told yet."""
        await self._announce(container_id)
        for decoder in self._decoders.values():
            if text := decoder.decode(b"", final=True):
                await self._report({"stream": text})

    async def _announce(self, container_id: str) -> None:
        if not self._announced:
            self._announced = True
            await self._report({"stream": f" ---> Running in {container_id[:12]}\n"})
