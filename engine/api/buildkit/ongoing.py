"""The builds that BuildKit clients have under way: each is asked about in several calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from engine.api.buildkit.cache_options import CacheOptions
from engine.api.buildkit.errors import UNAVAILABLE, GrpcError

if TYPE_CHECKING:
    from engine.api.buildkit.status import StatusLog


@dataclass(slots=True)
class Ongoing:
    """One build. `session` is its client's; `image_id` what it has made."""

    ref: str
    session: str
    status: StatusLog
    attributes: dict[str, str]
    cache: CacheOptions = CacheOptions()
    image_id: str = ""
    returned: trio.Event = field(default_factory=trio.Event)
    error: str = ""


class Builds:
    """The builds of one engine's BuildKit clients."""

    def __init__(self) -> None:
        self._open: dict[str, Ongoing] = {}
        self._news = trio.Event()

    def add(self, build: Ongoing) -> None:
        """A build that others may ask about from now on."""
        self._open[build.ref] = build
        self._news.set()
        self._news = trio.Event()

    def remove(self, ref: str) -> None:
        """It has ended."""
        self._open.pop(ref, None)

    async def find(self, ref: str) -> Ongoing:
        """A build, waited for: its calls come in any order. Raises GrpcError."""
        with trio.move_on_after(5):
            while ref not in self._open:
                await self._news.wait()
            return self._open[ref]
        raise GrpcError(UNAVAILABLE, f"no build {ref}")
