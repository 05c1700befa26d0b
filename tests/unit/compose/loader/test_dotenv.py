"""The syntax of .env files."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.loader.dotenv import DotenvError, parse, parse_raw

SHELL = {"SHELL": "sh"}
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,6}", fullmatch=True).filter(
    lambda n: n != "export"
)


def read(text: str) -> dict[str, str]:
    return parse(text, SHELL.get, lambda _: None)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("A = b  ", "b"),
        ("A: b", "b"),
        ("export A=b", "b"),
        ("\ufeffA=b", "b"),
        ("A=b # comment", "b"),
        ("A=b#c", "b#c"),
        ('A="b # c" # d', "b # c"),
        (r'A="a\nb\t\"c\" \$SHELL"', 'a\nb\t"c" $SHELL'),
        (r"A='a\n$SHELL'", r"a\n$SHELL"),
        (r"A=a\n$SHELL", r"a\nsh"),
        ('A="one\ntwo"', "one\ntwo"),
        ("A=${NOPE:-d}", "d"),
        ("B=1\nA=${B}2", "12"),
        ("A=", ""),
        ("A=b\r\n", "b"),
    ],
)
def test_values(line: str, value: str) -> None:
    assert read(line)["A"] == value


def test_a_bare_name_takes_the_environments_value_or_is_dropped() -> None:
    assert read("SHELL\nNOPE\n") == {"SHELL": "sh"}


def test_later_files_see_earlier_ones() -> None:
    assert parse("B=${A}!", {}.get, lambda _: None, {"A": "1"}) == {"A": "1", "B": "1!"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A B=1", "line 1"),
        ("\n\nA='open", "line 3: unterminated"),
        ("A!=1", "unexpected"),
        ("A=${", "line 1"),
    ],
)
def test_mistakes_name_their_line(text: str, words: str) -> None:
    with pytest.raises(DotenvError, match=words):
        read(text)


def test_raw_takes_every_line_as_it_is() -> None:
    assert parse_raw("# c\nA='b' $C \n\nB\n") == {"A": "'b' $C "}


@given(st.dictionaries(NAMES, st.text(alphabet="ab '\"$#=\\\n\té"), max_size=4))
def test_double_quotes_can_hold_any_value(values: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n")):
            value = value.replace(char, escape)
        return f'"{value}"'

    text = "".join(f"{name}={quoted(value)}\n" for name, value in values.items())
    assert read(text) == values


@given(st.text(alphabet="AB=:'\"\\$#{} \n\texport"))
def test_every_text_has_an_answer(text: str) -> None:
    with suppress(DotenvError):
        read(text)
