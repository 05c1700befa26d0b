"""A cell for each test: its containers, and the proof that nothing of them is left."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.processes.client import open_fork_server
from engine.processes.spawn import spawn
from tests.integration.engine.cell import Cell, make_root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root: namespaces, cgroups and mounts are made for real")


@pytest.fixture(scope="session")
def busybox_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system that nobody writes to; overlays stand on it."""
    if not Path("/bin/busybox").exists():
        pytest.skip("needs Debian's package busybox-static")
    folder = tmp_path_factory.mktemp("root") / "busybox"
    make_root(folder)
    return folder


@pytest.fixture
def own_cell(tmp_path: Path, busybox_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    """A cell without a fork server yet; afterwards nothing of it may be left."""
    made = Cell(tmp_path, f"t{secrets.token_hex(6)}", busybox_root)
    monkeypatch.setenv("PYCOMPOSE_ROOT", str(tmp_path))  # what is forked from here carries it
    for above in (tmp_path, *tmp_path.parents):
        if above.owner() == "root" and str(above).startswith("/tmp/pytest"):
            above.chmod(0o711)  # users inside get through to what is bound
    yield made
    deadline = time.monotonic() + 10
    while (left := made.leftovers()) and time.monotonic() < deadline:
        time.sleep(0.01)  # processes on their way out: no event tells
    assert left == []


@pytest.fixture
async def cell(own_cell: Cell) -> AsyncIterator[Cell]:
    """A cell with a fork server."""
    helper = spawn("engine.processes.fork_server", seen_inside=True)
    with closing(helper), open_fork_server(helper.channel) as forks:
        own_cell.forks = forks
        yield own_cell
        await own_cell.end()
