"""A file of log entries in Docker's json-file format, rotated by size.

An entry is {"log":"text\\n","stream":"stdout","time":"RFC 3339 with nanoseconds"}. What is no UTF-8
is kept: such a byte becomes an escape \\udc80..\\udcff (PEP 383), which our reader turns back and
Docker's shows as U+FFFD.
"""

from __future__ import annotations

import os
import time
from json.encoder import encode_basestring as quote
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.runtime.spec import LogTarget

#: Stand for a newline while a whole batch is quoted at once: the first that the text has not. No
#: decoded text contains the last; but with it every character takes two bytes.
_MARKS = ("\x7f", "\ud800")


def timestamp(now_ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds, as Docker writes it."""
    seconds, nanoseconds = divmod(now_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"


class LogFile:
    """Appends entries; one write for all lines of a batch."""

    def __init__(self, target: LogTarget) -> None:
        self._target = target
        extra = ",".join(f"{quote(k)}:{quote(v)}" for k, v in target.attributes)
        self._attributes = f',"attrs":{{{extra}}}' if extra else ""
        self._compressing = 0
        self._open()

    def append_lines(self, stream: str, lines: bytes) -> None:
        """Whole lines, each an entry. Raises OSError (a full disk); none of them is then there."""
        text = lines.decode("utf-8", "surrogateescape")
        mark = next(mark for mark in _MARKS if mark not in text)
        tail, head = self._tail(stream), '{"log":"'
        entries = quote(text.replace("\n", mark))[1:-1].replace(mark, f'\\n"{tail}{head}')
        self._write(f"{head}{entries[: -len(head)]}")

    def append_parts(self, stream: str, parts: Sequence[bytes]) -> None:
        """Pieces of lines, each an entry. Raises OSError, as above."""
        tail = self._tail(stream)
        texts = (quote(part.decode("utf-8", "surrogateescape")) for part in parts)
        self._write("".join(f'{{"log":{text}{tail}' for text in texts))

    def close(self) -> None:
        """Close; a compression goes on by itself."""
        os.close(self._fd)

    def _tail(self, stream: str) -> str:
        now = timestamp(time.time_ns())
        return f',"stream":"{stream}"{self._attributes},"time":"{now}"}}\n'

    def _write(self, text: str) -> None:
        raw = text.encode("utf-8", "backslashreplace")
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
            self._end_compression()
            for number in range(count - 1, 1, -1):
                for suffix in ("", ".gz"):
                    _move(f"{path}.{number - 1}{suffix}", f"{path}.{number}{suffix}")
            _move(path, f"{path}.1")
            if self._target.compress:
                self._compressing = _compress(f"{path}.1")
        self._open()

    def _end_compression(self) -> None:
        if self._compressing:
            os.waitpid(self._compressing, 0)
            self._compressing = 0


def _move(old: str, new: str) -> None:
    try:
        os.replace(old, new)
    except FileNotFoundError:
        pass  # fewer rotations than files allowed, so far


def _compress(path: str) -> int:
    """Compress a file in a process of its own, which nobody waits for but the next rotation: its pid."""
    child = os.fork()
    if child:
        return child
    try:
        sc.set_name("pyc-compress")
        sc.close_range(0)
        import gzip

        with open(path, "rb") as plain, gzip.open(f"{path}.gz.tmp", "wb", 5) as packed:
            while chunk := plain.read(1 << 20):
                packed.write(chunk)
        os.replace(f"{path}.gz.tmp", f"{path}.gz")
        os.unlink(path)
    finally:
        os._exit(0)
