"""Variables in strings."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.loader.template import TemplateError, Variable, substitute, variables

VALUES = {"SET": "value", "EMPTY": ""}


def replaced(text: str) -> tuple[str, list[str]]:
    unset: list[str] = []
    return substitute(text, VALUES.get, unset.append), unset


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$SET ${SET}", "value value"),
        ("${SET:-d} ${EMPTY:-d} ${NOPE:-d}", "value d d"),
        ("${SET-d} ${EMPTY-d} ${NOPE-d}", "value  d"),
        ("${SET:+d} ${EMPTY:+d} ${NOPE:+d}", "d  "),
        ("${SET+d} ${EMPTY+d} ${NOPE+d}", "d d "),
        ("${SET:?no} ${EMPTY?no}", "value "),
        ("${NOPE:-${ALSO:-deep $SET}} $SET", "deep value value"),
        ('${NOPE:-{"a":1}}', '{"a":1}'),
        ("${NOPE:-a}b}", "ab}"),
        ("a $ b $1 $. $", "a $ b $1 $. $"),
        ("$$SET $${SET}", "$SET ${SET}"),
    ],
)
def test_operators(text: str, result: str) -> None:
    assert replaced(text)[0] == result


def test_an_unset_variable_is_blank_and_told_once_per_occurrence() -> None:
    assert replaced("[$NOPE ${NOPE}]") == ("[ ]", ["NOPE", "NOPE"])


@pytest.mark.parametrize("text", ["${", "${1x}", "${FOO!}", "${}", "${A:-${}}", "${A b}"])
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match=r"\$\$"):
        replaced(text)


@pytest.mark.parametrize("text", ["${NOPE?why}", "${NOPE:?why}", "${EMPTY:?why}"])
def test_a_required_variable_says_why(text: str) -> None:
    with pytest.raises(TemplateError, match="missing a value: why"):
        replaced(text)


@given(st.text())
def test_doubling_dollars_keeps_any_text(text: str) -> None:
    assert replaced(text.replace("$", "$$")) == (text, [])


@given(st.text(alphabet="abAB_${}:-+?!1 \n"))
def test_every_text_has_an_answer(text: str) -> None:
    with suppress(TemplateError):
        replaced(text)


@given(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text())
def test_a_value_is_never_read_as_a_template(name: str, value: str) -> None:
    assert substitute(f"${{{name}}}", {name: value}.get, lambda _: None) == value


def test_variables_are_listed_with_their_operands() -> None:
    found = set(variables("$A ${B:-x} ${C:?m} ${D:+y} $$E ${F:-${G-z}}"))
    assert found == {
        Variable("A"),
        Variable("B", default="x"),
        Variable("C", required=True),
        Variable("D", alternate="y"),
        Variable("F", default="${G-z}"),
        Variable("G", default="z"),
    }
