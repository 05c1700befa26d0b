"""Reading argv by a table of flags."""

from __future__ import annotations

import pytest

from compose.cli.flags import Flag, Options, parse
from compose.errors import UsageError

FLAGS = (
    Flag("all", "a"),
    Flag("detach", "d"),
    Flag("env", "e", kind="list"),
    Flag("file", "f", kind="text"),
    Flag("orphans", default=True),
    Flag("timeout", "t", kind="number"),
)


def read(text: str, *, interspersed: bool = True) -> Options:
    return parse(text.split(), FLAGS, interspersed=interspersed, command="pycompose x")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("", "all", False),
        ("", "env", ()),
        ("", "timeout", None),
        ("", "orphans", True),
        ("--all", "all", True),
        ("--all=false", "all", False),
        ("--orphans=false", "orphans", False),
        ("-ad", "detach", True),
        ("-adt5", "timeout", 5),
        ("-t 5", "timeout", 5),
        ("-t=5", "timeout", 5),
        ("-t-1", "timeout", -1),
        ("--timeout=0", "timeout", 0),
        ("--file x", "file", "x"),
        ("--file=", "file", ""),
        ("-e A=1 --env B --env=C=3", "env", ("A=1", "B", "C=3")),
    ],
)
def test_values(text: str, key: str, value: object) -> None:
    assert read(text)[key] == value


def test_arguments_between_flags() -> None:
    assert read("x -a y").arguments == ["x", "y"]
    assert read("x -- -a").arguments == ["x", "-a"]
    assert read("- x").arguments == ["-", "x"]


def test_another_programs_flags_are_left_alone() -> None:
    options = read("-d web ls -a --nope", interspersed=False)
    assert options.arguments == ["web", "ls", "-a", "--nope"]
    assert (options.detach, options.all) == (True, False)


def test_what_was_given_is_known() -> None:
    assert read("--all=false").given == {"all"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--nope", "unknown flag: --nope: see 'pycompose x --help'"),
        ("--detatch", "did you mean --detach?"),
        ("-x", "unknown shorthand flag: 'x' in -x"),
        ("-ax", "unknown shorthand flag: 'x' in -x"),
        ("--file", "flag needs an argument: --file"),
        ("-f", "flag needs an argument: 'f' in -f"),
        ("-t five", 'invalid argument "five" for --timeout: use a number'),
        ("--all=maybe", 'invalid argument "maybe" for --all'),
    ],
)
def test_mistakes_name_the_flag(text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        read(text)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("bytes", "512m", 512 << 20),
        ("bytes", "1.5GB", 3 << 29),
        ("bytes", "4096", 4096),
        ("bytes", "-1", -1),
        ("duration", "1m30s", 90 * 10**9),
        ("duration", "1.5h", 5400 * 10**9),
        ("duration", "0", 0),
        ("duration", "250ms", 25 * 10**7),
        ("decimal", "0.5", 0.5),
        ("strings", "a,b", ("a", "b")),
    ],
)
def test_amounts(kind: str, text: str, value: object) -> None:
    flags = (Flag("amount", kind=kind),)
    assert parse([f"--amount={text}"], flags, interspersed=True, command="x").amount == value


@pytest.mark.parametrize(("kind", "text"), [("bytes", "much"), ("duration", "5"), ("decimal", "x")])
def test_bad_amounts(kind: str, text: str) -> None:
    with pytest.raises(UsageError, match=f'invalid argument "{text}" for --amount: '):
        parse(["--amount", text], (Flag("amount", kind=kind),), interspersed=True, command="x")
