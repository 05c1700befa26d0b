"""`.dockerignore` by Docker's pattern rules; the client's copy of them agrees with the engine's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.operations.dockerignore import Ignore
from engine.build.ignore import parse_ignore
from engine.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("lines", "ignored", "kept"),
    [
        ("*.md", ["a.md"], ["d/a.md", "a.mdx"]),
        ("**/*.md", ["a.md", "d/a.md", "d/e/a.md"], ["a.txt"]),
        ("d", ["d", "d/x", "d/e/x"], ["dd", "e/d"]),
        ("/d/", ["d", "d/x"], ["e/d"]),
        ("**/d", ["d", "e/d/x"], ["dd"]),
        ("d/**", ["d/x", "d/e/x"], ["e"]),
        ("d/*/x", ["d/a/x", "d/a/x/y"], ["d/x", "d/a/b/x"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("a[b-d]c", ["abc", "adc"], ["aec"]),
        ("a[^b]c", ["axc"], ["abc"]),
        ("*\n!keep", ["x", "y/z"], ["keep", "keep/x"]),
        ("*.md\n!README*.md\nREADME-s.md", ["a.md", "README-s.md"], ["README-x.md"]),
        ("d\n!d/keep", ["d/x"], ["d/keep", "d/keep/y"]),
        ("# comment\n\n  x  \n", ["x"], ["# comment", "comment"]),
        ("a\\*b", ["a*b"], ["axb"]),
        ("./x/../y", ["y"], ["x"]),
        (".", [], []),
        ("**", ["a", "a/b"], []),
    ],
)
def test_patterns(lines: str, ignored: list[str], kept: list[str]) -> None:
    rules, client = parse_ignore(lines), Ignore(lines.splitlines())
    for path in ignored:
        assert rules.ignores(path), path
        assert client.excludes(path), path
    for path in kept:
        assert not rules.ignores(path), path
        assert not client.excludes(path), path


@pytest.mark.parametrize("text", ["!", "[z-a]", "[a", "a\\"])
def test_bad_patterns_say_where(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"\.dockerignore:2"):
        parse_ignore(f"ok\n{text}")


paths = st.lists(st.text(alphabet="ab.", min_size=1, max_size=3), min_size=1, max_size=3).map(
    "/".join
)
patterns = st.lists(
    st.sampled_from(
        ["a", "b", "*", "**", "?", "ab", ".b", "!a", "!**/b", "a/b", "*/b", "**/a", "!a/*"]
    ),
    max_size=5,
)


@given(patterns, paths)
def test_both_halves_agree(lines: list[str], path: str) -> None:
    assert parse_ignore("\n".join(lines)).ignores(path) == Ignore(lines).excludes(path)


@given(patterns, paths)
def test_what_is_below_an_ignored_folder_is_looked_at_where_it_may_be_kept(
    lines: list[str], path: str
) -> None:
    """The client walks into an excluded folder wherever the rules keep something below it."""
    ignore = Ignore(lines)
    if ignore.excludes(path):
        return
    parts = path.split("/")
    for count in range(1, len(parts)):
        above = "/".join(parts[:count])
        assert not ignore.excludes(above) or ignore.may_include_below(above)


@given(paths)
def test_ignoring_a_folder_ignores_all_below(path: str) -> None:
    rules = parse_ignore(path.split("/", maxsplit=1)[0])
    top = parse_ignore("").ignores(path)
    assert not top
    if path.split("/", maxsplit=1)[0] not in (".", ".."):
        assert rules.ignores(path)
