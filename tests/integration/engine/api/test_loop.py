"""The engine's loop keeps nobody waiting: measured by its own watch, under many clients at once."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import docker
import pytest

from engine.loop_watch import VARIABLE
from tests.bench.sides import import_image
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"
CHATTY = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exec sleep 1000"


@pytest.fixture
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "10.103.32.0/19") as engine:
        engine.environment[VARIABLE] = "10"
        assert engine.command("stop").returncode == 0
        assert engine.command("serve", "--detach").returncode == 0
        import_image(engine.host)
        yield engine


def live(host: str) -> None:
    """A container's life with all that looks at it."""
    check = {"test": ["CMD", "true"], "interval": 10**9}
    with closing(docker.DockerClient(base_url=host, timeout=60)) as client:
        for _ in range(3):
            container = client.containers.run(
                IMAGE, ["sh", "-c", CHATTY], detach=True, healthcheck=check, volumes=["/v"]
            )
            container.exec_run("true")
            container.logs()
            container.stats(stream=False)
            container.top()
            container.diff()
            b"".join(container.get_archive("/bin")[0])
            client.api.containers(all=True, size=True)
            client.df()
            client.info()
            container.stop(timeout=0)
            container.remove(v=True)


def test_no_step_takes_long_under_load(watched: OwnEngine) -> None:
    with closing(docker.DockerClient(base_url=watched.host, timeout=60)) as client:
        idle = [client.api.create_container(IMAGE, ["true"])["Id"] for _ in range(120)]
        with ThreadPoolExecutor(5) as crowd:
            list(crowd.map(live, [watched.host] * 5))
        assert len(client.api.containers(all=True)) == len(idle)
        client.containers.prune()
    said = (watched.run_dir / "engine.log").read_text()
    slow = [
        (float(found[1]), found[2])
        for found in re.finditer(r"slow step: ([\d.]+) ms before (.*)", said)
        if "_run.<locals>.run" not in found[2]  # the start, before anybody is served
    ]
    # A step that is slow by itself is so every time; one that waits for a thread that the machine has
    # taken the processor from is so now and then.
    often = [place for place, times in Counter(place for _, place in slow).items() if times > 3]
    assert not often, slow
