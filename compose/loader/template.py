"""Variables in one string: $NAME, ${NAME}, ${NAME:-default} and the other five operators. Pure.

A lone `$` stays; `$$` is a literal one; a default may nest further variables. Braces are counted as the
reference counts them, which is why `${A:-a}b}` ends at the first one while `${A:-{"b":1}}` nests.
Source: the Compose Specification, interpolation.
"""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Lookup = Callable[[str], str | None]
    Warn = Callable[[str], None]

_BEGIN = frozenset("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NAME = _BEGIN | frozenset("0123456789")
_OPERATORS = (":-", ":+", ":?", "-", "+", "?")


class TemplateError(ValueError):
    """The string is no template, or a variable it requires is missing."""


def substitute(text: str, lookup: Lookup, warn: Warn) -> str:
    """The text with its variables replaced; `warn` is told the name of each one that is not set.

    Raises TemplateError.
    """
    if "$" not in text:
        return text
    done: list[str] = []
    position = 0
    for start, end in _matches(text):
        done += [text[position:start], _replace(text[start:end], text, lookup, warn)]
        position = end
    return "".join([*done, text[position:]])


def _matches(text: str) -> Iterator[tuple[int, int]]:
    """Where the variables and double dollars are; the length of what opens a brace in vain is two."""
    start = text.find("$")
    # The end of the line, and the last closing brace in it: an operator's word may reach that far.
    line = closing = -1
    while start >= 0:
        if start > line:
            line = text.find("\n", start)
            line = len(text) if line < 0 else line
            closing = text.rfind("}", start, line)
        end = _end(text, start, closing)
        if end > start + 1:
            yield start, end
        start = text.find("$", end)


def _end(text: str, start: int, closing: int) -> int:
    """The end of what begins with the dollar at `start`; the dollar's own if it is literal."""
    second = text[start + 1 : start + 2]
    if second == "$":
        return start + 2
    if second in _BEGIN:
        return _name_end(text, start + 1)
    if second != "{":
        return start + 1
    end = _name_end(text, start + 2)
    if end == start + 2:
        return end
    if text.startswith("}", end):
        return end + 1
    if closing < end or not text.startswith(_OPERATORS, end):
        return start + 2
    return _balanced(text, start, closing + 1)


def _balanced(text: str, start: int, end: int) -> int:
    """Behind the brace that closes the first one; `end` if none does before.

    Counted as the reference counts: the character after an opening brace is not looked at.
    """
    depth, at = 0, start
    while True:
        opening, closing = text.find("{", at, end), text.find("}", at, end)
        if closing < 0:
            return end
        if 0 <= opening < closing:
            depth += 1
            at = opening + 2
        else:
            depth -= 1
            at = closing + 1
            if depth == 0:
                return at


def _name_end(text: str, start: int) -> int:
    """The end of the name that begins there; `start` if there is none."""
    if text[start : start + 1] not in _BEGIN:
        return start
    for end in range(start + 1, len(text)):
        if text[end] not in _NAME:
            return end
    return len(text)


def _replace(match: str, whole: str, lookup: Lookup, warn: Warn) -> str:
    if match == "$$":
        return "$"
    if match[1] != "{":
        return _plain(match[1:], lookup, warn)
    if match == "${":
        raise TemplateError(
            f"invalid interpolation format {whole!r}: close the brace, or write a literal $ as $$"
        )
    name, operator, operand = _parts(match[2:-1])
    if not operator:
        return _plain(name, lookup, warn)
    return _operate(name, operator, substitute(operand, lookup, warn), lookup(name))


def _parts(inside: str) -> tuple[str, str, str]:
    """Name, operator and operand of what is between braces; "" where there is none."""
    end = _name_end(inside, 0)
    length = 2 if inside.startswith(":", end) else 1
    return inside[:end], inside[end : end + length], inside[end + length :]


def _plain(name: str, lookup: Lookup, warn: Warn) -> str:
    value = lookup(name)
    if value is None:
        warn(name)
        return ""
    return value


def _operate(name: str, operator: str, word: str, value: str | None) -> str:
    given = bool(value) if operator[0] == ":" else value is not None
    match operator[-1]:
        case "-":
            return value if given and value is not None else word
        case "+":
            return word if given else value or ""
        case _:
            if not given or value is None:
                reason = f": {word}" if word else ""
                raise TemplateError(
                    f"required variable {name} is missing a value{reason}: set {name}"
                )
            return value


class Variable(Record):
    """A variable that a template names, and how."""

    name: str
    default: str = ""
    alternate: str = ""
    required: bool = False


def strings(value: Any) -> Iterator[str]:
    """All strings of a tree, keys aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from strings(entry)


def variables(text: str) -> Iterator[Variable]:
    """The variables that a string names, nested ones too."""
    for start, end in _matches(text):
        match = text[start:end]
        if match in {"$$", "${"}:
            continue
        if match[1] != "{":
            yield Variable(match[1:])
            continue
        name, operator, operand = _parts(match[2:-1])
        sign = operator[-1:]
        yield Variable(
            name,
            default=operand if sign == "-" else "",
            alternate=operand if sign == "+" else "",
            required=sign == "?",
        )
        if operand and sign in "-+":
            yield from variables(operand)
