"""The host's own words in our errors."""

from __future__ import annotations

import errno

import pytest

from engine.errors import HostLimitError, host_errors


def test_what_the_host_refuses_is_told_with_what_helps() -> None:
    with pytest.raises(HostLimitError) as caught, host_errors():
        raise OSError(errno.ENOSPC, "No space left on device", "/x")
    assert str(caught.value).startswith("No space left on device: /x (free space")


def test_what_nothing_helps_against_is_told_too() -> None:
    with pytest.raises(HostLimitError, match="^Input/output error$"), host_errors():
        raise OSError(errno.EIO, "Input/output error")
