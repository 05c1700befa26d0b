"""The history of events: bounded, and pruned now and then, not at each event."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

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
