"""A container's log read back: json-file entries, the last n, a time window, and what still comes.

Rules: the file is read in pieces, never whole into memory; a reader that follows keeps its descriptor
through a rotation, finishes the old file, and goes on with the new one.
"""

from __future__ import annotations

import calendar
import gzip
import json
import os
import time
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import trio

from engine.errors import InvalidRequestError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

    from engine.containers.log_watch import LogWatch
    from engine.containers.model import Container, LogRequest

CHUNK = 1 << 18


class Entry(NamedTuple):
    """One entry: `text` ends in a newline unless more of the line follows."""

    stream: str
    time: str
    text: bytes
    attributes: str = ""


async def read_log(
    container: Container,
    path: str,
    request: LogRequest,
    watch: LogWatch,
    ended: Callable[[], bool],
) -> AsyncGenerator[list[Entry], None]:
    """Batches of entries, oldest first; with `follow` until the container has ended. To be closed.

    Raises NotSupportedError for a container that keeps no log.
    """
    if container.host_config.log_config.type == "none":
        raise NotSupportedError("configured logging driver does not support reading")
    if not (request.stdout or request.stderr):
        raise InvalidRequestError("Bad parameters: you must choose at least one stream")
    choose = _window(request)
    with watch.watch(os.path.dirname(path)) as change:
        file = _Followed(path)
        try:
            for lines in await trio.to_thread.run_sync(file.begin, request.tail):
                yield choose(lines)
            while True:
                done = ended()
                for lines in file.grown():
                    yield choose(lines)
                if file.rotated():
                    continue
                late = request.until_ns is not None and time.time_ns() > request.until_ns
                if not request.follow or done or late:
                    return
                await change.wait()
        finally:
            file.close()


def _window(request: LogRequest) -> Callable[[list[bytes]], list[Entry]]:
    """From lines to the entries that were asked for."""
    wanted = {name for name in ("stdout", "stderr") if getattr(request, name)}
    since, until = _bound(request.since_ns), _bound(request.until_ns)

    def choose(lines: list[bytes]) -> list[Entry]:
        entries = parse_all(lines)
        if len(wanted) == 2 and since is None and until is None:
            return entries
        return [
            entry
            for entry in entries
            if entry.stream in wanted
            and (since is None or entry.time >= since)
            and (until is None or entry.time <= until)
        ]

    return choose


class _Followed:
    """The current file, through its rotations."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stream: IO[bytes] | None = None
        self._rest = b""

    def begin(self, tail: int | None) -> Iterable[list[bytes]]:
        """What is there before the current file's position: rotated files, or the last lines."""
        if tail is not None:
            self._stream, lines = last_lines(self._path, tail)
            return [lines] if lines else []
        self._stream = _open(self._path)
        return chain.from_iterable(_whole_file(old) for old in reversed(_rotated(self._path)))

    def grown(self) -> Iterator[list[bytes]]:
        """Whole lines that have come."""
        while self._stream is not None and (chunk := self._stream.read(CHUNK)):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if lines:
                yield lines

    def rotated(self) -> bool:
        """Go on with the new file if there is one."""
        if not _was_rotated(self._stream, self._path):
            return False
        self.close()
        self._stream, self._rest = _open(self._path), b""
        return True

    def close(self) -> None:
        """Idempotent."""
        if self._stream is not None:
            self._stream.close()


def parse_all(lines: list[bytes]) -> list[Entry]:
    """The entries of whole lines; all at once, which is what makes it fast, where all are sound."""
    try:
        documents = json.loads(b"[%s]" % b",".join(filter(None, lines)))
        return [
            Entry(
                document["stream"],
                document["time"],
                document["log"].encode("utf-8", "surrogateescape"),  # as the writer has it
                _attributes(document["attrs"]) if "attrs" in document else "",
            )
            for document in documents
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [parse(line) for line in lines if line]


def parse(line: bytes) -> Entry:
    """One line of the file; a broken one (a torn write) is shown as it is."""
    try:
        document = json.loads(line)
        text = document["log"].encode("utf-8", "surrogateescape")
        attributes = _attributes(document.get("attrs", {}))
        return Entry(document["stream"], document["time"], text, attributes)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Entry("stderr", "0001-01-01T00:00:00Z", line + b"\n")


def _attributes(document: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in document.items())


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


def _was_rotated(stream: IO[bytes] | None, path: str) -> bool:
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return False
    if stream is None:
        return True
    ours = os.fstat(stream.fileno())
    return (ours.st_dev, ours.st_ino) != (now.st_dev, now.st_ino) or now.st_size < stream.tell()


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
