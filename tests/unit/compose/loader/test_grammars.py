"""What is read by hand, since importing `re` takes longer, reads as its regular expression would."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from compose.loader.scalars import _is_float
from compose.loader.template import _matches
from compose.loader.units import _UNITS, parse_duration, parse_size
from compose.loader.validate import _MATCHERS

NAME = "[_a-zA-Z][_a-zA-Z0-9]*"
VARIABLE = re.compile(rf"\$(?:\$|{NAME}|\{{(?:{NAME}(?::?[-+?].*)?\}}|))")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
DURATION = re.compile(rf"[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:{'|'.join(_UNITS)}))+)")
SIZE = re.compile(r"([0-9.eE+-]*[0-9.]) ?(b|[kmgtp](?:i?b)?)?", re.IGNORECASE)


@given(st.text(alphabet="aZ_1${}:-+?\n é", max_size=30))
@example("${a:-x}\n}")
@example("${a-${b}}}")
@example("$${a}$1${1}${a}")
def test_variables(text: str) -> None:
    assert [*_matches(text)] == [match.span() for match in VARIABLE.finditer(text)]


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
