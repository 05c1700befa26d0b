"""The database: its log has room before it needs it, and what it holds survives a crash."""

from __future__ import annotations

import resource
import shutil
from typing import TYPE_CHECKING

from engine.storage.database import ROOM, Database, _checkpoint

if TYPE_CHECKING:
    from pathlib import Path


def fill(database: Database, count: int) -> None:
    for number in range(count):
        database.execute("INSERT OR REPLACE INTO engine VALUES (?, 'x')", (str(number),))


def test_the_log_is_as_long_as_it_will_be(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "engine.db")
    log = tmp_path / "engine.db-wal"
    assert log.stat().st_size == ROOM
    fill(database, 200)
    assert log.stat().st_size == ROOM
    database.close()
    assert not log.exists()


def test_a_log_with_room_behind_its_end_is_read_after_a_crash(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "engine.db")
    fill(database, 50)
    shutil.copytree(tmp_path, tmp_path / "crashed")
    again = Database.open(tmp_path / "crashed" / "engine.db")
    assert len(again.rows("SELECT key FROM engine")) == 50
    fill(again, 60)
    again.close()
    database.close()


def test_a_checkpoint_without_room_ends_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """It is a task of the engine's own nursery: what it raises would end the engine."""
    path = tmp_path / "engine.db"
    database = Database.open(path)
    fill(database, 2000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        _checkpoint(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    _checkpoint(path)
    assert len(database.rows("SELECT key FROM engine")) == 2000
    database.close()
