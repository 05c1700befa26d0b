"""Before the first fork: no gap is left between objects, so that new ones lie side by side."""

from engine.processes.rehearsal import _POOL, fill_gaps


def test_what_is_made_after_the_gaps_are_filled_is_in_one_place() -> None:
    kept = fill_gaps()
    made = [bytes(range(200)) + bytes([number]) for number in range(20)]
    assert kept
    assert len({id(one) // _POOL for one in made}) <= 2
