"""The engine's events: published once, kept for `since`, and fanned out to whoever listens.

Rules: publishing never blocks (a listener that is too slow is dropped and told so); names, actions
and attributes are Docker's (https://docs.docker.com/reference/api/engine/, GET /events).
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from engine.errors import HostLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from engine.storage.database import Database

#: How many events are remembered for `since`, at least.
HISTORY = 4096
#: Seconds in which events gather before they are written: a start has five, each a transaction. An
#: engine that is killed forgets those; Docker's forgets all.
DELAY = 0.2
#: How far a listener may fall behind before it is dropped.
BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `kind` is Docker's Type (container, image, network, volume, builder, daemon)."""

    kind: str
    action: str
    actor_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    time_ns: int = 0


class EventBus:
    """Publish and subscribe, with a bounded history in the database."""

    def __init__(self, database: Database, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._clock_ns = clock_ns
        self._listeners: set[trio.MemorySendChannel[Event]] = set()
        self._unwritten: list[Event] = []
        self._due = trio.Event()
        self._until_pruned = 0  # events until the oldest are forgotten: not at each one

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def publish(
        self, kind: str, action: str, actor_id: str, attributes: Mapping[str, str] | None = None
    ) -> None:
        """Record an event and hand it to every listener; never blocks."""
        event = Event(kind, action, actor_id, dict(attributes or {}), self._clock_ns())
        self._unwritten.append(event)
        self._due.set()
        for listener in tuple(self._listeners):
            try:
                listener.send_nowait(event)
            except trio.WouldBlock:
                self._listeners.discard(listener)
                listener.close()

    def write(self) -> None:
        """What has been published since the last time, to the database in one transaction.

        On a full disk it is not remembered: whoever listens has heard it.
        """
        rows = [
            (e.time_ns, json.dumps([e.kind, e.action, e.actor_id, e.attributes]))
            for e in self._unwritten
        ]
        self._unwritten.clear()
        self._until_pruned -= len(rows)
        if not rows:
            return
        try:
            with self._database.transaction():
                self._database.execute_many(
                    "INSERT INTO events (time_ns, document) VALUES (?, ?)", rows
                )
                if self._until_pruned < 0:
                    self._until_pruned = HISTORY // 16
                    self._database.execute(
                        "DELETE FROM events WHERE sequence <= (SELECT max(sequence) FROM events) - ?",
                        (HISTORY,),
                    )
        except HostLimitError:
            pass

    async def keep_written(self) -> None:
        """Write what is published, soon; until cancelled."""
        while True:
            await self._due.wait()
            self._due = trio.Event()
            await trio.sleep(DELAY)
            self.write()

    @contextmanager
    def subscribe(self) -> Iterator[trio.MemoryReceiveChannel[Event]]:
        """Receive what is published from now on; the channel ends if the listener is too slow."""
        send: trio.MemorySendChannel[Event]
        receive: trio.MemoryReceiveChannel[Event]
        send, receive = trio.open_memory_channel(BACKLOG)
        self._listeners.add(send)
        try:
            yield receive
        finally:
            self._listeners.discard(send)
            send.close()
            receive.close()

    def history(self, since_ns: int, until_ns: int | None = None) -> list[Event]:
        """The remembered events with since_ns <= time <= until_ns, oldest first."""
        self.write()
        rows = self._database.rows(
            "SELECT time_ns, document FROM events WHERE time_ns >= ? AND time_ns <= ? ORDER BY sequence",
            (since_ns, until_ns if until_ns is not None else 2**63 - 1),
        )
        events = []
        for time_ns, document in rows:
            kind, action, actor_id, attributes = json.loads(document)
            events.append(Event(kind, action, actor_id, attributes, time_ns))
        return events
