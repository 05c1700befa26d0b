"""The engine is killed at some point of a start, or later: the monitor finishes alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from engine.processes.client import read_exit
from engine.runtime.cgroups import tree
from tests.integration.engine.cell import Cell, until

pytestmark = pytest.mark.root


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def test_between_prepare_and_start_nothing_is_left(cell: Cell) -> None:
    spec = cell.spec("sleep", "100")
    prepared = await cell.prepare(spec)
    assert not gone(prepared.monitor.pid)
    prepared._channel.close()  # what the kernel does for a dead engine
    await until(gone, prepared.monitor.pid)
    await until(lambda: tree.folders_of(spec.cgroup) == [])


async def test_after_the_start_it_runs_on_and_its_end_is_known(cell: Cell) -> None:
    spec = cell.spec("sh", "-c", "sleep 0.2; exit 7")
    prepared = await cell.prepare(spec)
    await prepared.start()
    monitor = prepared.monitor
    monitor._hang_up()  # what the kernel does for a dead engine
    adopted = await cell.server.adopt(monitor.run_dir)
    assert adopted
    assert adopted.pid == monitor.pid
    with trio.fail_after(20):
        assert (await adopted.wait_exit()).exit_code == 7
    record = read_exit(monitor.run_dir)
    assert record
    assert record.exit_code == 7


async def test_a_monitor_that_is_killed_takes_its_container_along(cell: Cell) -> None:
    spec = cell.spec("sleep", "100")
    prepared = await cell.prepare(spec)
    await prepared.start()
    monitor = prepared.monitor
    stat = Path(f"/proc/{monitor.pid}/stat").read_text()
    os.kill(int(stat.rpartition(")")[2].split()[1]), 9)
    with trio.fail_after(20):
        assert (await monitor.wait_exit()).exit_code == 137
    await until(gone, monitor.pid)
    tree.kill_all(spec.cgroup)
    tree.remove(spec.cgroup)  # as the engine does for a container that nobody watched
