"""Platforms as people write them, linux/arm64/v8: read, and compared with an image's. Pure."""

from __future__ import annotations

from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Other names of architectures, as the uname command has them. Source: containerd's platforms package.
ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}


def read_platform(text: str) -> tuple[str, str, str]:
    """OS, architecture, variant; "" for what is not said. Raises UsageError."""
    parts = text.strip().lower().split("/")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise UsageError(f'"{text}" is no platform: write os/architecture[/variant]')
    if len(parts) == 1:  # docker takes an architecture alone, too
        parts = [parts[0], ""] if parts[0] in ("linux", "windows") else ["linux", parts[0]]
    system, architecture, variant = [*parts, ""][:3]
    return system, ALIASES.get(architecture, architecture), variant


def fits(image: Mapping[str, Any], wanted: str) -> bool:
    """Whether an inspected image is for a platform."""
    system, architecture, variant = read_platform(wanted)
    own = (image.get("Os") or "linux", image.get("Architecture"), image.get("Variant") or "")
    return own[0] == system and architecture in ("", own[1]) and variant in ("", own[2])


def platform_of(image: Mapping[str, Any]) -> str:
    """An inspected image's platform in a word."""
    parts = (image.get("Os") or "linux", image.get("Architecture"), image.get("Variant"))
    return "/".join(part for part in parts if part)
