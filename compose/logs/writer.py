"""Many sources, one writer: lines with aligned, coloured prefixes.

All sources write through one writer, so a line is always whole. A source is a container; its colour
is its service's. Prefixes are as wide as the longest name that is known so far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.logs.palette import Palette

CLEAR_LINE = "\r\x1b[K"


class LogWriter:
    """Writes lines to `out`, or to `err` what is marked so. `colours`, `prefix` as the person asked.

    `services` are all of the project, so that each has the same colour whichever are written.
    """

    def __init__(
        self,
        out: TextIO,
        *,
        colours: bool,
        prefix: bool,
        err: TextIO | None = None,
        services: Iterable[str] = (),
    ) -> None:
        self._out = out
        self._err = err or out
        self._prefix = prefix
        self._palette: Palette | None = None
        if colours:
            from compose.logs.palette import Palette

            self._palette = Palette(services)
        self._services: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}

    def register(self, source: str, service: str) -> None:
        """Make a source known; all prefixes are made anew, as wide as the widest."""
        if source in self._services:
            return
        self._services[source] = service
        if self._palette is not None:
            self._palette.colour(service)
        if not self._prefix:
            return
        width = max(map(len, self._services)) + 1
        for name in self._services:
            self._prefixes[name] = self._coloured(name, f"{name:<{width}} | ")

    def _coloured(self, source: str, text: str) -> str:
        if self._palette is None:
            return text
        from compose.logs.palette import RESET

        return f"{self._palette.colour(self._services[source])}{text}{RESET}"

    def prefix(self, source: str) -> str:
        """What stands before each line of a source."""
        return self._prefixes.get(source, "")

    def line(self, source: str, text: str, *, is_error: bool = False) -> None:
        """One line of a source."""
        out = self._err if is_error else self._out
        out.write(f"{self._prefixes.get(source, '')}{text}\n")

    def block(self, text: str) -> None:
        """Whole lines that have their prefixes already."""
        self._out.write(text)

    def status(self, source: str, text: str) -> None:
        """What became of a source: "web-1 exited with code 0"."""
        start = CLEAR_LINE if self._palette is not None else ""
        self._out.write(self._coloured(source, f"{start}{source} {text}\n"))
        self.flush()

    def flush(self) -> None:
        """Let it be seen now."""
        self._out.flush()
        if self._err is not self._out:
            self._err.flush()
