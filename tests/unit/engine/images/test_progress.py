"""Docker's messages of progress: the bar, and one writer at a time."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.images.progress import Meter, Narrator, amount, bar, human


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (1234567, "1.235MB"), (5e9, "5GB"), (7e15, "7000TB")],
)
def test_sizes(size: float, text: str) -> None:
    assert human(size) == text


def test_a_bar() -> None:
    assert bar(0, 100) == f"[>{' ' * 49}]  0B/100B"
    assert bar(50, 100) == f"[{'=' * 25}>{' ' * 24}]  50B/100B"
    assert bar(100, 100) == f"[{'=' * 50}]  100B/100B"
    assert bar(5, 0) == "5B"


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_a_bar_is_always_as_wide(current: int, total: int) -> None:
    text = amount(Meter("a", total, "Downloading", current))["progress"]
    assert text.index("]") == 51


async def test_messages_are_told_in_turn_and_amounts_as_they_move(autojump_clock: object) -> None:
    told: list[dict[str, Any]] = []
    busy = False

    async def report(message: dict[str, Any]) -> None:
        nonlocal busy
        assert not busy
        busy = True
        await trio.sleep(0.01)
        busy = False
        told.append(message)

    narrator = Narrator(report)
    async with narrator.telling():
        meter = narrator.meter("abc", "Downloading", 10)
        async with trio.open_nursery() as nursery:
            for word in ("one", "two", "three"):
                nursery.start_soon(narrator.say, word, "abc")
        for current in (3, 3, 7):
            meter.current = current
            await trio.sleep(0.15)
        meter.status = ""
        await trio.sleep(0.5)
    amounts = [one["progressDetail"]["current"] for one in told if one["status"] == "Downloading"]
    assert amounts[-2:] == [3, 7]
    assert amounts == sorted(set(amounts))
    assert {"one", "two", "three"} <= {one["status"] for one in told}
