"""A copy out of a container that is being removed ends in a 404, not in the engine's log."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.api.archive_handlers import _while_there
from engine.api.server import as_engine_error
from engine.errors import EngineError, NotFoundError


def told(*known: str) -> Exception:
    """What a client is told of a file that vanished, where only `known` containers are there."""

    def get(container_id: str) -> None:
        if container_id not in known:
            raise NotFoundError(f"No such container: {container_id}")

    engine: Any = SimpleNamespace(containers=SimpleNamespace(get=get))
    container: Any = SimpleNamespace(id="a")
    with pytest.raises((EngineError, ExceptionGroup)) as caught, _while_there(engine, container):
        raise ExceptionGroup("of a nursery", [FileNotFoundError(2, "gone")])
    return as_engine_error(caught.value)


def test_files_that_vanish_with_their_container() -> None:
    assert isinstance(told(), NotFoundError)
    assert isinstance(told("a"), FileNotFoundError)
