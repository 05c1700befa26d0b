"""Tells log readers that a log may have grown: one inotify for the whole engine.

Rules: a bell rings for every change of a file in the container's folder and never blocks; readers
look at the file themselves. Source: inotify(7).
"""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from engine.runtime import syscalls as sc

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_MODIFY, IN_MOVED_TO, IN_CREATE, IN_IGNORED = 0x2, 0x80, 0x100, 0x8000
IN_Q_OVERFLOW = 0x4000
_HEAD = struct.Struct("=iIII")


class Change:
    """What a reader waits on; may ring before it waits."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Something changed."""
        self._event.set()

    async def wait(self) -> None:
        """Until something has changed since the last wait."""
        await self._event.wait()
        self._event = trio.Event()


class LogWatch:
    """Watches of folders, each shared by its readers."""

    def __init__(self) -> None:
        self._fd = sc.inotify_init()
        self._watches: dict[str, int] = {}
        self._readers: dict[int, set[Change]] = {}

    @contextmanager
    def watch(self, folder: str) -> Iterator[Change]:
        """A bell for changes in a folder. Raises OSError."""
        change = Change()
        if folder not in self._watches:
            mask = IN_MODIFY | IN_MOVED_TO | IN_CREATE
            self._watches[folder] = sc.inotify_add_watch(self._fd, folder, mask)
        number = self._watches[folder]
        self._readers.setdefault(number, set()).add(change)
        try:
            yield change
        finally:
            readers = self._readers.get(number, set())
            readers.discard(change)
            if not readers:
                self._readers.pop(number, None)
                if self._watches.pop(folder, None) is not None:
                    try:
                        sc.inotify_rm_watch(self._fd, number)
                    except OSError:
                        pass  # the folder is gone, and the watch with it

    def ring(self, folder: str) -> None:
        """Wake the readers of a folder for another reason: the container has ended."""
        for change in self._readers.get(self._watches.get(folder, -1), ()):
            change.ring()

    async def run(self) -> None:
        """Hand out the kernel's news; ends when cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._fd)
                data = os.read(self._fd, 1 << 16)
                position = 0
                rung: set[int] = set()
                while position < len(data):
                    number, mask, _, length = _HEAD.unpack_from(data, position)
                    position += _HEAD.size + length
                    if mask & IN_Q_OVERFLOW:  # the kernel could not keep all: of anybody's
                        rung.update(self._readers)
                    rung.add(number)
                for number in rung:
                    for change in self._readers.get(number, ()):
                        change.ring()
        finally:
            os.close(self._fd)
