"""The history of events: bounded, and pruned now and then, not at each event."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import trio
import trio.testing

from engine.events import bus
from engine.storage.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "HISTORY", 32)
    times = iter(range(1000))
    with closing(Database.open(tmp_path / "engine.db")) as database:
        events = bus.EventBus(database, lambda: next(times))
        for number in range(100):
            events.publish("container", "start", str(number))
            kept = [int(event.actor_id) for event in events.history(0)]
            assert kept == list(range(kept[0], number + 1))
            assert min(number + 1, 32) <= len(kept) <= 32 + 3


async def test_events_are_heard_at_once_and_written_together(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    del autojump_clock
    with closing(Database.open(tmp_path / "engine.db")) as database:
        events = bus.EventBus(database)

        def written() -> int:
            return int(database.rows("SELECT count(*) FROM events")[0][0])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(events.keep_written)
            with events.subscribe() as heard:
                for number in range(5):
                    events.publish("container", "start", str(number))
                assert [heard.receive_nowait().actor_id for _ in range(5)] == list("01234")
            assert written() == 0
            await trio.sleep(1.5 * bus.DELAY)
            assert written() == 5
            events.publish("container", "die", "5")
            assert [event.actor_id for event in events.history(0)] == list("012345")
            assert written() == 6
            nursery.cancel_scope.cancel()


def test_on_a_full_disk_events_are_heard_and_not_remembered(tmp_path: Path) -> None:
    with closing(Database.open(tmp_path / "engine.db")) as database:
        events = bus.EventBus(database)
        pages = database.rows("PRAGMA page_count")[0][0]
        database.rows(f"PRAGMA max_page_count = {pages}")
        with events.subscribe() as heard:
            events.publish("container", "start", "x" * 100_000)
            assert heard.receive_nowait().action == "start"
        assert events.history(0) == []
        database.rows("PRAGMA max_page_count = 100000")
        events.publish("container", "stop", "y")
        assert [event.action for event in events.history(0)] == ["stop"]
