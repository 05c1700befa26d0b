""".dockerignore: which paths of a build context stay behind. Pure.

Source: https://docs.docker.com/build/concepts/context/#dockerignore-files. The last pattern that
matches a path, or a folder above it, decides; "!" takes back in.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ignore:
    """A compiled .dockerignore."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._rules: list[tuple[re.Pattern[str], bool]] = []
        self._texts: list[str] = []
        for text, negated in parse(lines):
            self._rules.append((to_regex(text), negated))
            if negated:
                self._texts.append(text)

    def excludes(self, path: str) -> bool:
        """Whether a file or folder (slashes, relative) stays behind."""
        excluded = False
        parents = path.split("/")
        prefixes = ["/".join(parents[: end + 1]) for end in range(len(parents))]
        for pattern, negated in self._rules:
            if negated != excluded:
                continue  # it would change nothing
            if any(pattern.fullmatch(prefix) for prefix in prefixes):
                excluded = not negated
        return excluded

    def may_include_below(self, folder: str) -> bool:
        """Whether something in an excluded folder could be taken back in."""
        for text in self._texts:
            fixed = re.split(r"[*?\[]", text, maxsplit=1)[0]
            if fixed != text and (fixed == "" or folder.startswith(fixed.rstrip("/"))):
                return True
            if text.startswith(folder + "/") or fixed.startswith(folder + "/"):
                return True
        return False


def parse(lines: Sequence[str]) -> list[tuple[str, bool]]:
    """(pattern, negated): comments and blanks dropped, paths made plain."""
    found: list[tuple[str, bool]] = []
    for number, raw in enumerate(lines):
        line = raw.removeprefix("\ufeff") if number == 0 else raw
        if line.startswith("#"):
            continue
        line = line.strip()
        negated = line.startswith("!")
        if negated:
            line = line[1:].strip()
        if not line:
            continue
        text = posixpath.normpath(line).lstrip("/")
        if text not in ("", "."):
            found.append((text, negated))
    return found


def to_regex(text: str) -> re.Pattern[str]:
    """A pattern of Go's filepath.Match, and **, as a regular expression."""
    out: list[str] = []
    at = 0
    while at < len(text):
        if text.startswith("**", at):
            at += 2
            if text.startswith("/", at):
                at += 1
                out.append("(?:.*/)?")
            else:
                out.append(".*")
        elif text[at] == "*":
            at += 1
            out.append("[^/]*")
        elif text[at] == "?":
            at += 1
            out.append("[^/]")
        elif text[at] == "[" and "]" in text[at + 2 :]:
            end = text.index("]", at + 2)
            inner = text[at + 1 : end].replace("\\", "\\\\")
            out.append(f"[{inner}]")
            at = end + 1
        elif text[at] == "\\" and at + 1 < len(text):
            out.append(re.escape(text[at + 1]))
            at += 2
        else:
            out.append(re.escape(text[at]))
            at += 1
    return re.compile("".join(out), re.DOTALL)
