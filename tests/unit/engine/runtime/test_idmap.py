"""Two ids change places, every other stays: each id is mapped once, to one of its own."""

from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.idmap import IDS, moved_map, swapping_map

ids = st.one_of(st.integers(0, 3), st.integers(0, IDS - 1), st.just(IDS - 1))


def look_up(text: str, inner: int) -> int:
    spans = [tuple(map(int, line.split())) for line in text.splitlines()]
    (found,) = [out + inner - low for low, out, size in spans if low <= inner < low + size]
    return found


@given(owner=ids, user=ids, other=ids)
def test_a_swap(owner: int, user: int, other: int) -> None:
    text = swapping_map(owner, user)
    assert look_up(text, owner) == user
    assert look_up(text, user) == owner
    if other not in (owner, user):
        assert look_up(text, other) == other
    assert sum(int(line.split()[2]) for line in text.splitlines()) == IDS


def test_a_map_moves_up_into_a_range_and_ends_with_it() -> None:
    lines = moved_map(swapping_map(1000, 0), 500_000, 65536).splitlines()
    assert lines == ["0 501000 1", "1 500001 999", "1000 500000 1", "1001 501001 64535"]
