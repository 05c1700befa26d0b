"""Which records of the build cache go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.build.cache import MOUNT, STEP, CacheRecord
from engine.build.prune import PruneRequest, choose, parse_age
from engine.errors import InvalidRequestError

SECOND = 10**9


def record(key: str, used: int, size: int = 10, **more) -> CacheRecord:
    return CacheRecord(
        key, more.pop("kind", STEP), more.pop("description", ""), used * SECOND, 0, 0, size, **more
    )


OLD, NEW, SHARED, BUSY = (
    record("old", 10),
    record("new", 90),
    record("shared", 5, shared=True),
    record("busy", 1, in_use=True),
)
CACHE = record("mount", 50, kind=MOUNT, description="cached mount /c")
EVERY = [NEW, OLD, SHARED, BUSY, CACHE]


def keys(request: PruneRequest, free: int = 0) -> list[str]:
    return [one.key for one in choose(EVERY, request, 100 * SECOND, free)]


def test_the_cache_has_no_labels() -> None:
    assert keys(PruneRequest(everything=True, filters={"label": ["a=b"]})) == []
    assert keys(PruneRequest(filters={"label!": ["a=b"]})) == ["old", "mount", "new"]


def test_what_images_share_or_a_build_uses_stays() -> None:
    assert keys(PruneRequest()) == ["old", "mount", "new"]
    assert keys(PruneRequest(everything=True)) == ["shared", "old", "mount", "new"]


def test_filters() -> None:
    assert keys(PruneRequest(filters={"until": ["60s"]})) == ["old"]
    assert keys(PruneRequest(filters={"type": [MOUNT]})) == ["mount"]
    assert keys(PruneRequest(filters={"id": ["ne"]})) == ["new"]
    assert keys(PruneRequest(filters={"description": ["/c"]})) == ["mount"]
    assert keys(PruneRequest(everything=True, filters={"shared": ["true"]})) == ["shared"]
    with pytest.raises(InvalidRequestError, match="wat"):
        keys(PruneRequest(filters={"wat": ["1"]}))


def test_bounds_take_the_least_recently_used_first() -> None:
    assert keys(PruneRequest(everything=True, most=35)) == ["shared", "old"]
    assert keys(PruneRequest(everything=True, reserved=100)) == []
    assert keys(PruneRequest(everything=True, least_free=15), free=0) == ["shared", "old"]
    assert keys(PruneRequest(everything=True, least_free=15), free=20) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("24h", 100 - 86400), ("1m30s", 10), ("50", 50), ("1970-01-01T00:01:00Z", 60)],
)
def test_ages(text: str, wanted: int) -> None:
    assert parse_age(text, 100 * SECOND) == wanted * SECOND


def test_a_bad_age_is_named() -> None:
    with pytest.raises(InvalidRequestError, match="soon"):
        parse_age("soon", 0)


@given(st.integers(0, 60), st.integers(0, 60))
def test_never_below_what_is_reserved(reserved: int, most: int) -> None:
    gone = choose(
        EVERY, PruneRequest(everything=True, reserved=reserved, most=most), 100 * SECOND, 0
    )
    left = sum(one.size for one in EVERY) - sum(one.size for one in gone)
    assert left > reserved - 10 or not gone
    assert BUSY not in gone
