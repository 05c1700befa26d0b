"""Progress on a terminal: a tree that is redrawn in place.

Quick commands must not flicker, nor wait for rich to be imported: for the first moment nothing is drawn,
and what has ended by then is written once, as it is. One thread waits for that moment, and then redraws;
it belongs to the view, and ends with it.
"""

from __future__ import annotations

import os
import threading
import time

from compose.cli.progress_tree import Line, plain, rows, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import Console, RenderResult
    from rich.live import Live

    from compose.operations.progress import Kind, Style

#: For so long nothing is drawn, in seconds.
MOMENT = 0.25


class LiveProgress:
    """The live view; what has scrolled out of a small window is what was done first."""

    style: Style = "live"

    def __init__(self, stream: TextIO, *, dry_run: bool, moment: float = MOMENT) -> None:
        self._stream = stream
        self._dry_run = dry_run
        self._moment = moment
        self._lines: dict[str, Line] = {}
        self._live: Live | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()

    def report(
        self, subject: str, word: str, kind: Kind = "working", text: str = "", parent: str = ""
    ) -> None:
        """Change the subject's line."""
        with self._lock:
            if not self._lines:
                self._timer = threading.Timer(self._moment, self._begin)
                self._timer.daemon = True
                self._timer.start()
            now = time.monotonic()
            key = f"{parent}/{subject}" if parent else subject
            line = self._lines.get(key)
            if line is None:
                line = self._lines[key] = Line(subject, parent, now)
            line.tell(word, kind, text, now)

    def warn(self, text: str) -> None:
        """A line above the view."""
        self.line(f"warning: {text}")

    def line(self, text: str) -> None:
        """Above the view, as it is."""
        with self._lock:
            if self._live is not None:
                self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                print(text, file=self._stream, flush=True)

    def quote(self, source: str, text: str) -> None:
        """Above the view."""
        self.line(f"{source}  | {text}")

    def close(self) -> None:
        """Draw once more and leave it there."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            timer.join()
        if self._live is not None:
            self._live.refresh()
            self._live.stop()
            self._live = None
        elif self._lines:
            lines = list(self._lines.values())
            found = rows(lines, time.monotonic(), len(lines))
            head = title(lines, dry_run=self._dry_run)
            self._stream.write(f"{head}\n{plain(found, width_of(self._stream))}")
            self._stream.flush()
        self._lines = {}

    def _begin(self) -> None:
        from rich.console import Console
        from rich.live import Live

        with self._lock:
            if self._timer is None or not self._lines:
                return
            console = Console(file=self._stream, highlight=False)
            self._live = Live(self, console=console, refresh_per_second=10, transient=False)
            self._live.start()

    def __rich_console__(self, console: Console, options: object) -> RenderResult:
        from rich.text import Text

        lines = list(self._lines.values())
        yield Text(title(lines, dry_run=self._dry_run))
        for one in rows(lines, time.monotonic(), max(console.size.height - 3, 1)):
            text = Text()
            for words, colour in one.parts:
                text.append(words, style=colour or "default")
            room = max(console.size.width - len(one.took) - 2, 10)
            text.truncate(room, overflow="ellipsis", pad=True)
            text.append(f" {one.took}", style="blue")
            yield text


def width_of(stream: TextIO) -> int:
    """A terminal's width; 80 for what is none, or does not know."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
