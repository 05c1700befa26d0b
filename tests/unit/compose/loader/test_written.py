"""How texts are written and commands are split: what generated projects found out about the reference."""

from __future__ import annotations

import pytest

from compose.loader import scalars, words
from compose.loader.documents import find
from compose.loader.files import Files
from compose.loader.parse import parse
from compose.loader.render import yaml_text
from compose.loader.sources import Disk
from compose.loader.yaml_order import yaml_key


def test_keys_of_yaml_have_their_numbers_in_order() -> None:
    names = ["s10", "s2", "s1a", "S1", "a_b", "a-b", "aB", "a1", "a01", "a", "a10b10", "a10b2"]
    right = ["S1", "a", "a-b", "a_b", "a1", "a01", "a10b2", "a10b10", "aB", "s1a", "s2", "s10"]
    assert sorted(names, key=yaml_key) == right


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\x85b", '"a\\Nb"'), ("\xa0", "\xa0"), ("a\nb ", '"a\\nb "'), ("\n\tx", "|2-\n\n    \tx"), ("\tx\ny", "|-\n    \tx\n    y"),
        ("\u2028", "'\u2028'"), ("2024-01-02", '"2024-01-02"'), ("2024-02-31", "2024-02-31"), ("3e5811", "3e5811"), ("._2", "._2"), ("", '""'),
    ],
)  # fmt: skip
def test_texts_in_yaml(text: str, written: str) -> None:
    assert yaml_text({"k": [text]}) == f"k:\n  - {written}\n"


def test_numbers_in_yaml() -> None:
    values = [float("inf"), float("-inf"), float("nan"), scalars.resolve("2024-1-2")]
    assert (
        yaml_text({"k": values}) == "k:\n  - .inf\n  - -.inf\n  - .nan\n  - 2024-01-02T00:00:00Z\n"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("99999999999999999999", 1e20), ("18446744073709551615", 18446744073709551615), ("0x1ffffffffffffffff", "0x1ffffffffffffffff"),
        ("1e400", "1e400"), (".5", 0.5), (".5_5", ".5_5"), ("1_0.5", 10.5), ("2024-01-02 03:04:05", "2024-01-02T03:04:05Z"), ("2024-01-02T03:04:05", "2024-01-02T03:04:05"),
    ],
)  # fmt: skip
def test_plain_scalars(text: str, value: object) -> None:
    assert scalars.resolve(text) == value


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("a )b) c", ["a", ")b)", "c"]), ("echo $(date -u) x", ["echo", "$(date -u)", "x"]), ("`a b` c", ["`a b`", "c"]),
        ("a 2>b", ["a"]), ("a\\ b", ["a b"]), ("''", [""]), ("a;b", ["a"]),
    ],
)  # fmt: skip
def test_commands(line: str, parts: list[str]) -> None:
    assert words.split(line) == parts


@pytest.mark.parametrize("line", ["a )", "(a)", "$((1))", "a 'b", "a`", "a\\"])
def test_commands_that_are_none(line: str) -> None:
    with pytest.raises(ValueError, match=r"bracket|quote"):
        words.split(line)


def test_tags_below_an_override_say_nothing() -> None:
    text = b"a: !override {b: !reset 1, c: [!reset 2]}\nd: [!reset 3, 4]\ne: !reset 5\n"
    (document,) = parse(text, "f", [])
    assert document.tree == {"a": {"b": "1", "c": ["2"]}, "d": [4]}
    assert document.resets == (("a",), ("e",))


def test_places_count_through_the_lists_of_all_files(tmp_path: object) -> None:
    one, two = (next(iter(parse(text, name, []))) for name, text in {
        "one": b"a:\n  - x\n  - y\n", "two": b"a:\n  - z\nb: 1\n",
    }.items())  # fmt: skip
    found = [str(find(("a", index), (one, two))) for index in range(3)]
    assert found == ["one:2:5", "one:3:5", "two:2:5"]
    assert str(find(("b",), (one, two))) == "two:3:1"
    assert one.prune(("a", 0))
    assert (one.tree, str(one.place(("a", 0)))) == ({"a": ["y"]}, "one:3:5")
    assert Files(Disk(str(tmp_path))).disk.folder == str(tmp_path)
