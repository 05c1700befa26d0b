"""The machine goes down with everything on it and comes up again: what has a policy for it runs."""

from __future__ import annotations

import os
import signal
from contextlib import closing, suppress
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import pytest

from tests.integration.engine.containers.lives import connected, emptied_engine, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.own_engine import OwnEngine

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"
SLEEP = ["sleep", "1000"]
PAGE = "busybox mkdir -p /www; echo page > /www/index.html; exec busybox httpd -f -p 80 -h /www"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[OwnEngine]:
    # Each life of the machine has a network of its own: none of the one before is left in it.
    with emptied_engine(tmp_path, "10.103.0.0/18", prefix=("unshare", "--net")) as engine:
        yield engine


def reboot(engine: OwnEngine) -> None:
    """Kill all that belongs to the engine at once, forget what lay in memory, start an engine."""
    mark = str(engine.folder).encode()
    doomed = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (place / "environ").read_bytes():
                doomed.append(os.pidfd_open(int(place.name)))
    for pidfd in doomed:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)
    until(lambda: mark not in b"".join(map(_environ, Path("/proc").glob("[0-9]*"))), 10)
    rmtree(engine.run_dir)
    started = engine.command("serve", "--detach")
    assert started.returncode == 0, started.stderr


def _environ(place: Path) -> bytes:
    with suppress(OSError):
        return (place / "environ").read_bytes()
    return b""


def test_what_has_a_policy_for_it_runs_after_a_boot(engine: OwnEngine) -> None:
    with closing(connected(engine)) as client:
        client.networks.create("tests-boot")

        def run(name: str, policy: str, command: list[str] = SLEEP, **more: object) -> None:
            client.containers.run(
                IMAGE, command, name=name, detach=True, restart_policy={"Name": policy}, **more
            )

        for policy in ("no", "on-failure", "unless-stopped", "always"):
            run(f"{policy}-ran", policy)
            run(f"{policy}-stopped", policy)
            client.containers.get(f"{policy}-stopped").stop(timeout=0)
        client.containers.create(IMAGE, SLEEP, name="always-new", restart_policy={"Name": "always"})
        run("always-ended", "on-failure", ["true"])
        run("always-paused", "always")
        client.containers.get("always-paused").pause()
        check = {"test": ["CMD", "cat", "/www/index.html"], "interval": 10**9}
        run("server", "always", ["sh", "-c", PAGE], network="tests-boot", healthcheck=check)
        run("joined", "always", network_mode="container:server")
        run("caller", "unless-stopped", network="tests-boot")
        run("removed", "no", auto_remove=True)
        client.containers.get("always-ended").wait()
        reboot(engine)

        def states() -> dict[str, tuple[str, int]]:
            shown = [client.api.inspect_container(c.id) for c in client.containers.list(all=True)]
            return {s["Name"][1:]: (s["State"]["Status"], s["State"]["ExitCode"]) for s in shown}

        running, killed = ("running", 0), ("exited", 137)
        wanted = {
            "no-ran": ("exited", 255), "no-stopped": killed,
            "on-failure-ran": running, "on-failure-stopped": killed,
            "unless-stopped-ran": running, "unless-stopped-stopped": killed,
            "always-ran": running, "always-stopped": running,
            "always-new": ("created", 0), "always-ended": ("exited", 0), "always-paused": running,
            "server": running, "joined": running, "caller": running,
        }  # fmt: skip
        with suppress(AssertionError):
            until(lambda: states() == wanted)
        assert states() == wanted
        said = client.containers.get("caller").exec_run(
            ["sh", "-c", "until busybox wget -qO- http://server/; do sleep 0.1; done"]
        )
        assert said.output.endswith(b"page\n")
        shared = client.containers.get("joined").exec_run(["cat", "/proc/net/dev"]).output
        assert (
            shared.split()[::17]
            == (
                client.containers.get("server")
                .exec_run(["cat", "/proc/net/dev"])
                .output.split()[::17]
            )
        )
        server = client.containers.get("server")
        until(lambda: server.reload() or server.health == "healthy")
