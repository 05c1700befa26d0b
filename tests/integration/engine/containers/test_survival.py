"""The engine is killed, at any moment: containers run on, and the next engine tells the truth about them."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import docker
import pytest
import requests

from tests.integration.engine.containers.lives import (
    connected,
    emptied_engine,
    kill_and_start,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.own_engine import OwnEngine

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"
PORT = 31207
GONE = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    with emptied_engine(tmp_path_factory.mktemp("engine"), "10.103.64.0/18") as engine:
        yield engine


def pids_of(container_id: str) -> set[int]:
    """The processes in a container's cgroup, whichever hierarchy tracks it."""
    found: set[int] = set()
    for folder, _, _ in os.walk("/sys/fs/cgroup"):  # others come and go while we look
        if folder.endswith(f"/{container_id}"):
            with suppress(OSError):
                found.update(map(int, Path(folder, "cgroup.procs").read_text().split()))
    return found


def lies(client: docker.DockerClient, engine: OwnEngine) -> list[str]:
    """What the engine says that is not so."""
    found = []
    known = set()
    for container in client.containers.list(all=True, ignore_removed=True):
        state = container.attrs["State"]
        known.add(container.id)
        pids = pids_of(container.id)
        if state["Running"] and not state["Restarting"] and state["Pid"] not in pids:
            found.append(f"{container.name} {state['Status']}: {state['Pid']} not in {pids}")
        if not state["Running"] and pids:
            found.append(f"{container.name} {state['Status']} has processes {pids}")
        found += [
            f"{container.name} {state['Status']} has {network['IPAddress']!r}"
            for network in container.attrs["NetworkSettings"]["Networks"].values()
            if bool(network["IPAddress"]) != bool(state["Running"]) and not state["Restarting"]
        ]
    for place in ("root", "run"):
        folder = engine.folder / place / "containers"
        strange = {path.name for path in folder.iterdir()} - known if folder.exists() else set()
        found += [f"a folder of nobody in {place}: {name}" for name in strange]
    return found


def live_at_random(engine: OwnEngine, chance: random.Random, stop: threading.Event) -> None:
    """One client that leads containers through their lives until it is told to stop."""
    with closing(connected(engine)) as client:
        while not stop.is_set():
            with suppress(*GONE):
                script = chance.choice(["exec sleep 1000", "exit 3", "trap 'exit 5' TERM; sleep 9"])
                made = client.containers.create(
                    IMAGE, ["sh", "-c", script], network="tests-survival",
                    restart_policy={"Name": chance.choice(["no", "on-failure", "always"])},
                )  # fmt: skip
                for verb in chance.choices(
                    ["start", "stop", "restart", "kill", "pause", "unpause"], k=6
                ):
                    with suppress(docker.errors.APIError):
                        getattr(made, verb)(
                            **({"timeout": 1} if verb in ("stop", "restart") else {})
                        )
                made.remove(force=True)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_a_random_moment_the_next_engine_tells_the_truth(
    engine: OwnEngine, seed: int
) -> None:
    chance = random.Random(seed)
    with closing(connected(engine)) as client:
        with suppress(docker.errors.APIError):
            client.networks.create("tests-survival", check_duplicate=True)
        stop = threading.Event()
        crowd = [
            threading.Thread(
                target=live_at_random, args=(engine, random.Random(f"{seed}-{n}"), stop)
            )
            for n in range(3)
        ]
        for one in crowd:
            one.start()
        time.sleep(chance.uniform(0.05, 0.6))  # any moment of theirs
        stop.set()
        kill_and_start(engine)
        for one in crowd:
            one.join()
        with suppress(AssertionError):
            until(lambda: not lies(client, engine), 10)
        assert lies(client, engine) == []
        for container in client.containers.list(all=True):
            container.remove(force=True)
        assert list((engine.folder / "root" / "containers").iterdir()) == []


def fetch() -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5) as answer:
        return bytes(answer.read())


