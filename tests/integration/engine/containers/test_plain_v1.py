"""A host without a unified cgroup hierarchy: containers live, and pause means that they stand still."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

from engine.host import probe_host
from tests.integration.engine.containers.lives import connected, emptied_engine, kill_and_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container

    from tests.own_engine import OwnEngine

pytestmark = pytest.mark.root
IMAGE = "busybox:bench"
#: The engine's own mount namespace lacks the unified hierarchy; its controllers are v1's as before.
PLAIN = (
    "unshare", "--mount", "sh", "-c",
    '! mountpoint -q /sys/fs/cgroup/unified || umount -l /sys/fs/cgroup/unified; exec "$@"', "sh",
)  # fmt: skip
COUNT = "n=0; while :; do n=$((n+1)); echo $n > /n; done"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    if probe_host().cgroup_mode == "v2":
        pytest.skip("this host has cgroup v2 alone: there are no v1 hierarchies to test with")
    folder = tmp_path_factory.mktemp("engine")
    with emptied_engine(folder, "10.103.208.0/20", prefix=PLAIN) as engine:
        yield engine


def ticks(container: Container) -> int:
    """The CPU time that its PID 1 has had so far."""
    container.reload()
    stat = Path(f"/proc/{container.attrs['State']['Pid']}/stat").read_text()
    return sum(map(int, stat.rpartition(")")[2].split()[11:13]))


def stands_still(container: Container) -> bool:
    before = ticks(container)
    time.sleep(0.2)  # the time in which it would have run
    return ticks(container) == before


def goes_on(container: Container) -> bool:
    before, deadline = ticks(container), time.monotonic() + 20
    while ticks(container) == before and time.monotonic() < deadline:
        pass  # a busy machine gives it its turn in its own time
    return ticks(container) > before


def test_a_paused_container_stands_still_and_goes_on(engine: OwnEngine) -> None:
    with closing(connected(engine)) as client:
        busy = client.containers.run(IMAGE, ["sh", "-c", COUNT], detach=True)
        assert goes_on(busy)
        busy.pause()
        assert stands_still(busy)
        kill_and_start(engine)
        assert client.api.inspect_container(busy.id)["State"]["Status"] == "paused"
        assert stands_still(busy)
        with pytest.raises(docker.errors.APIError, match="is paused"):
            busy.exec_run(["true"])
        busy.unpause()
        assert goes_on(busy)
        assert busy.exec_run(["true"]).exit_code == 0
        busy.pause()
        assert stands_still(busy)
        busy.remove(force=True)


@pytest.mark.parametrize("verb", ["kill", "stop", "restart"])
def test_what_is_paused_can_be_ended(engine: OwnEngine, verb: str) -> None:
    with closing(connected(engine)) as client:
        one = client.containers.run(IMAGE, ["sh", "-c", "sleep 1000 & sleep 1000"], detach=True)
        one.pause()
        getattr(one, verb)(**({} if verb == "kill" else {"timeout": 1}))
        state = one.wait()["StatusCode"] if verb != "restart" else 0
        assert state in (0, 137)
        one.reload()
        assert one.status == ("running" if verb == "restart" else "exited")
        one.remove(force=True)


def test_limits_are_the_kernels(engine: OwnEngine) -> None:
    with closing(connected(engine)) as client:
        one = client.containers.run(IMAGE, ["tail", "/dev/zero"], mem_limit="20m", detach=True)
        assert one.wait()["StatusCode"] == 137
        assert client.api.inspect_container(one.id)["State"]["OOMKilled"]
        one.remove()
