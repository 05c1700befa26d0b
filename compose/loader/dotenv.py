"""The syntax of .env files, env_file and label_file. Pure.

`NAME=value`, `NAME: value`, `export NAME=value`, or `NAME` alone, which takes the value of the
environment if it has one. Double quotes know escapes and variables, single quotes neither; unquoted
values end at ` #`. Source: the Compose Specification, env_file format.
"""

from __future__ import annotations

from compose.loader.template import TemplateError, substitute

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    Lookup = Callable[[str], str | None]
    Warn = Callable[[str], None]

_BLANK = "\t\v\f\r \x85\xa0"
_ESCAPE = r"\\(?:[abcfnrtv$\"\\]|0\d{0,3})"
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "$": "$$"}  # fmt: skip


class DotenvError(ValueError):
    """The text is not in the format: in which line, and what is wrong there."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self._line, self._problem = line, problem

    def within(self, file: str) -> str:
        """`file:line: what is wrong`."""
        return f"{file}:{self._line}: {self._problem}"


def parse(
    text: str, lookup: Lookup, warn: Warn, known: dict[str, str] | None = None
) -> dict[str, str]:
    """The variables of the file, in order, over those `known` from files before.

    A value may name what `lookup` knows, and else what was set before it. Raises DotenvError.
    """
    found = dict(known or {})

    def value_of(name: str) -> str | None:
        value = lookup(name)
        return found.get(name) if value is None else value

    rest = _statement(text.removeprefix("\ufeff"))
    whole = len(rest) and text
    while rest:
        line = _line(whole or "", rest)
        name, rest, alone = _name(rest, line)
        if alone:
            value = lookup(name)
            if value is not None:
                found[name] = value
        else:
            try:
                found[name], rest = _value(rest, line, value_of, warn)
            except TemplateError as error:
                raise DotenvError(line, str(error)) from None
        rest = _statement(rest)
    return found


def parse_raw(text: str) -> dict[str, str]:
    """`format: raw`: every line is NAME=value, taken as it is."""
    found = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not name or any(char.isspace() for char in name.strip()):
            raise DotenvError(number, f"{line!r} is not NAME=value: write it so")
        if equals:
            found[name.strip()] = value
    return found


def _line(whole: str, rest: str) -> int:
    return whole.count("\n", 0, len(whole) - len(rest)) + 1


def _statement(text: str) -> str:
    """The text from its next statement on, past blanks and comments."""
    text = text.lstrip()
    while text.startswith("#"):
        text = text.partition("\n")[2].lstrip()
    return text


def _name(text: str, line: int) -> tuple[str, str, bool]:
    """The name, what follows its `=`, and whether it stands alone."""
    if text.startswith("export") and text[len("export") : len("export") + 1].isspace():
        text = text[len("export") :].lstrip(_BLANK)
    for index, char in enumerate(text):
        if char in "=:\n":
            name = text[:index].rstrip()
            if " " in name:
                raise DotenvError(line, f"the name {name!r} contains a space: remove it")
            return name, text[index + 1 :].lstrip(_BLANK), char == "\n"
        if (
            char not in _BLANK
            and char not in "_.-[]"
            and not char.isalpha()
            and not char.isnumeric()
        ):
            first = text.partition("\n")[0]
            problem = f"unexpected character {char!r} in the variable name {first!r}"
            raise DotenvError(line, f"{problem}: write NAME=value")
    return "", text, False  # a name alone at the very end: the reference makes it a value


def _value(text: str, line: int, lookup: Lookup, warn: Warn) -> tuple[str, str]:
    quote = text[:1]
    if quote not in {"'", '"'}:
        value, _, rest = text.partition("\n")
        return substitute(value.partition(" #")[0].rstrip(), lookup, warn), rest
    chars: list[str] = []
    index = 1
    while index < len(text) and text[index] != quote:
        step = 1
        if text[index] == "\\" and index + 1 < len(text):
            step = 2
        piece = text[index : index + step]
        chars.append(quote if piece == f"\\{quote}" else piece)
        index += step
    if index >= len(text):
        first = text.partition("\n")[0]
        raise DotenvError(line, f"unterminated quoted value {first}: close the quote")
    value = "".join(chars)
    if quote == '"':
        if "\\" in value:
            import re

            value = re.sub(_ESCAPE, _escape, value)
        value = substitute(value, lookup, warn)
    return value, text[index + 1 :]


def _escape(match: re.Match[str]) -> str:
    text = match[0]
    if text[1] == "0":
        import re

        octal = re.fullmatch("[0-3][0-7]{2}", text[2:])
        return chr(int(octal[0], 8)) if octal else text
    return _ESCAPES.get(text[1], text)
