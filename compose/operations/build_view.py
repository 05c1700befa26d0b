"""How a command's builds are shown: every line, a redrawn line a step, or nothing; one log for all of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from compose.errors import ComposeError
from compose.operations.build_output import BuildLog, Follower, LiveFollower, PlainFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from compose.operations.progress import Kind
    from compose.operations.session import Session

#: Columns of a step's title in a live view.
TITLE_WIDTH = 60


class BuildView:
    """All builds of one command. `several` run at once: each line says whose it is."""

    def __init__(self, session: Session, *, quiet: bool = False, several: bool = False) -> None:
        self._session = session
        self._quiet = quiet
        self._several = several
        self._log = BuildLog(session.progress.line)

    @contextmanager
    def of(self, subject: str) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """While inside, what it gives is called with each of the builder's messages."""
        follower, progress, rest = self._follower(subject), self._session.progress, ""
        prefix = f"{subject} | " if self._several else ""  # another engine's lines

        def tell(message: Mapping[str, Any]) -> None:
            nonlocal rest
            if message.get("id") == "pycompose.build":
                follower.feed(message["aux"])
            elif message.get("stream") and not self._quiet:
                *lines, rest = (rest + message["stream"]).split("\n")
                for line in lines:
                    progress.line(prefix + line)

        try:
            yield tell
        except ComposeError:
            self._show(follower.failure, failed=True)
            raise
        finally:
            for warning in follower.warnings if not self._quiet else ():
                self._show(warning)
            if rest:
                progress.line(prefix + rest)

    def _follower(self, subject: str) -> Follower:
        """How this build is shown."""
        progress, several = self._session.progress, self._several
        if self._quiet or progress.style == "quiet":
            return Follower(subject, several=several)
        if progress.style == "plain":
            return PlainFollower(subject, self._log, several=several)

        def report(title: str, word: str, kind: Kind, text: str) -> None:
            progress.report(title[:TITLE_WIDTH], word, kind, text)

        return LiveFollower(subject, report, several=several)

    def _show(self, lines: Sequence[str], *, failed: bool = False) -> None:
        """Lines that stay on the screen; of a failure also where all else is quiet."""
        if failed and (self._quiet or self._session.progress.style == "quiet"):
            self._session.err.writelines(f"{line}\n" for line in lines)
        elif lines:
            self._log.block(["", *lines] if self._session.progress.style == "plain" else lines)
