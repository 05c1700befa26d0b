"""Bytes in any pieces -> lines. One splitter a stream, so that stdout and stderr do not mix within a line."""

from __future__ import annotations


class LineSplitter:
    """Whole lines without their ends; what is left at the end of the stream is a line too."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> bool:
        """Whether there is an unfinished line."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """The lines that end in this piece."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.removesuffix(b"\r").decode(errors="replace") for line in lines]

    def flush(self) -> list[str]:
        """The unfinished line, if any."""
        rest, self._rest = self._rest, b""
        return [rest.decode(errors="replace")] if rest else []
