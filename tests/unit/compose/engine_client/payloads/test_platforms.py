"""Which platforms an image that is here is for."""

from __future__ import annotations

import pytest

from compose.engine_client.payloads.platforms import fits, platform_of, read_platform
from compose.errors import UsageError

ARM = {"Os": "linux", "Architecture": "arm64", "Variant": "v8"}


@pytest.mark.parametrize("text", ["linux/arm64", "linux/arm64/v8", "LINUX/aarch64", "arm64", "linux"])  # fmt: skip
def test_the_own_platform_fits(text: str) -> None:
    assert fits(ARM, text)


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm64/v7", "windows/arm64", "x86_64"])
def test_another_does_not(text: str) -> None:
    assert not fits(ARM, text)
    assert platform_of(ARM) == "linux/arm64/v8"


@pytest.mark.parametrize("text", ["", "linux/", "a/b/c/d"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no platform"):
        read_platform(text)
