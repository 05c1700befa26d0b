"""A container's log read back: json-file entries, the last n, a time window, and what still comes.

Rules: the file is read in pieces, never whole into memory; a reader that follows keeps its descriptor
through a rotation, finishes the old file, and goes on with the new one.
"""

from __future__ import annotations

import calendar
import gzip
import os
import time
from itertools import chain
from typing import IO, TYPE_CHECKING

import trio

from engine.containers.log_pieces import Batch, LogFiles, Piece
from engine.containers.log_watch import LogWatch
from engine.errors import InvalidRequestError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

    from engine.containers.log_pieces import LogFile
    from engine.containers.model import Container, LogRequest

#: Bytes of a rotated file read at once.
CHUNK = 1 << 17


def check_readable(container: Container, request: LogRequest) -> None:
    """Raises NotSupportedError for a container that keeps no log, InvalidRequestError."""
    if container.host_config.log_config.type == "none":
        raise NotSupportedError("configured logging driver does not support reading")
    if not (request.stdout or request.stderr):
        raise InvalidRequestError("Bad parameters: you must choose at least one stream")


async def read_log(
    path: str, request: LogRequest, readers: LogReaders, ended: Callable[[], bool]
) -> AsyncGenerator[Batch, None]:
    """Batches of entries, oldest first; with `follow` until the container has ended. To be closed."""
    choose = _window(request)
    with readers.watch.watch(os.path.dirname(path)) as change:
        file = _Followed(path, readers.files)
        try:
            for lines in await file.begin(request.tail):
                yield choose(Piece(lines, 0))
            while True:
                done = ended()
                for piece in file.grown():
                    yield choose(piece)
                if file.rotated():
                    continue
                late = request.until_ns is not None and time.time_ns() > request.until_ns
                if not request.follow or done or late:
                    return
                await change.wait()
        finally:
            file.close()


class LogReaders:
    """What the readers of all logs have in common."""

    def __init__(self) -> None:
        self.watch = LogWatch()
        self.files = LogFiles()


def _window(request: LogRequest) -> Callable[[Piece], Batch]:
    """From pieces to the entries that were asked for."""
    wanted = frozenset(name for name in ("stdout", "stderr") if getattr(request, name))
    since, until = _bound(request.since_ns), _bound(request.until_ns)

    def choose(piece: Piece) -> Batch:
        batch = piece.of(wanted)
        entries = batch.entries
        if not entries or (
            (since is None or entries[0].time >= since)
            and (until is None or entries[-1].time <= until)
        ):
            return batch
        return Batch(
            [
                entry
                for entry in entries
                if (since is None or entry.time >= since) and (until is None or entry.time <= until)
            ]
        )

    return choose


class _Followed:
    """One reader's place in the current file, through its rotations."""

    def __init__(self, path: str, files: LogFiles) -> None:
        self._path = path
        self._files = files
        self._file: LogFile | None = None
        self._place = 0

    async def begin(self, tail: int | None) -> Iterable[list[bytes]]:
        """What is there before our place in the current file: rotated files, or the last lines."""
        if tail is not None:
            stream, lines = await trio.to_thread.run_sync(last_lines, self._path, tail)
            self._take(stream)
            return [lines] if lines else []
        self._take(_open(self._path))
        older = await trio.to_thread.run_sync(_rotated, self._path)
        return chain.from_iterable(_whole_file(old) for old in reversed(older))

    def _take(self, stream: IO[bytes] | None) -> None:
        self._place = stream.tell() if stream else 0
        self._file = self._files.adopt(stream) if stream else None

    def grown(self) -> Iterator[Piece]:
        """Whole lines that have come."""
        while self._file is not None and (piece := self._file.piece(self._place)):
            self._place = piece.end
            yield piece

    def rotated(self) -> bool:
        """Go on with the new file if there is one."""
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            return False
        if self._file is not None:
            if self._file.key == (now.st_dev, now.st_ino) and now.st_size >= self._place:
                return False
            self._file.forget()  # cut off by somebody
        self.close()
        self._take(_open(self._path))
        return True

    def close(self) -> None:
        """Idempotent."""
        if self._file is not None:
            self._files.release(self._file)
            self._file = None


def last_lines(path: str, count: int) -> tuple[IO[bytes] | None, list[bytes]]:
    """The file, read to its end, and the last `count` entries' lines, also of rotated files."""
    stream = _open(path)
    lines = _tail_of(stream, count) if stream else []
    for old in _rotated(path):
        if len(lines) >= count:
            break
        older = [line for batch in _whole_file(old) for line in batch]
        lines = older[len(older) - (count - len(lines)) :] + lines
    return stream, lines


def _tail_of(stream: IO[bytes], count: int) -> list[bytes]:
    end = stream.seek(0, os.SEEK_END)
    position, data = end, b""
    while position > 0 and data.count(b"\n") <= count:
        step = min(CHUNK, position)
        position -= step
        stream.seek(position)
        data = stream.read(step) + data
    whole, newline, torn = data.rpartition(b"\n")
    stream.seek(end - len(torn))
    if not newline or count == 0:
        return []
    lines = whole.split(b"\n")
    if position > 0:
        lines = lines[1:]
    return lines[-count:]


def _rotated(path: str) -> list[str]:
    """The rotated files, the youngest first."""
    found = []
    number = 1
    while True:
        for suffix in ("", ".gz"):
            if os.path.exists(f"{path}.{number}{suffix}"):
                found.append(f"{path}.{number}{suffix}")
                break
        else:
            return found
        number += 1


def _whole_file(path: str) -> Iterator[list[bytes]]:
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as stream:
            rest = b""
            while chunk := stream.read(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                yield lines
    except FileNotFoundError:
        return


def _open(path: str) -> IO[bytes] | None:
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        return None


def _bound(moment_ns: int | None) -> str | None:
    """A time in the file's own notation, which sorts as text."""
    if moment_ns is None:
        return None
    seconds, nanoseconds = divmod(moment_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"


def parse_time(text: str, now_ns: int) -> int | None:
    """Docker's since/until: Unix seconds with a fraction, RFC 3339, or "10m" ago; "" and "0" are none.

    Raises InvalidRequestError.
    """
    if text in ("", "0"):
        return None
    seconds, _, fraction = text.partition(".")
    if seconds.lstrip("-").isdigit() and (not fraction or fraction.isdigit()):
        return int(seconds) * 1_000_000_000 + int((fraction or "0")[:9].ljust(9, "0"))
    units = {"s": 1, "m": 60, "h": 3600}
    if text[-1] in units and text[:-1].isdigit():
        return now_ns - int(text[:-1]) * units[text[-1]] * 1_000_000_000
    head, _, fraction = text.removesuffix("Z").partition(".")
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            whole = calendar.timegm(time.strptime(head, form))
        except ValueError:
            continue
        return whole * 1_000_000_000 + int((fraction or "0")[:9].ljust(9, "0"))
    raise InvalidRequestError(f"invalid time: {text!r}", hint="write Unix seconds or RFC 3339")
