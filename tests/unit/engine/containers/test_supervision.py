"""What the supervisor makes of ends that come at odd moments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import trio

from engine.containers.live import Handles, Live
from engine.containers.registry import Registry
from engine.containers.supervision import Supervisor
from engine.processes.client import ExitRecord
from engine.storage.database import Database

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_end_of_one_that_was_removed_meanwhile_ends_nothing_else(tmp_path: Path) -> None:
    """The watcher is a task of the engine's own nursery: what it raises would end the engine."""

    class Monitor:
        async def wait_exit(self) -> ExitRecord:
            return ExitRecord(137, 1)

    nothing: Any = SimpleNamespace(leave_network=None)
    execs: Any = SimpleNamespace(handles=Handles())
    monitor: Any = Monitor()
    database = Database.open(tmp_path / "state.db")
    async with trio.open_nursery() as nursery:
        life = Supervisor(
            Registry(database), execs, nothing, nothing, nothing, nursery,
            lambda *_: None, nothing,
        )  # fmt: skip
        spec: Any = SimpleNamespace(cgroup=None)
        await life._watch("gone", Live(monitor, spec, trio.CancelScope()))
    database.close()
