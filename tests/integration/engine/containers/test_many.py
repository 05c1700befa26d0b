"""300 idle containers: the last start costs what the first did, and all of it stays small."""

from __future__ import annotations

import os
import statistics
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import docker
import pytest

from tests.bench.engine import Meter, engine_processes, memory_kib, monitors, started
from tests.bench.sides import import_image
from tests.own_engine import running_engine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root
COUNT, SOME = 300, 60


def test_the_last_of_300_is_no_dearer_than_the_first(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: namespaces, cgroups and mounts are made for real")
    meter = Meter()
    with meter.running(), running_engine(tmp_path, "10.102.128.0/17") as engine:
        import_image(engine.host)
        with closing(docker.DockerClient(base_url=engine.host, timeout=60)) as client:
            try:
                check_costs(client, meter)
            finally:  # what fails here leaves no 300 containers behind
                for container in client.containers.list(all=True, ignore_removed=True):
                    container.remove(force=True)
                client.networks.prune()


def check_costs(client: docker.DockerClient, meter: Meter) -> None:
    made, cpu, _ = started(client, meter, COUNT, "10.102.192.0/18")
    costs = [after - before for before, after in pairwise(cpu)]
    first, last = statistics.median(costs[:SOME]), statistics.median(costs[-SOME:])
    # Others on the machine come and go between the first and the last.
    assert last < 1.3 * first + 0.5, (first, last)
    pids = monitors(made, client)
    assert statistics.mean(memory_kib(pid, "Pss") for pid in pids) < 0.7 * 1024
    helpers = engine_processes(meter).values()
    assert sum(memory_kib(pid, "Pss") for pid in helpers) < 65 * 1024