def test_ports_names_health_and_policies_come_back(engine: OwnEngine) -> None:
    script = "busybox mkdir /www; echo page > /www/index.html; exec busybox httpd -f -p 80 -h /www"
    with closing(connected(engine)) as client:
        net = client.networks.create("tests-back")
        check = {"test": ["CMD", "cat", "/www/index.html"], "interval": 10**9, "retries": 1}
        server = client.containers.run(
            IMAGE, ["sh", "-c", script], name="tests-server", network="tests-back", detach=True,
            ports={"80/tcp": PORT}, healthcheck=check,
        )  # fmt: skip
        caller = client.containers.run(
            IMAGE, ["sleep", "1000"], name="tests-caller", network="tests-back", detach=True
        )
        ended = client.containers.run(
            IMAGE, ["sh", "-c", "sleep 1; exit 7"], name="tests-ended", detach=True
        )
        again = client.containers.run(
            IMAGE, ["sh", "-c", "sleep 1; exit 7"], name="tests-again", detach=True,
            restart_policy={"Name": "on-failure", "MaximumRetryCount": 1},
        )  # fmt: skip
        stopped = client.containers.run(
            IMAGE, ["sleep", "1000"], name="tests-unless", detach=True,
            restart_policy={"Name": "unless-stopped"},
        )  # fmt: skip
        always = client.containers.run(
            IMAGE, ["sleep", "1000"], name="tests-always", detach=True,
            restart_policy={"Name": "always"},
        )  # fmt: skip
        frozen = client.containers.run(IMAGE, ["sleep", "1000"], name="tests-paused", detach=True)
        frozen.pause()
        stopped.stop()
        always.stop()
        began = client.api.inspect_container(server.id)["State"]["StartedAt"]
        kill_and_start(engine, pause=1.2)

        def states() -> dict[str, tuple[str, int]]:
            shown = [client.api.inspect_container(c.id) for c in (ended, again, stopped, always)]
            return {s["Name"]: (s["State"]["Status"], s["State"]["ExitCode"]) for s in shown}

        wanted = {
            "/tests-ended": ("exited", 7),
            "/tests-again": ("exited", 7),
            "/tests-unless": ("exited", 137),
            "/tests-always": ("running", 0),
        }
        with suppress(AssertionError):
            until(lambda: states() == wanted)
        assert states() == wanted
        assert client.api.inspect_container(again.id)["RestartCount"] == 1
        assert client.api.inspect_container(server.id)["State"]["StartedAt"] == began
        assert client.api.inspect_container(frozen.id)["State"]["Status"] == "paused"
        frozen.unpause()
        assert fetch() == b"page\n"
        said = caller.exec_run(["busybox", "wget", "-qO-", "http://tests-server/"])
        assert said.output == b"page\n"
        server.exec_run(["busybox", "rm", "/www/index.html"])
        until(
            lambda: (
                client.api.inspect_container(server.id)["State"]["Health"]["Status"] == "unhealthy"
            )
        )
        for container in client.containers.list(all=True):
            container.remove(force=True)
        net.remove()


def test_a_monitor_that_is_killed_takes_its_container_along(engine: OwnEngine) -> None:
    with closing(connected(engine)) as client:
        container = client.containers.run(
            IMAGE, ["sh", "-c", "sleep 1000 & sleep 1000"], detach=True
        )
        inner = client.api.inspect_container(container.id)["State"]["Pid"]
        stat = Path(f"/proc/{inner}/stat").read_text().rpartition(")")[2].split()
        os.kill(int(stat[1]), signal.SIGKILL)
        assert container.wait()["StatusCode"] == 137
        until(lambda: not pids_of(container.id), 5)
        container.start()
        assert container.exec_run(["sh", "-c", "echo on"]).output == b"on\n"
        container.remove(force=True)


def test_a_probe_that_hangs_does_not_outlive_its_engine(engine: OwnEngine) -> None:
    check = {"test": ["CMD-SHELL", "sleep 777 & sleep 777"], "timeout": 60 * 10**9}
    with closing(connected(engine)) as client:
        container = client.containers.run(IMAGE, ["sleep", "1000"], detach=True, healthcheck=check)

        def probes() -> set[str]:
            return {row[1] for row in container.top()["Processes"] if "777" in row[-1]}

        until(lambda: len(probes()) >= 2)
        old = probes()
        kill_and_start(engine)
        assert not old & probes()  # what is there now is the new engine's own
        container.remove(force=True)


def test_a_container_that_was_half_made_is_gone(engine: OwnEngine) -> None:
    with closing(connected(engine)) as client:
        made = [client.containers.create(IMAGE, ["true"]) for _ in range(3)]
        for container, name in zip(made, ("upper", "work"), strict=False):
            rmtree(engine.folder / "root" / "containers" / container.id / name)
        kill_and_start(engine)
        assert [one.id for one in client.containers.list(all=True)] == [made[-1].id]
        made[-1].remove()


def test_a_start_puts_nothing_into_the_containers_own_layer(engine: OwnEngine) -> None:
    with closing(connected(engine)) as client:
        container = client.containers.run(IMAGE, ["sleep", "1000"], detach=True)
        upper = engine.folder / "root" / "containers" / container.id / "upper"
        assert list(upper.iterdir()) == []
        assert container.exec_run(["cat", "/etc/hosts"]).exit_code == 0
        assert not container.diff()
        container.remove(force=True)
