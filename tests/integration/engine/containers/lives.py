"""An engine of the tests' own that docker-py talks to, with nothing left in it at the end."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import docker

from tests.bench.sides import import_image
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
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
