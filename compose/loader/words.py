"""A command written as one string, split as the reference splits it. Pure.

Quotes and backslashes as in a shell; what follows an unquoted `;`, `&`, `|`, `<` or `>` is dropped,
since no shell runs it.
"""

from __future__ import annotations

_ENDS = frozenset(";&|<>")


def split(line: str) -> list[str]:
    """The words of a command line; ValueError if a quote or bracket is left open."""
    splitter = _Splitter()
    for char in line:
        if not splitter.take(char):
            break
    return splitter.words()


class _Splitter:
    """The words so far, and what is open."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._word = ""
        self._begun = self._escaped = False
        self._quote = ""  # one of ' " ` or "(" for $(

    def words(self) -> list[str]:
        if self._escaped or self._quote:
            raise ValueError(
                "a quote or bracket is not closed: close it, or write the command as a list"
            )
        return [*self._done, self._word] if self._begun else self._done

    def take(self, char: str) -> bool:
        """One character; False if the command ends before it."""
        if self._escaped:
            self._escaped = False
            return self._add(char)
        if char == "\\":
            if self._quote == "'":
                self._word += char
            else:
                self._escaped = True
            return True
        if char in " \t\r\n":
            return self._blank(char)
        if self._quote:
            return self._quoted(char)
        return self._bare(char)

    def _add(self, char: str) -> bool:
        self._word += char
        self._begun = True
        return True

    def _blank(self, char: str) -> bool:
        if self._quote:
            self._word += char
        elif self._begun:
            self._done.append(self._word)
            self._word, self._begun = "", False
        return True

    def _quoted(self, char: str) -> bool:
        closing = ")" if self._quote == "(" else self._quote
        if char != closing:
            return self._add(char)
        quote, self._quote = self._quote, ""
        if quote in {"'", '"'}:
            self._begun = True
            return True
        return self._add(char)

    def _bare(self, char: str) -> bool:
        if char in {"'", '"'}:
            self._quote = char
            return True
        if char == "(":
            if not self._word.endswith("$"):
                raise ValueError(
                    "a bracket outside quotes: quote it, or write the command as a list"
                )
            self._quote = char
        elif char == "`":
            self._quote = char
        elif char in _ENDS:
            if char == ">" and self._word[:1].isdigit():
                self._begun = False
            return False
        return self._add(char)
