"""A laboratory for each test that wants one."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from tests.integration.networking.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root: namespaces are made for real")


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A host in a namespace of its own."""
    made = Lab()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True, scope="session")
def descriptors() -> Iterator[None]:
    """As many as we may have: thousands of clients are processes elsewhere, and sockets here."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
