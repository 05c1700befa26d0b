"""The files of containers that are gone: out of the way at once, deleted many at a time, off the loop."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from pathlib import Path


class Graves:
    """Folders that nobody looks at any more. What a killed engine leaves of them, the next one sweeps."""

    def __init__(self) -> None:
        self._folders: list[Path] = []
        self._news = trio.Event()

    def take(self, folder: Path, grave: Path) -> None:
        """Move a folder, if it is there, to its grave; both on one file system. Raises OSError."""
        try:
            folder.rename(grave)
        except FileNotFoundError:
            return
        self._folders.append(grave)
        self._news.set()

    async def run(self) -> None:
        """Delete what comes, as long as the engine lives; at its end what has come."""
        try:
            while True:
                await self._news.wait()
                self._news = trio.Event()
                await trio.to_thread.run_sync(_delete, self._emptied())
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(_delete, self._emptied())

    def _emptied(self) -> list[Path]:
        folders, self._folders = self._folders, []
        return folders


def _delete(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
