"""What errors become on their way out: the host's limits in words, connections as they are."""

from __future__ import annotations

import errno

import pytest
import trio

from engine.api.server import as_engine_error
from engine.errors import ConflictError, HostLimitError


def test_an_error_comes_out_of_its_nurseries() -> None:
    inner = ConflictError("taken")
    assert as_engine_error(ExceptionGroup("a", [ExceptionGroup("b", [inner])])) is inner
    both = ExceptionGroup("a", [inner, ValueError("x")])
    assert as_engine_error(both) is both


def test_what_the_host_has_run_out_of_is_said() -> None:
    full = as_engine_error(OSError(errno.ENOSPC, "No space left on device", "/x"))
    assert isinstance(full, HostLimitError)
    assert str(full).startswith("No space left on device: /x (free space")
    other = OSError(errno.EIO, "Input/output error")
    assert as_engine_error(other) is other


def test_a_client_that_has_gone_is_no_fault_of_ours() -> None:
    with pytest.raises(trio.BrokenResourceError):
        as_engine_error(ExceptionGroup("a", [trio.BrokenResourceError()]))
