"""Variables in a Dockerfile: every operator, quotes, escapes, scopes."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.build.variables import Arguments, ExpansionError, expand, expand_text, expand_words

VALUES = {"a": "one", "e": "", "p": "/usr/local/lib.tar.gz", "s": "x  y"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$a", "one"),
        ("${a}", "one"),
        ("${a}b$a", "onebone"),
        ("$none", ""),
        ("\\$a", "$a"),
        ("'$a'", "$a"),
        ('"$a"', "one"),
        ('"\\$a"', "$a"),
        ("a\\b", "ab"),
        ('"a\\b"', "a\\b"),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("${a:-x}", "one"),
        ("${e:-x}", "x"),
        ("${e-x}", ""),
        ("${none-x}", "x"),
        ("${none:-${a}}", "one"),
        ("${none:-'$a'}", "$a"),
        ("${a:+x}", "x"),
        ("${e:+x}", ""),
        ("${e+x}", "x"),
        ("${none+x}", ""),
        ("${a:?bad}", "one"),
        ("${e?bad}", ""),
        ("${p#*/}", "usr/local/lib.tar.gz"),
        ("${p##*/}", "lib.tar.gz"),
        ("${p%.*}", "/usr/local/lib.tar"),
        ("${p%%.*}", "/usr/local/lib"),
        ("${p/l/L}", "/usr/Local/lib.tar.gz"),
        ("${p//l/L}", "/usr/LocaL/Lib.tar.gz"),
        ("${p/lib*/x}", "/usr/local/x"),
        ("${p//\\//_}", "_usr_local_lib.tar.gz"),
        ("${a%?}", "on"),
        ("${a#x}", "one"),
        ("${none:-a b}", "a b"),
    ],
)
def test_expansion(text: str, wanted: str) -> None:
    assert expand(text, VALUES.get) == wanted


@pytest.mark.parametrize(
    "text", ["${a", "'a", '"a', "${}", "${a!x}", "${none:?is needed}", "${none?}", "${-" * 80]
)
def test_what_cannot_be_expanded_says_why(text: str) -> None:
    with pytest.raises(ExpansionError):
        expand(text, VALUES.get)


def test_a_required_variable_s_own_words() -> None:
    with pytest.raises(ExpansionError, match="none: is needed"):
        expand("${none:?is needed}", VALUES.get)


def test_another_escape_character() -> None:
    assert expand("`$a \\$a", VALUES.get, "`") == "$a \\one"


def test_here_documents_keep_quotes() -> None:
    assert expand_text("'$a' \"$a\" \\$a \\n", VALUES.get) == "'one' \"one\" $a \\n"


def test_words_are_split_after_expansion() -> None:
    assert expand_words(("$s", "z"), VALUES.get) == ("x", "y", "z")


@given(st.text(alphabet=string.ascii_letters + "/.:=-_ ", max_size=50))
def test_text_without_specials_is_itself(text: str) -> None:
    assert expand(text, VALUES.get) == text


@given(st.text(max_size=60))
def test_any_text_expands_or_says_why(text: str) -> None:
    with contextlib.suppress(ExpansionError):
        assert isinstance(expand(text, VALUES.get), str)


@given(st.text(max_size=20))
def test_a_value_is_never_expanded_again(value: str) -> None:
    assert expand("${v}", {"v": value}.get) == value
    assert expand("'x'$v", {"v": value}.get) == "x" + value


@given(st.text(alphabet="abX.", max_size=8), st.text(alphabet="ab*?.", min_size=1, max_size=4))
def test_trimming_takes_a_part_off_and_adds_nothing(value: str, pattern: str) -> None:
    for operator in ("#", "##"):
        assert value.endswith(expand(f"${{v{operator}{pattern}}}", {"v": value}.get))
    for operator in ("%", "%%"):
        assert value.startswith(expand(f"${{v{operator}{pattern}}}", {"v": value}.get))
    short, long = (
        expand(f"${{v{operator}{pattern}}}", {"v": value}.get) for operator in ("#", "##")
    )
    assert len(long) <= len(short)


def test_scopes_of_arguments() -> None:
    arguments = Arguments(
        {"given": "g", "HTTP_PROXY": "p"}, {"given": "g", "glob": "G", "HTTP_PROXY": "p"}
    )
    assert arguments.values() == {}
    assert arguments.proxies() == {"HTTP_PROXY": "p"}
    declared = (
        arguments.declare("given", "default")
        .declare("glob", None)
        .declare("own", "o")
        .declare("unset", None)
    )
    assert declared.values() == {"given": "g", "glob": "G", "own": "o"}
    assert declared.lookup({"own": "env"})("own") == "env"
    assert declared.lookup({})("HTTP_PROXY") == "p"
    assert declared.declare("HTTP_PROXY", None).proxies() == {}
