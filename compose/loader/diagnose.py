"""All that is wrong with a project, not the first thing alone. Imported only when something is.

After a fault the load begins again without what was written there, until nothing more is found. What
is wrong only because of that is not told: a network that was taken out is not undefined.
"""

from __future__ import annotations

import time

from compose.errors import ComposeError, ProjectError
from compose.loader.assemble import LocatedError, line_of
from compose.loader.files import FaultyFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from compose.loader.tree import FaultError

    Path = tuple[str | int, ...]

#: How many errors are worth reading, and how long a person waits for the next, in seconds.
_ENOUGH, _PATIENCE = 50, 2.0


def every_error(first: ProjectError, again: Callable[[], Any]) -> ProjectError:
    """The first error and those that `again`, a load of the same files, finds after it."""
    until = time.monotonic() + _PATIENCE
    diagnosis = _Diagnosis()
    error: ProjectError | None = first
    while error is not None:
        if not diagnosis.take(error):
            break
        if len(diagnosis.lines) >= _ENOUGH or time.monotonic() > until:
            break
        try:
            again()
            error = None
        except ProjectError as another:
            error = another
        except (ComposeError, RecursionError):
            break
    lines = diagnosis.ordered()
    if len(lines) > _ENOUGH:
        lines[_ENOUGH:] = [f"and {len(lines) - _ENOUGH} more: correct these first"]
    return ProjectError("\n".join(lines))


class _Diagnosis:
    """The lines so far, and the paths that were taken out."""

    def __init__(self) -> None:
        self.lines: dict[str, tuple[str, int, int]] = {}
        self._gone: list[Path] = []

    def ordered(self) -> list[str]:
        """The lines in the order of their files' first errors, then of their places."""
        files = list(dict.fromkeys(file for file, _, _ in self.lines.values()))
        places = {
            line: (files.index(file), row, column)
            for line, (file, row, column) in self.lines.items()
        }
        return sorted(self.lines, key=places.__getitem__)

    def take(self, error: ProjectError) -> bool:
        """Note an error, and take its cause out of the files; False if the load cannot go on."""
        if isinstance(error, FaultyFileError):
            for line in str(error).split("\n"):
                self._note(line, *_place(line))
            return True
        if not isinstance(error, LocatedError):
            self._note(str(error), "", 0, 0)
            return False
        gone = list(self._gone)
        pruned = False
        for fault, place in error.places:
            if not self._follows(fault, gone):
                at = (place.document.file, place.line, place.column) if place else ("", 0, 0)
                self._note(line_of(fault, place), *at)
            self._gone += {fault.path, fault.meant}
            # Entries of one list: the later ones first, or their indexes would move.
        for _fault, place in sorted(
            error.places, key=lambda one: _last_index(one[1].path if one[1] else ()), reverse=True
        ):
            if place is not None and place.document.prune(place.path):
                pruned = True
        return pruned

    def _note(self, line: str, file: str, row: int, column: int) -> None:
        self.lines.setdefault(line, (file, row, column))

    @staticmethod
    def _follows(fault: FaultError, gone: list[Path]) -> bool:
        """Whether the fault is that something is missing which was taken out."""
        return any(
            path[: len(other)] == other or other[: len(path)] == path
            for path in fault.missing
            for other in gone
        )


def _last_index(path: Path) -> int:
    return path[-1] if path and isinstance(path[-1], int) else -1


def _place(line: str) -> tuple[str, int, int]:
    file, row, column, _rest = line.split(":", 3)
    return file, int(row), int(column)
