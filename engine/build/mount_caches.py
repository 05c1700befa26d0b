"""The folders of `--mount=type=cache`: who uses which, and who waits."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class MountCaches:
    """Who uses which mount cache: shared by all, locked to one at a time, or private to each."""

    def __init__(self) -> None:
        self._locks: dict[Path, trio.Lock] = {}
        self._private: set[Path] = set()

    @asynccontextmanager
    async def taken(self, base: Path, sharing: str) -> AsyncIterator[Path]:
        """The folder to mount, while inside."""
        if sharing == "shared":
            yield base / "0"
            return
        if sharing == "locked":
            async with self._locks.setdefault(base, trio.Lock()):
                yield base / "0"
            return
        number = 0
        while (folder := base / f"private-{number}") in self._private:
            number += 1
        self._private.add(folder)
        try:
            yield folder
        finally:
            self._private.discard(folder)
