"""A container's output on its way to its log: lines and parts, to a file, a journal or a syslog.

A line over 16 KiB comes in parts, of which only the last ends in a newline (Docker's rule, which its
readers know). A journal or syslog gets the lines beside the file, from which they are read back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.processes.log_file import LogFile
from engine.processes.log_outlet import open_outlet

if TYPE_CHECKING:
    from engine.runtime.spec import LogTarget

#: Bytes of a line that go into one entry.
PART = 16384


class LogWriter:
    """Takes what was read, in any pieces. Raises OSError for a target that cannot be opened.

    If not `strict`, a journal or syslog may be away at first.
    """

    def __init__(self, target: LogTarget, *, strict: bool = True) -> None:
        self._rest = {"stdout": b"", "stderr": b""}
        self._file = LogFile(target) if target.path and target.driver != "none" else None
        self._outlet = open_outlet(target, strict=strict)

    def write(self, stream: str, data: bytes) -> None:
        """Take what a read gave. Raises OSError (a full disk); the data of that read is then lost."""
        if self._file is None and self._outlet is None:
            return
        data = self._rest[stream] + data
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        parts: list[bytes] = []
        if _has_long_line(data, end):
            for line in data[: end - 1].split(b"\n"):
                start = _cut(line, parts)
                parts.append(line[start:] + b"\n")
            end = 0
        self._rest[stream] = b""
        lines = data[:end]
        start = _cut(rest, parts)
        self._rest[stream] = rest[start:]
        self._hand_on(stream, lines, parts)

    def close(self) -> None:
        """Write what has no newline yet, and close. Raises OSError, but closes nevertheless."""
        try:
            for stream, rest in self._rest.items():
                if rest:
                    self._hand_on(stream, b"", [rest])
        finally:
            self._rest = {"stdout": b"", "stderr": b""}
            if self._file is not None:
                self._file.close()
            if self._outlet is not None:
                self._outlet.close()
            self._file = self._outlet = None

    def _hand_on(self, stream: str, lines: bytes, parts: list[bytes]) -> None:
        if self._outlet is not None:
            for line in lines.split(b"\n")[:-1]:
                self._outlet.send(stream, line + b"\n")
            for part in parts:
                self._outlet.send(stream, part)
        if self._file is not None and lines:
            self._file.append_lines(stream, lines)
        if self._file is not None and parts:
            self._file.append_parts(stream, parts)


def _has_long_line(data: bytes, end: int) -> bool:
    """Whether one of the lines up to `end` is over PART; looks at few of their bytes."""
    start = 0
    while end - start > PART:
        newline = data.rfind(b"\n", start, start + PART + 1)
        if newline < 0:
            return True
        start = newline + 1
    return False


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
