"""A line that stays below all others on a terminal: taken away before text is written, drawn after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable

CLEAR_LINE = "\r\x1b[K"


class Footer:
    """A text stream over a terminal's. `line` gives what is to stand below, for a window's width."""

    def __init__(self, out: TextIO, line: Callable[[int], str], width: Callable[[], int]) -> None:
        self._out = out
        self._line = line
        self._width = width
        self._shown = False
        self._at_start = True
        self._closed = False

    @property
    def stream(self) -> TextIO:
        """The stream for who writes text; it has what a TextIO needs for that."""
        return cast("TextIO", self)

    def write(self, text: str) -> int:
        """Text above the footer, which is drawn again at the next flush."""
        if self._shown:
            self._out.write(CLEAR_LINE)
            self._shown = False
        self._out.write(text)
        self._at_start = text.endswith("\n")
        return len(text)

    def flush(self) -> None:
        """Let all be seen; the footer is drawn where a line has just ended."""
        if self._at_start and not self._shown and not self._closed:
            # A line as wide as the window would scroll it.
            self._out.write(self._line(max(self._width() - 1, 1)))
            self._shown = True
        self._out.flush()

    def redraw(self) -> None:
        """Draw it anew: it, or the window, has changed."""
        if self._shown:
            self._out.write(CLEAR_LINE)
            self._shown = False
        self.flush()

    def close(self) -> None:
        """Take it away for good."""
        if self._shown:
            self._out.write(CLEAR_LINE)
        self._shown, self._closed = False, True
        self._out.flush()

    def isatty(self) -> bool:
        """It is, or there would be no footer."""
        return self._out.isatty()
