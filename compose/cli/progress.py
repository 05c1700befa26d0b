"""How reports of progress look: plain lines, JSON, nothing; or a live view (live.py) on a terminal."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from compose.operations.progress import Kind, Progress, Style

DRY_RUN = " DRY-RUN MODE - "


def choose_progress(mode: str, stream: TextIO, *, dry_run: bool) -> Progress:
    """The view for a mode: tty, plain, json or quiet."""
    if mode == "json":
        return JsonProgress(stream, dry_run=dry_run)
    if mode == "quiet":
        return QuietProgress(stream)
    if mode == "tty":
        from compose.cli.live import LiveProgress

        return LiveProgress(stream, dry_run=dry_run)
    return PlainProgress(stream, dry_run=dry_run)


class QuietProgress:
    """Warnings only."""

    style: Style = "quiet"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def report(
        self, subject: str, word: str, kind: Kind = "working", text: str = "", parent: str = ""
    ) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """A line."""
        print(f"warning: {text}", file=self._stream, flush=True)

    def line(self, text: str) -> None:
        """Nothing."""

    def quote(self, source: str, text: str) -> None:
        """As a line of the log: even a quiet command tells why it failed."""
        print(f"{source}  | {text}", file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing."""


class PlainProgress(QuietProgress):
    """A line a report, as docker compose writes them where there is no terminal."""

    style: Style = "plain"

    def __init__(self, stream: TextIO, *, dry_run: bool) -> None:
        super().__init__(stream)
        self._prefix = DRY_RUN if dry_run else ""
        self._amounts: dict[str, str] = {}  # subject -> the word that its amounts came with

    def report(
        self, subject: str, word: str, kind: Kind = "working", text: str = "", parent: str = ""
    ) -> None:
        """The line; of amounts that grow (a download's bar) only the first."""
        if kind == "working" and text.startswith("["):
            if self._amounts.get(subject) == word:
                return
            self._amounts[subject] = word
        said = text if kind == "warning" and text else ""
        ending = f"{word} {text}" if kind == "error" and text else word
        print(f"{self._prefix} {subject} {said} {ending}", file=self._stream, flush=True)

    def line(self, text: str) -> None:
        """As it is; standard output belongs to what the command is for, as in `run`."""
        print(text, file=self._stream, flush=True)


class JsonProgress(QuietProgress):
    """An object a line."""

    style: Style = "json"

    def __init__(self, stream: TextIO, *, dry_run: bool) -> None:
        super().__init__(stream)
        self._dry_run = dry_run

    def report(
        self, subject: str, word: str, kind: Kind = "working", text: str = "", parent: str = ""
    ) -> None:
        """The object."""
        amount = kind == "working" and text.startswith("[")
        document: dict[str, object] = {"id": subject, "status": kind.capitalize()}
        document |= {"parent_id": parent} if parent else {}
        self._write(
            document | ({"text": word, "details": text} if amount else {"text": text or word})
        )

    def quote(self, source: str, text: str) -> None:
        """The object."""
        self._write({"id": f"Container {source}", "status": "Log", "text": text})

    def warn(self, text: str) -> None:
        """The object."""
        self._write({"level": "warning", "message": text})

    def _write(self, document: dict[str, object]) -> None:
        if self._dry_run:
            document = {"dry-run": True, **document}
        print(json.dumps(document), file=self._stream, flush=True)
