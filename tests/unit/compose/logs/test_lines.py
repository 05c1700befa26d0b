"""Bytes to lines, in any pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compose.logs.lines import LineSplitter


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\r", b"")), st.data())
def test_any_pieces_give_the_same_lines(data: bytes, draw: st.DataObject) -> None:
    splitter = LineSplitter()
    found: list[str] = []
    rest = data
    while rest:
        size = draw.draw(st.integers(1, len(rest)))
        found += splitter.feed(rest[:size])
        rest = rest[size:]
    found += splitter.flush()
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert found == [line.decode(errors="replace") for line in expected]


def test_line_ends_of_terminals() -> None:
    assert LineSplitter().feed(b"a\r\nb\r\n") == ["a", "b"]
