"""What many readers of one log read, read and put into words once.

The theory: a log only grows, so a piece of it is known by its file and the place where it begins. Each
reader asks for the piece at his own place. While a file has several readers its last few pieces are kept,
and all who are at its end get the same one. Who is far behind reads from the file for himself, through
the same descriptor. Rules: there is no queue, nobody waits for another, nothing is left out.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from engine.containers.log_entries import Entry, parse_all

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

#: What is read, parsed and encoded in one step of the loop: some 3 ms.
CHUNK = 1 << 17
#: Pieces kept of a file: readers at its end are hardly further apart.
KEPT = 4


class Batch:
    """Entries, and what has been made of them: readers who ask for the same share it."""

    __slots__ = ("_made", "entries")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self._made: dict[Hashable, bytes] = {}

    def once(self, how: Hashable, make: Callable[[list[Entry]], bytes]) -> bytes:
        """The entries as bytes, made by the first who asks for them that way."""
        made = self._made.get(how)
        if made is None:
            made = self._made[how] = make(self.entries)
        return made


class Piece:
    """Whole lines; `end` is where the next piece begins."""

    __slots__ = ("_batches", "_lines", "end")

    def __init__(self, lines: list[bytes], end: int) -> None:
        self._lines = lines
        self.end = end
        self._batches: dict[frozenset[str], Batch] = {}

    def of(self, streams: frozenset[str]) -> Batch:
        """The entries of one or both streams."""
        found = self._batches.get(streams)
        if found is None:
            entries = parse_all(self._lines)
            if len(streams) < 2:
                entries = [entry for entry in entries if entry.stream in streams]
            found = self._batches[streams] = Batch(entries)
        return found


class LogFile:
    """An open log; its readers share the descriptor."""

    def __init__(self, stream: IO[bytes], key: tuple[int, int]) -> None:
        self.key = key  # device, inode
        self.readers = 0
        self._stream = stream
        self._pieces: dict[int, Piece] = {}

    def piece(self, place: int) -> Piece | None:
        """The whole lines from a place on, as many as there are or a chunk holds; None without any."""
        found = self._pieces.get(place)
        if found is None:
            found = self._read(place)
            if found is not None and self.readers > 1:
                if len(self._pieces) >= KEPT:
                    del self._pieces[next(iter(self._pieces))]
                self._pieces[place] = found
        return found

    def _read(self, place: int) -> Piece | None:
        fd, size = self._stream.fileno(), CHUNK
        while data := os.pread(fd, size, place):
            *lines, rest = data.split(b"\n")
            if lines:
                return Piece(lines, place + len(data) - len(rest))
            if len(data) < size:
                return None  # the line is still being written
            size *= 2
        return None

    def forget(self) -> None:
        """The file was cut off: what is kept of it holds no longer."""
        self._pieces.clear()

    def close(self) -> None:
        """Idempotent."""
        self._stream.close()


class LogFiles:
    """The logs that somebody reads now."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], LogFile] = {}

    def adopt(self, stream: IO[bytes]) -> LogFile:
        """A reader more of an open file; the stream is the file's from here on."""
        facts = os.fstat(stream.fileno())
        key = (facts.st_dev, facts.st_ino)
        file = self._open.get(key)
        if file is None:
            file = self._open[key] = LogFile(stream, key)
        else:
            stream.close()
        file.readers += 1
        return file

    def release(self, file: LogFile) -> None:
        """A reader less."""
        file.readers -= 1
        if not file.readers:
            del self._open[file.key]
            file.close()
