"""Ranges of ids: never two containers with one, and an end to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.id_ranges import FIRST, LAST, free_range
from engine.errors import HostLimitError


@given(st.sets(st.integers(0, 40)))
def test_a_range_is_nobodys_and_whole(numbers: set[int]) -> None:
    taken = {FIRST + number * 65536 for number in numbers}
    chosen = free_range([0, *taken])
    assert chosen not in taken
    assert FIRST <= chosen <= LAST
    assert (chosen - FIRST) % 65536 == 0


def test_all_taken_is_said() -> None:
    with pytest.raises(HostLimitError, match="no range of ids is free"):
        free_range(range(FIRST, LAST + 1, 65536))
