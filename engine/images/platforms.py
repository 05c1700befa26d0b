"""Which platform this host is."""

from __future__ import annotations

import platform as machine

from engine.images.registry.manifest import Platform

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def local_platform() -> Platform:
    """What this host runs."""
    name = machine.machine()
    variant = "v7" if name == "armv7l" else ""
    return Platform("linux", _ARCHITECTURES.get(name, name), variant)
