"""One engine in a namespace of its own for the tests of a module; each test leaves it empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.engine.networks.town import Town, open_town

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def whole_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town"), "10.104.0.0/16") as town:
        yield town


@pytest.fixture
def town(whole_town: Town) -> Iterator[Town]:
    try:
        yield whole_town
    finally:
        whole_town.clear()
