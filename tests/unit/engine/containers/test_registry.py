"""Containers written to the database: what changes often apart from the rest, and read back as one."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.containers import docker_json
from engine.containers.config import Config, HostConfig
from engine.containers.model import Container, Health
from engine.containers.registry import Registry
from engine.errors import HostLimitError
from engine.storage.database import SCHEMA_STEPS, Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = Container("a" * 64, "one", 1, "image", Config(env=("A=1",)), HostConfig(memory=5))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.db"


@pytest.fixture
def registry(path: Path) -> Iterator[Registry]:
    with closing(Database.open(path)) as database:
        yield Registry(database)


def read_back(path: Path) -> list[Container]:
    """What another engine would find."""
    with closing(Database.open(path)) as database:
        return Registry(database).all()


def test_what_is_changed_is_found_by_the_next_engine(registry: Registry, path: Path) -> None:
    registry.add(ONE)
    assert read_back(path) == [ONE]
    now = registry.set_state(ONE.id, status="running", pid=7, health=Health("starting"))
    assert read_back(path) == [now]
    now = registry.change(ONE.id, restart_count=2, state=now.state)
    now = registry.change(ONE.id, name="two")
    assert read_back(path) == [now]
    assert (now.name, now.restart_count, now.state.pid) == ("two", 2, 7)
    now = registry.set_state(ONE.id, status="exited", exit_code=3)
    assert read_back(path) == [now]
    registry.remove(ONE.id)
    assert read_back(path) == []


def test_those_that_share_a_network_are_known(registry: Registry, path: Path) -> None:
    other = replace(ONE, id="b" * 64, name="b", host_config=HostConfig(network_mode="container:x"))
    registry.add(ONE)
    registry.add(other)
    now = registry.set_state(other.id, status="running")
    assert registry.sharers() == [now]
    with closing(Database.open(path)) as database:
        assert Registry(database).sharers() == [now]
    registry.remove(other.id)
    assert registry.sharers() == []
    assert dict(registry.known()) == {ONE.id: ONE}


def test_a_change_of_state_does_not_write_the_rest_again(registry: Registry, path: Path) -> None:
    registry.add(ONE)
    registry.set_state(ONE.id, status="running")
    with closing(sqlite3.connect(path)) as connection:
        (document, state) = connection.execute("SELECT document, state FROM containers").fetchone()
    assert json.loads(document)["State"]["Status"] == "created"
    assert json.loads(state)["State"]["Status"] == "running"


def test_what_finds_no_room_is_written_later(
    registry: Registry, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add(ONE)
    with monkeypatch.context() as full:

        def refuse(*_: object) -> int:
            raise HostLimitError("no space left on device")

        full.setattr(Database, "execute", refuse)
        registry.change(ONE.id, name="two")
        now = registry.set_state(ONE.id, status="running")
    assert read_back(path) == [ONE]
    registry.save()
    assert read_back(path) == [now]


def test_a_database_of_before_is_read(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(f"{SCHEMA_STEPS[0]} PRAGMA user_version = 1;")
        connection.execute(
            "INSERT INTO containers (id, name, created_ns, document) VALUES (?, ?, ?, ?)",
            (ONE.id, ONE.name, 1, json.dumps(docker_json.encode(ONE))),
        )
    assert read_back(path) == [ONE]
