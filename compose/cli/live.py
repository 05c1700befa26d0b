"""Progress on a terminal: a line a subject, redrawn in place. rich is imported when it first draws."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderResult
    from rich.live import Live

    from compose.operations.progress import Kind, Style

MARKS = {
    "working": ("⠿", "cyan"),
    "done": ("✔", "green"),
    "warning": ("!", "yellow"),
    "error": ("✘", "red"),
}


class Line:
    """What is known of one subject."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.word = ""
        self.text = ""
        self.kind: Kind = "working"
        self.begun = time.monotonic()
        self.ended: float | None = None


class LiveProgress:
    """The live view; what has scrolled out of a small window is what was done first."""

    style: Style = "live"

    def __init__(self, stream: TextIO, *, dry_run: bool) -> None:
        self._stream = stream
        self._dry_run = dry_run
        self._lines: dict[str, Line] = {}
        self._live: Live | None = None

    def report(self, subject: str, word: str, kind: Kind = "working", text: str = "") -> None:
        """Change the subject's line."""
        if self._live is None:
            self._begin()
        line = self._lines.get(subject)
        if line is None:
            line = self._lines[subject] = Line(subject)
        elif kind == "working" and line.ended is not None:
            line.ended = None
        line.word, line.kind, line.text = word, kind, text
        if kind != "working":
            line.ended = time.monotonic()

    def warn(self, text: str) -> None:
        """A line above the view."""
        if self._live is not None:
            self._live.console.print(f"warning: {text}", markup=False, highlight=False)
        else:
            print(f"warning: {text}", file=self._stream, flush=True)

    def line(self, text: str) -> None:
        """Above the view, as it is."""
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)

    def quote(self, source: str, text: str) -> None:
        """Above the view."""
        if self._live is not None:
            line = f"{source}  | {text}"
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(f"{source}  | {text}", file=self._stream, flush=True)

    def close(self) -> None:
        """Draw once more and leave it there."""
        if self._live is not None:
            self._live.refresh()
            self._live.stop()
            self._live = None
        self._lines = {}

    def _begin(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, highlight=False)
        # Its thread only redraws, ten times a second, so that a long wait is seen to go on.
        self._live = Live(self, console=console, refresh_per_second=10, transient=False)
        self._live.start()

    def __rich_console__(self, console: Console, options: object) -> RenderResult:
        from rich.text import Text

        lines = list(self._lines.values())
        done = sum(line.kind != "working" for line in lines)
        mark = "DRY-RUN MODE - " if self._dry_run else ""
        yield Text(f"[+] {mark}Running {done}/{len(lines)}")
        room = max(console.size.height - 3, 1)
        if len(lines) > room:
            lines = sorted(lines, key=lambda line: line.kind != "working")[:room]
        left = max((len(line.subject) for line in lines), default=0)
        now = time.monotonic()
        for line in lines:
            mark, colour = MARKS[line.kind]
            text = Text(f" {mark} ", style=colour)
            text.append(f"{line.subject:<{left}}  ", style="default")
            shown = f"{line.word} {line.text}" if line.text else line.word
            text.append(shown.replace("\n", " "), style=colour)
            took = f" {(line.ended or now) - line.begun:.1f}s"
            text.truncate(max(console.size.width - len(took) - 1, 10), overflow="ellipsis")
            text.append(" " * max(console.size.width - len(text) - len(took) - 1, 0))
            text.append(took, style="blue")
            yield text
