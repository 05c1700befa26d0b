"""An engine of the tests' own that docker-py talks to, with nothing left in it at the end."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import docker

from tests.bench.sides import import_image
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def connected(engine: OwnEngine) -> docker.DockerClient:
    return docker.DockerClient(base_url=engine.host, timeout=30)


@contextmanager
def emptied_engine(folder: Path, pool: str, *, prefix: tuple[str, ...] = ()) -> Iterator[OwnEngine]:
    """It has busybox; `prefix` as `running_engine` has it."""
    with running_engine(folder, pool, prefix=prefix) as engine:
        import_image(engine.host)
        yield engine
        with closing(connected(engine)) as client:
            for container in client.containers.list(all=True):
                container.remove(force=True, v=True)
            client.networks.prune()


def kill(engine: OwnEngine) -> None:
    """End the engine's process by SIGKILL, and see it gone."""
    pidfd = os.pidfd_open(engine.pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    select.select([pidfd], [], [], 10)
    os.close(pidfd)


def kill_and_start(engine: OwnEngine, pause: float = 0.0) -> None:
    """SIGKILL, no engine for `pause` seconds, then the next one."""
    kill(engine)
    time.sleep(pause)  # what happens meanwhile is what the test is about
    started = engine.command("serve", "--detach")
    assert started.returncode == 0, started.stderr


def until(told: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something is so, which an engine or the kernel does in its own time. Fails if it never is."""
    deadline = time.monotonic() + seconds
    while not told():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # an engine that has just been killed has no events to listen to
