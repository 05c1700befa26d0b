"""A container's output in Docker's json-file format, rotated by size.

A line is {"log":"text\\n","stream":"stdout","time":"RFC 3339 with nanoseconds"}; a line over 16 KiB
comes in parts, of which only the last ends in a newline (Docker's rule, which its readers know).
"""

from __future__ import annotations

import os
import time
from json.encoder import encode_basestring as quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.runtime.spec import LogTarget

#: Bytes of a line that go into one entry.
PART = 16384


def timestamp(now_ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds, as Docker writes it."""
    seconds, nanoseconds = divmod(now_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"


class LogWriter:
    """Appends entries; one write for all lines of a read."""

    def __init__(self, target: LogTarget) -> None:
        self._target = target
        self._fd = -1
        self._size = 0
        self._rest = {"stdout": b"", "stderr": b""}
        extra = ",".join(f"{quote(k)}:{quote(v)}" for k, v in target.attributes)
        self._attributes = f',"attrs":{{{extra}}}' if extra else ""
        if target.driver != "none":
            self._open()

    def write(self, stream: str, data: bytes) -> None:
        """Take what a read gave. Raises OSError (a full disk); the data of that read is then lost."""
        if self._fd < 0:
            return
        lines = (self._rest[stream] + data).split(b"\n")
        rest = lines.pop()
        parts: list[bytes] = []
        for line in lines:
            start = _cut(line, parts)
            parts.append(line[start:] + b"\n")
        self._rest[stream] = rest[_cut(rest, parts) :]
        if parts:
            self._append(stream, parts)

    def close(self) -> None:
        """Write what has no newline yet, and close."""
        if self._fd < 0:
            return
        for stream, rest in self._rest.items():
            if rest:
                self._append(stream, [rest])
        os.close(self._fd)
        self._fd = -1

    def _append(self, stream: str, parts: list[bytes]) -> None:
        tail = f'{self._attributes},"stream":"{stream}","time":"{timestamp(time.time_ns())}"}}\n'
        text = "".join(f'{{"log":{quote(part.decode("utf-8", "replace"))}{tail}' for part in parts)
        raw = text.encode("utf-8", "replace")
        view = memoryview(raw)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            os.ftruncate(self._fd, self._size)  # half an entry would spoil the next one
            raise
        self._size += len(raw)
        if 0 < self._target.max_size <= self._size:
            self._rotate()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self._target.path, flags, 0o640)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        path, count = self._target.path, self._target.max_files
        os.close(self._fd)
        if count <= 1:
            os.truncate(path, 0)
        else:
            for number in range(count - 1, 1, -1):
                for suffix in ("", ".gz"):
                    _move(f"{path}.{number - 1}{suffix}", f"{path}.{number}{suffix}")
            _move(path, f"{path}.1")
            if self._target.compress:
                _compress(f"{path}.1")
        self._open()


def _cut(line: bytes, parts: list[bytes]) -> int:
    """Append the full parts of a line; where what is left starts. No character is cut in two."""
    start = 0
    while len(line) - start > PART:
        end = start + PART
        while line[end] & 0xC0 == 0x80 and end > start + PART - 3:  # it has four bytes at most
            end -= 1
        parts.append(line[start:end])
        start = end
    return start


def _move(old: str, new: str) -> None:
    try:
        os.replace(old, new)
    except FileNotFoundError:
        pass  # fewer rotations than files allowed, so far


def _compress(path: str) -> None:
    import gzip

    with open(path, "rb") as plain, gzip.open(f"{path}.gz", "wb", 5) as packed:
        while chunk := plain.read(1 << 20):
            packed.write(chunk)
    os.unlink(path)
