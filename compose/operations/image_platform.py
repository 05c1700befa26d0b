"""--platform of commands on images that are here: an image is kept for one platform, which it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.errors import ComposeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compose.operations.session import Session

#: Other names of architectures, as the uname command has them. Source: containerd's platforms package.
ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}


def check_platform(session: Session, names: Iterable[str], wanted: str) -> None:
    """Nothing if every image is for the platform. Raises UsageError, ComposeError, EngineRefusedError."""
    from compose.engine_client import image_calls
    from compose.operations.objects import ask

    read_platform(wanted)
    for name in names:
        image = ask(session, image_calls.inspect_image(name))
        if not fits(image, wanted):
            raise ComposeError(
                f"image with reference {name} was found but does not provide the specified platform "
                f"({wanted}): it is for {platform_of(image)}"
            )


def read_platform(text: str) -> tuple[str, str, str]:
    """OS, architecture, variant; "" for what is not said. Raises UsageError. Pure."""
    parts = text.strip().lower().split("/")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise UsageError(f'"{text}" is no platform: write os/architecture[/variant]')
    if len(parts) == 1:  # docker takes an architecture alone, too
        parts = [parts[0], ""] if parts[0] in ("linux", "windows") else ["linux", parts[0]]
    system, architecture, variant = [*parts, ""][:3]
    return system, ALIASES.get(architecture, architecture), variant


def fits(image: Mapping[str, Any], wanted: str) -> bool:
    """Whether an inspected image is for a platform. Pure."""
    system, architecture, variant = read_platform(wanted)
    own = (image.get("Os") or "linux", image.get("Architecture"), image.get("Variant") or "")
    return own[0] == system and architecture in ("", own[1]) and variant in ("", own[2])


def platform_of(image: Mapping[str, Any]) -> str:
    """An inspected image's platform in a word. Pure."""
    parts = (image.get("Os") or "linux", image.get("Architecture"), image.get("Variant"))
    return "/".join(part for part in parts if part)
