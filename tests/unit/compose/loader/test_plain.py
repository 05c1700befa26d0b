"""What is read the short way is what the YAML reader makes of it; what is not plain is left to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compose.errors import ProjectError
from compose.loader.parse import parse
from compose.loader.plain import read

HOUSE = Path(__file__).resolve().parents[4]
PIECES = (
    "a", "b: ", "c:", "key: ", "- ", "- a: ", "-", "d", " ", "  ", ": ", "#", " # c", "'", '"', "''", "[", "]", "{", "}", ",", "|", "|-", ">",
    "&x ", "*x", "&x\n", "*y", "e: &y {f: g}\n", "<<: *x", "<<: [*x, *y]", "{<<: *y, c: d}", "b: &x\n  c: d\n", "!t ", "%", "@", "?", "? ", "~", ".", "=", "<<: ", "null", "true", "0x1", "010", "1_000", "1e3", ".inf", "1.50", "2020-01-01",
    "---", "...", "'x y'", '"x"', "[a, 'b']", "{a: 1}", "{a: , b: c}", "${A:-b}", "\t", "\r", "\\", "é", "\u2028", "\x85", "\ufeff", "80:80",
)  # fmt: skip
LINES = st.tuples(st.integers(0, 3), st.lists(st.sampled_from(PIECES), max_size=5))
TEXTS = st.lists(LINES, max_size=8).map(
    lambda lines: "\n".join("  " * indent + "".join(pieces) for indent, pieces in lines)
)
PLAIN = """\
---
# A comment.
name: shop
services:
  web:
    image: "registry.example.org/shop/web:1.0"  # the newest
    command: ['serve', --port, 80, "a b"]
    ports:
    - 8080:80
    - target: 443
      published: "8443"
    environment: {LEVEL: info, EMPTY: , N: 010}
    labels:

      its: 'it''s'
    healthcheck:
      test: |
        one
          two

        three

    tty: yes
    restart:
  db: {image: db}
"""


def whole(content: bytes) -> object:
    """What the YAML reader makes of it; None if it is refused, or more than one tree."""
    faults: list[str] = []
    try:
        documents = list(parse(content, "f", faults))
    except ProjectError:
        return None
    return None if faults or len(documents) != 1 or documents[0].resets else documents[0].written


def test_a_usual_file_is_read() -> None:
    tree = read(PLAIN.encode())
    assert tree is not None
    web = tree["services"]["web"]
    assert web["ports"] == ["8080:80", {"target": 443, "published": "8443"}]
    assert web["command"] == ["serve", "--port", 80, "a b"]
    assert web["environment"] == {"LEVEL": "info", "EMPTY": None, "N": 8}
    assert web["labels"] == {"its": "it's"}
    assert web["healthcheck"] == {"test": "one\n  two\n\nthree\n"}
    assert (web["tty"], web["restart"]) == ("yes", None)


@pytest.mark.parametrize(
    "text",
    ["", "a", "- a", "a: *b", "a: &b c\nd: &b e", "a: &b *b", "a:\n- &b c: d", "a: &b", "<<: x", "a: {&b c: d}", "a: !t b", "a: >\n  b", "a: b\n c", "a: {b: c\n}", "a: b: c", "a: 1\na: 2", "1: a", "null: a",
     "2020-01-01: a", "a: 2020-01-01", "a: b\n---\nc: d", "'a': b", "a: 'b' c", 'a: "\\n"', "a:\tb", "a: b\r\n", "a: |2\n   b", "a: |\n  b"],
)  # fmt: skip
def test_what_is_not_plain_is_left_alone(text: str) -> None:
    assert read(text.encode()) is None


def test_anchors() -> None:
    text = (
        "x-a: &a\n  one: 1\n  two: &two [a, b]\nx-b:\n  &b\n  two: 2\n  three: *two\n"
        "c:\n  four: 4\n  <<: [*a, *b]\n  two: own\nd: {<<: *b}\ne:\n- &e f\n- *e # again\n"
    )
    tree = read(text.encode())
    assert tree is not None
    assert tree == whole(text.encode())
    assert [*tree["c"].items()] == [("four", 4), ("two", "own"), ("one", 1), ("three", ["a", "b"])]
    assert (tree["d"], tree["e"]) == ({"two": 2, "three": ["a", "b"]}, ["f", "f"])


def test_a_bomb_is_left_to_the_yaml_reader() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert read("\n".join(lines).encode()) is None
    chain = "\n".join(["a0: &a0 {x: y}", *(f"a{n}: &a{n} {{x: *a{n - 1}}}" for n in range(1, 900))])
    assert read(chain.encode()) is None


def test_depth_is_bounded() -> None:
    assert read(b"a: " + b"[" * 5000 + b"]" * 5000) is None
    assert read("\n".join(" " * depth + "a:" for depth in range(5000)).encode()) is None
    assert read(b"\xff: a") is None


@given(TEXTS)
@example(PLAIN)
@example("a:\n- b: c\n  d:\n  - e\nf: |\n g\n")
@example("a: [b, c: d]")
@example("a:\n  - b\n - c")
@example("a: |\n  b\n # c\nd: e\n")
def test_it_says_what_the_yaml_reader_says(text: str) -> None:
    content = text.encode()
    tree = read(content)
    assert tree is None or repr(whole(content)) == repr(tree)


def test_on_all_projects_there_are() -> None:
    contents = [
        Path(folder, name).read_bytes()
        for top in ("samples", "tests/contract/projects")
        for folder, _, names in os.walk(HOUSE / top)
        for name in names
        if name.endswith((".yaml", ".yml"))
    ]
    read_here = [(content, tree) for content in contents if (tree := read(content)) is not None]
    assert len(read_here) > len(contents) * 0.8
    assert not [content for content, tree in read_here if repr(whole(content)) != repr(tree)]
