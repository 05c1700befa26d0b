"""Logs put in order by time, a piece at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from compose.logs.merging import fixed, merged, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator


def line(nanos: int, text: str) -> str:
    return f"2026-01-02T03:04:05.{nanos:09}Z {text}"


@st.composite
def logs(draw: st.DrawFn) -> list[list[list[str]]]:
    """Sources, each with its lines in order of time, cut into pieces."""
    found: list[list[list[str]]] = []
    for source in range(draw(st.integers(1, 4))):
        times = sorted(draw(st.lists(st.integers(0, 50), max_size=12)))
        lines = [line(time, f"{source}.{number}") for number, time in enumerate(times)]
        cuts = sorted(draw(st.lists(st.integers(0, len(lines)), max_size=3)))
        edges = [0, *cuts, len(lines)]
        found.append([lines[a:b] for a, b in pairwise(edges)])
    return found


def pieces(source: list[list[str]]) -> Iterator[str]:
    for part in source:
        yield "".join(f"{one}\n" for one in part)


@given(logs())
def test_all_lines_in_order_of_time_each_source_in_its_own(sources: list[list[list[str]]]) -> None:
    prefixes = [f"s{number}| " for number in range(len(sources))]
    blocks = merged([pieces(source) for source in sources], prefixes, times=True)
    found = "".join(blocks).splitlines()
    everything = [(at, one) for at, source in enumerate(sources) for part in source for one in part]
    assert sorted(found) == sorted(f"{prefixes[at]}{one}" for at, one in everything)
    assert [one[4:34] for one in found] == sorted(one[4:34] for one in found)
    for at, source in enumerate(sources):
        own = [one.removeprefix(prefixes[at]) for one in found if one.startswith(prefixes[at])]
        assert own == [one for part in source for one in part]


def test_times_are_left_out_where_nobody_wants_them() -> None:
    text = line(5, "hello world") + "\n" + line(6, "") + "\n"
    assert "".join(merged([iter([text])], ["a | "], times=False)) == "a | hello world\na | \n"


def test_only_a_piece_of_each_is_read_ahead() -> None:
    read: list[int] = []

    def endless() -> Iterator[str]:
        for number in range(10**9):
            read.append(number)
            yield line(number, "x") + "\n"

    blocks = merged([endless(), endless()], ["", ""], times=False)
    for _ in range(10):
        next(blocks)
    assert len(read) < 40


def test_times_of_other_engines_sort_too() -> None:
    assert stamp("2026-01-02T03:04:05.5Z x") == "2026-01-02T03:04:05.500000000Z"
    assert fixed("2026-01-02T05:04:05.25+02:00") == "2026-01-02T03:04:05.250000000Z"
    assert fixed("2026-01-02T03:04:05Z") == "2026-01-02T03:04:05.000000000Z"
    assert fixed("nonsense") == "nonsense"
