"""Which containers' logs are read, and how a log's bytes become lines. Shared by logs, up and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from compose.logs.lines import LineSplitter
from compose.model import labels
from networking.wire.stdstream import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


class Source(NamedTuple):
    """A container to read from: its short name, its service, whether it has a terminal."""

    id: str
    name: str
    service: str
    tty: bool = False


class LogLines:
    """Bytes of a log or attachment -> lines; one splitter for each of its streams."""

    def __init__(self, *, tty: bool) -> None:
        self._decoder = None if tty else FrameDecoder()
        self._splitters = {stream: LineSplitter() for stream in (0, 1, 2)}

    def feed(self, data: bytes) -> Iterator[tuple[int, str]]:
        """The lines that end here, each with its stream: 1 output, 2 errors."""
        pieces = [(1, data)] if self._decoder is None else self._decoder.feed(data)
        for stream, payload in pieces:
            for line in self._splitters.get(stream, self._splitters[1]).feed(payload):
                yield stream, line

    def flush(self) -> Iterator[tuple[int, str]]:
        """Unfinished lines, at the end."""
        for stream, splitter in self._splitters.items():
            for line in splitter.flush():
                yield stream, line


class LogText:
    """Bytes of a log -> text of whole lines, both streams in one: for what is read back by the million.

    Where each frame is a whole line, as in a log of lines it is, all of a piece is decoded at once.
    """

    def __init__(self, *, tty: bool) -> None:
        self._decoder = None if tty else FrameDecoder()
        self._splitters = {stream: LineSplitter() for stream in (0, 1, 2)}
        self._is_whole = not tty  # no stream has an unfinished line

    def feed(self, data: bytes) -> str:
        """The lines that end here, each with its end."""
        if self._decoder is None:
            return _joined(self._splitters[1].feed(data))
        frames = self._decoder.feed(data)
        payloads = [payload for _, payload in frames]
        if self._is_whole and all([payload.endswith(b"\n") for payload in payloads]):  # noqa: C419  # a list is quicker
            text = b"".join(payloads).decode(errors="replace")
            return text.replace("\r\n", "\n") if "\r" in text else text
        lines: list[str] = []
        for stream, payload in frames:
            lines += self._splitters.get(stream, self._splitters[1]).feed(payload)
        self._is_whole = not any(splitter.pending for splitter in self._splitters.values())
        return _joined(lines)

    def flush(self) -> str:
        """Unfinished lines, at the end."""
        return _joined([line for one in self._splitters.values() for line in one.flush()])


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""


def short_name(name: str, own: Mapping[str, Any]) -> str:
    """A container's name without its project's, if it is the usual one."""
    project = own.get(labels.PROJECT, "")
    parts = (project, own.get(labels.SERVICE, ""), own.get(labels.NUMBER, ""))
    # "_" is what --compatibility writes; whoever reads the logs later need not say it again.
    usual = name in ("-".join(parts), "_".join(parts))
    return name[len(project) + 1 :] if usual else name
