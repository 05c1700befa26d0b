"""All metadata in one SQLite database (WAL), written in transactions by the engine alone.

Rules: a room touches only its own tables. Statements are short (an indexed row or a scan of
hundreds), so they run on the loop. A schema step, once released, is never edited: add one.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio

from engine.errors import EngineError, HostLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

#: The schema as a list of steps; `user_version` of the file says how many have been taken.
SCHEMA_STEPS: tuple[str, ...] = (
    """
    CREATE TABLE engine (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE containers (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ns INTEGER NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE images (
        id TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE image_references (
        reference TEXT PRIMARY KEY, image_id TEXT NOT NULL REFERENCES images (id)
    ) WITHOUT ROWID;
    CREATE TABLE layers (
        chain_id TEXT PRIMARY KEY, diff_id TEXT NOT NULL, parent TEXT, folder TEXT NOT NULL,
        size INTEGER NOT NULL, document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE build_cache (
        key TEXT PRIMARY KEY, last_used_ns INTEGER NOT NULL, document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE networks (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE leases (
        network_id TEXT NOT NULL, address TEXT NOT NULL, container_id TEXT NOT NULL,
        PRIMARY KEY (network_id, address)
    ) WITHOUT ROWID;
    CREATE TABLE endpoints (
        container_id TEXT NOT NULL, network_id TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (container_id, network_id)
    ) WITHOUT ROWID;
    CREATE TABLE volumes (
        name TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, document TEXT NOT NULL
    );
    CREATE INDEX events_by_time ON events (time_ns);
    """,
    # What changes often, apart from what is as it was created: null until the first change.
    "ALTER TABLE containers ADD COLUMN state TEXT;",
    # Images for several platforms: a name may stand for an index, whose members are images.
    """
    CREATE TABLE image_indexes (id TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
    ALTER TABLE image_references ADD COLUMN index_id TEXT NOT NULL DEFAULT '';
    """,
)


#: Seconds between looks at the write-ahead log, and the changed rows from which it is copied back.
LOOK, MANY = 2.0, 150
#: Bytes of the log that are there before they are needed, so that on a full disk things can be removed.
ROOM = 4 << 20


class Database:
    """One connection, used from the engine's loop alone."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        #: called now and then: to write what found no room before
        self.retries: list[Callable[[], None]] = []

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open or make the database and bring its schema up to date.

        Raises HostLimitError if the file cannot be used, EngineError if a newer engine wrote it.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "PRAGMA wal_autocheckpoint = 0"
            )  # `keep_short` does it, off the loop
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("PRAGMA foreign_keys = ON")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise HostLimitError(f"cannot use the engine's database {path}: {error}") from error
        if version > len(SCHEMA_STEPS):
            connection.close()
            raise EngineError(
                f"{path} was written by a newer pycompose (schema {version})",
                hint="upgrade pycompose, or use another --root",
            )
        for number, step in enumerate(SCHEMA_STEPS[version:], start=version + 1):
            connection.executescript(
                f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;"
            )
        _make_room(path.with_name(f"{path.name}-wal"))
        return cls(connection, path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside take effect together or not at all; may not be nested.

        Raises HostLimitError (a full disk).
        """
        with _told():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with _told():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # on a full disk it has been rolled back already
                self._connection.execute("ROLLBACK")
            raise

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run one writing statement; the number of rows it changed. Raises HostLimitError (a full disk)."""
        with _told():
            return self._connection.execute(statement, values).rowcount

    def execute_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one writing statement for each row of values. Raises HostLimitError."""
        with _told():
            self._connection.executemany(statement, rows)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.execute(query, values).fetchall()

    async def keep_short(self) -> None:
        """Copy the log back into the database whenever it has grown, in a thread: the disk is slow."""
        copied = 0
        while True:
            await trio.sleep(LOOK)
            for retry in self.retries:
                retry()
            changes = self._connection.total_changes
            if changes - copied > MANY:
                copied = changes
                await trio.to_thread.run_sync(_checkpoint, self._path)

    def close(self) -> None:
        """Close the file; the last writer checkpoints the log."""
        self._connection.close()


@contextmanager
def _told() -> Iterator[None]:
    """What the disk refuses, as the host's fault."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if any(word in str(error) for word in ("full", "disk I/O", "readonly")):
            raise HostLimitError(
                f"no space left on device: the engine cannot write its database ({error})"
            ) from error
        raise


def _make_room(log: Path) -> None:
    """Lengthen the log; what is behind its last frame is passed over (sqlite.org/fileformat2.html, 4)."""
    try:
        with log.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, ROOM)
    except OSError:
        pass  # no room already, or a file system that cannot


def _checkpoint(path: Path) -> None:
    """On a connection of its own; writers go on meanwhile (sqlite.org/wal.html)."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        with _told():
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except HostLimitError:
        pass  # what is committed is in the log, and the next time may have room
    finally:
        connection.close()
