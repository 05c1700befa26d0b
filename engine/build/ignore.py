"""`.dockerignore`: which paths of a context stay out. Pure.

Rules: patterns apply in order, the last that matches decides; "!" takes back; a pattern that matches
a folder matches all below it. Source: https://docs.docker.com/build/concepts/context/#dockerignore-files.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: the expression for a whole path, and whether it takes back ("!")."""

    regex: re.Pattern[str]
    exception: bool


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """All lines of a file."""

    patterns: tuple[Pattern, ...] = ()

    @property
    def has_exceptions(self) -> bool:
        """Whether something below an ignored folder may still be wanted."""
        return any(pattern.exception for pattern in self.patterns)

    def ignores(self, path: str) -> bool:
        """Whether a path ("a/b", relative to the context) stays out."""
        parts = path.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        ignored = False
        for pattern in self.patterns:
            if pattern.exception != ignored:
                continue  # it could not change the answer
            if any(pattern.regex.fullmatch(name) for name in above):
                ignored = not pattern.exception
        return ignored


def parse_ignore(text: str) -> IgnoreRules:
    """The rules of a .dockerignore. Raises InvalidRequestError for a pattern that cannot be read."""
    return IgnoreRules(tuple(_patterns(text)))


def rules_of(patterns: Iterable[str]) -> IgnoreRules:
    """Rules from single patterns (COPY --exclude)."""
    return parse_ignore("\n".join(patterns))


def clean_lines(text: str) -> list[tuple[int, str, bool]]:
    """The patterns of a .dockerignore as they are compared: number of the line, pattern, whether "!".

    Raises InvalidRequestError.
    """
    found = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if line.startswith("#"):
            continue
        wanted = line.strip()
        exception = wanted.startswith("!")
        if exception:
            wanted = wanted[1:].strip()
        if not wanted:
            if exception:
                raise InvalidRequestError(f".dockerignore:{number}: a pattern is missing after !")
            continue
        if clean := posixpath.normpath(wanted).lstrip("/"):
            found.append((number, clean, exception))
    return found


def _patterns(text: str) -> Iterable[Pattern]:
    for number, clean, exception in clean_lines(text):
        try:
            yield Pattern(re.compile(to_regex(clean), re.DOTALL), exception)
        except (re.error, ValueError) as error:
            raise InvalidRequestError(
                f".dockerignore:{number}: {clean} is no pattern: {error}"
            ) from error


def to_regex(pattern: str) -> str:
    """A path pattern as an expression: * ? [..] within a name, ** across folders."""
    out, position = [], 0
    while position < len(pattern):
        char = pattern[position]
        if pattern.startswith("**", position):
            position += 2
            if pattern.startswith("/", position):
                position += 1
                out.append("(?:.*/)?")
            else:
                out.append(".*")
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[":
            piece, position = _class(pattern, position)
            out.append(piece)
            continue
        elif char == "\\":
            position += 1
            if position == len(pattern):
                raise ValueError("a backslash stands at its end")
            out.append(re.escape(pattern[position]))
        else:
            out.append(re.escape(char))
        position += 1
    return "".join(out)


def _class(pattern: str, position: int) -> tuple[str, int]:
    """A character class `[^a-z]`; a backslash takes a character's meaning off."""
    position += 1
    negated = pattern.startswith("^", position)
    position += negated
    items: list[str] = []
    while not pattern.startswith("]", position) or not items:
        low, position = _class_char(pattern, position)
        high = low
        if pattern.startswith("-", position) and not pattern.startswith("-]", position):
            high, position = _class_char(pattern, position + 1)
        if low > high:
            raise ValueError(f"the range {low}-{high} is the wrong way round")
        items.append(re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}")
    return f"(?!/)[{'^' if negated else ''}{''.join(items)}]", position + 1


def _class_char(pattern: str, position: int) -> tuple[str, int]:
    if pattern.startswith("\\", position):
        position += 1
    if position >= len(pattern):
        raise ValueError("a [ is not closed")
    return pattern[position], position + 1
