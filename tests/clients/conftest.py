"""One engine for all client tests of a module, with busybox:bench in it."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING

import docker
import pytest

from tests.bench.sides import import_image
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def own_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "10.195.0.0/16") as engine:
        import_image(engine.host)
        yield engine


@pytest.fixture(scope="module")
def client(own_engine: OwnEngine) -> Iterator[docker.DockerClient]:
    connected = docker.DockerClient(base_url=own_engine.host, timeout=30)
    try:
        yield connected
    finally:
        for container in connected.containers.list(all=True):
            container.remove(force=True, v=True)
        connected.close()
        with warnings.catch_warnings():
            # docker-py leaves the sockets of its streams to the garbage collector: now, not later.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
