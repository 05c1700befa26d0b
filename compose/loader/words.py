"""A command written as one string, split as the reference splits it. Pure.

Quotes and backslashes as in a shell; what follows an unquoted `;`, `&`, `|`, `<` or `>` is dropped,
since no shell runs it.
"""

from __future__ import annotations


def split(line: str) -> list[str]:
    """The words of a command line; ValueError if a quote or bracket is left open."""
    splitter = _Splitter()
    for char in line:
        if not splitter.take(char):
            break
    return splitter.words()


class _Splitter:
    """The words so far, and what is open: quotes nest in each other only where the reference lets them."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._word = ""
        self._begun = self._escaped = False
        self._single = self._double = self._back = self._bracket = False

    def words(self) -> list[str]:
        """All the words; ValueError if something is still open."""
        if self._escaped or self._is_open():
            raise ValueError(
                "a quote or bracket is not closed: close it, or write the command as a list"
            )
        return [*self._done, self._word] if self._begun else self._done

    def _is_open(self) -> bool:
        return self._single or self._double or self._back or self._bracket

    def take(self, char: str) -> bool:
        """One character; False if the command ends before it."""
        if self._escaped:
            self._escaped = False
            return self._add(char)
        if char == "\\":
            if self._single:
                self._word += char
            else:
                self._escaped = True
            return True
        if char in " \t\r\n":
            return self._blank(char)
        special = _SPECIAL.get(char)
        return self._add(char) if special is None else special(self, char)

    def _add(self, char: str) -> bool:
        self._word += char
        self._begun = True
        return True

    def _blank(self, char: str) -> bool:
        if self._is_open():
            self._word += char
        elif self._begun:
            self._done.append(self._word)
            self._word, self._begun = "", False
        return True

    def backtick(self, char: str) -> bool:
        if not (self._single or self._double or self._bracket):
            self._back = not self._back
        return self._add(char)

    def closing(self, char: str) -> bool:
        # One that closes nothing opens: the reference counts so.
        if not (self._single or self._double or self._back):
            self._bracket = not self._bracket
        return self._add(char)

    def opening(self, char: str) -> bool:
        if self._single or self._double or self._back:
            return self._add(char)
        if self._bracket or not self._word.endswith("$"):
            raise ValueError("a bracket outside quotes: quote it, or write the command as a list")
        self._bracket = True
        return self._add(char)

    def double_quote(self, char: str) -> bool:
        if self._single or self._bracket:
            return self._add(char)
        self._begun = self._begun or self._double
        self._double = not self._double
        return True

    def single_quote(self, char: str) -> bool:
        if self._double or self._bracket:
            return self._add(char)
        self._begun = self._begun or self._single
        self._single = not self._single
        return True

    def end(self, char: str) -> bool:
        if self._is_open():
            return self._add(char)
        if char == ">" and self._word[:1].isdigit():
            self._begun = False
        return False


_SPECIAL = {
    "`": _Splitter.backtick, ")": _Splitter.closing, "(": _Splitter.opening, '"': _Splitter.double_quote,
    "'": _Splitter.single_quote, **dict.fromkeys(";&|<>", _Splitter.end),
}  # fmt: skip
