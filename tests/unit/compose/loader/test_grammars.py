"""What is read by hand, since importing `re` takes longer, reads as its regular expression would."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from compose.loader.scalars import _is_float
from compose.loader.template import TemplateError, _operate, _plain, substitute
from compose.loader.units import _UNITS, parse_duration, parse_size
from compose.loader.validate import _MATCHERS

NAME = "[_a-zA-Z][_a-zA-Z0-9]*"
VARIABLE = re.compile(
    rf"\$(?:(?P<dollar>\$)|(?P<name>{NAME})|\{{(?:(?P<braced>{NAME}(?::?[-+?].*)?)\}}|(?P<broken>)))"
)
PARTS = re.compile(rf"({NAME})(?:(:?[-+?])(.*))?")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
DURATION = re.compile(rf"[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:{'|'.join(_UNITS)}))+)")
SIZE = re.compile(r"([0-9.eE+-]*[0-9.]) ?(b|[kmgtp](?:i?b)?)?", re.IGNORECASE)


KNOWN = {"a": "A", "Z": "", "_": "$a"}


def by_expression(text: str) -> str:
    """The text with its variables replaced, as the reference does it: one expression, then counting."""

    def replaced(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        if match["name"]:
            return _plain(match["name"], KNOWN.get, lambda _name: None)
        if not match["braced"]:
            raise TemplateError
        inside, rest = counted(match[0])
        parts = PARTS.fullmatch(inside)
        assert parts is not None
        name, operator, operand = parts.groups()
        if operator is None:
            return _plain(name, KNOWN.get, lambda _name: None)
        word = by_expression(operand)
        return _operate(name, operator, word, KNOWN.get(name)) + by_expression(rest)

    return VARIABLE.sub(replaced, text)


def counted(match: str) -> tuple[str, str]:
    """What is between the braces that belong together, and what follows."""
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


@settings(max_examples=500)
@given(
    st.lists(
        st.sampled_from(
            (
                "a",
                "Z",
                "_",
                "1",
                "$",
                "${",
                "${a",
                "${b:-",
                "{",
                "}",
                "}",
                ":",
                "-",
                "+",
                "?",
                "\n",
                " ",
                "é",
            )
        ),
        max_size=16,
    ).map("".join)
)
@example("${a:-x}\n}")
@example("${b-${b}}}$a")
@example("$${a}$1${1}${a}")
@example("${b:-x} ${b:-{}} ${Z+y}")
def test_variables(text: str) -> None:
    try:
        expected = by_expression(text)
    except TemplateError:
        expected = None
    try:
        found = substitute(text, KNOWN.get, lambda _name: None)
    except TemplateError:
        found = None
    assert found == expected


def test_long_lines_take_a_time_that_grows_with_them() -> None:
    assert substitute("${b:-x}" * 50_000, KNOWN.get, lambda _name: None) == "x" * 50_000
    with pytest.raises(TemplateError):
        substitute("${b:-x " * 50_000 + "}", KNOWN.get, lambda _name: None)


@given(st.text(alphabet="+-.eE019é٣ _", max_size=8))
def test_floats(text: str) -> None:
    assert _is_float(text) == bool(FLOAT.fullmatch(text))


@given(st.text(alphabet="+-.0189nuµmshdw x٣", max_size=8))
@example("1h30m")
@example("1.5s")
def test_durations(text: str) -> None:
    try:
        parse_duration(text)
    except ValueError:
        assert not DURATION.fullmatch(text)
    else:
        assert DURATION.fullmatch(text)


@given(st.text(alphabet="+-.eE_0189 kKmMbBiIx٣", max_size=7))
@example("1.5 GiB")
def test_sizes(text: str) -> None:
    found = SIZE.fullmatch(text)
    try:
        number = float(found[1]) if found else -1.0
    except ValueError:
        number = -1.0
    try:
        parse_size(text)
    except ValueError:
        assert number < 0
    else:
        assert number >= 0


@given(st.text(alphabet="x-a.9_\n é", max_size=5))
@example("")
@example("\n")
@example("a\n")
def test_patterns_of_the_schema(text: str) -> None:
    for pattern, matches in _MATCHERS.items():
        assert matches(text) == bool(re.search(pattern, text)), pattern
