"""Variables in one string: $NAME, ${NAME}, ${NAME:-default} and the other five operators. Pure.

A lone `$` stays; `$$` is a literal one; a default may nest further variables. What follows a variable
with an operator on the same line is part of the same match, as in the reference, which is why
`${A:-a}b}` ends at the first brace while `${A:-{"b":1}}` nests.
Source: the Compose Specification, interpolation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from compose.model.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Lookup = Callable[[str], str | None]
    Warn = Callable[[str], None]

_NAME = "[_a-zA-Z][_a-zA-Z0-9]*"
_VARIABLE = re.compile(
    rf"\$(?:(?P<dollar>\$)|(?P<name>{_NAME})|\{{(?:(?P<braced>{_NAME}(?::?[-+?].*)?)\}}|(?P<broken>)))"
)
_PARTS = re.compile(rf"({_NAME})(?:(:?[-+?])(.*))?")


class TemplateError(ValueError):
    """The string is no template, or a variable it requires is missing."""


def substitute(text: str, lookup: Lookup, warn: Warn) -> str:
    """The text with its variables replaced; `warn` is told the name of each one that is not set.

    Raises TemplateError.
    """
    if "$" not in text:
        return text
    return _VARIABLE.sub(lambda match: _replace(match, lookup, warn), text)


def _replace(match: re.Match[str], lookup: Lookup, warn: Warn) -> str:
    if match["dollar"]:
        return "$"
    if match["name"]:
        return _plain(match["name"], lookup, warn)
    if not match["braced"]:
        raise TemplateError(
            f"invalid interpolation format {match.string!r}: close the brace, or write a literal $ as $$"
        )
    inside, rest = _split(match[0])
    parts = _PARTS.fullmatch(inside)
    if parts is None:
        raise TemplateError(
            f"invalid interpolation format {match.string!r}: close the brace, or write a literal $ as $$"
        )
    name, operator, operand = parts.groups()
    if operator is None:
        return _plain(name, lookup, warn)
    word = substitute(operand, lookup, warn)
    return _operate(name, operator, word, lookup(name)) + substitute(rest, lookup, warn)


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


def _split(match: str) -> tuple[str, str]:
    """What is between the first braces that belong together, and what follows them.

    Counted as the reference counts: the character after an opening brace is not looked at.
    """
    depth = index = 0
    while index < len(match):
        if match[index] == "}":
            depth -= 1
            if depth == 0:
                return match[2:index], match[index + 1 :]
        elif match[index] == "{":
            depth += 1
            index += 1
        index += 1
    return match[2:-1], ""


class Variable(Record):
    """A variable that a template names, and how."""

    name: str
    default: str = ""
    alternate: str = ""
    required: bool = False


def variables(text: str) -> Iterator[Variable]:
    """The variables that a string names, nested ones too."""
    for match in _VARIABLE.finditer(text):
        if match["name"]:
            yield Variable(match["name"])
        if not match["braced"]:
            continue
        inside, rest = _split(match[0])
        yield from variables(rest)
        parts = _PARTS.match(inside)
        if parts is None:
            continue
        name, operator, operand = parts.groups()
        sign = operator[-1] if operator else ""
        yield Variable(
            name,
            default=operand if sign == "-" else "",
            alternate=operand if sign == "+" else "",
            required=sign == "?",
        )
        if operand and sign in "-+":
            yield from variables(operand)
