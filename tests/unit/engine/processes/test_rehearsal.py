"""Before the first fork: no gap is left between objects, so that new ones lie side by side."""

from __future__ import annotations

from collections import Counter

from engine.processes.rehearsal import _POOL, fill_gaps


def most_in_two_pools() -> int:
    """Of twenty new objects of one size, those in the two pools that have most of them."""
    made = [bytes(200) + bytes([number]) for number in range(20)]
    return sum(count for _, count in Counter(id(one) // _POOL for one in made).most_common(2))


def test_what_is_made_after_the_gaps_are_filled_is_in_one_place() -> None:
    crowd = [bytes(200) + bytes([number % 256]) for number in range(20_000)]
    del crowd[::60]  # a gap or two in every pool
    assert most_in_two_pools() < 10
    kept = fill_gaps()
    assert kept
    assert most_in_two_pools() >= 17  # whoever else runs in this process may free a thing meanwhile
