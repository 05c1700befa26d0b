"""One engine for all builds of a module, with busybox:bench in it; nothing is left afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench.sides import busybox_tar
from tests.integration.engine.build.builds import Site
from tests.own_engine import running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Where images are built."""
    with running_engine(tmp_path_factory.mktemp("engine"), "10.106.0.0/17") as engine:
        found = Site(engine)
        found.call("POST", "/images/create?fromSrc=-&repo=busybox&tag=bench", busybox_tar())
        yield found
        for container in found.call("GET", "/containers/json?all=1"):
            found.call("DELETE", f"/containers/{container['Id']}?force=1")
