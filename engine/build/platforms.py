"""Platforms of a build: what this host runs by itself or by binfmt_misc, and what is asked for.

Source: https://docs.kernel.org/admin-guide/binfmt-misc.html (flag F: the interpreter is opened when it
is registered, so it is found from inside a container).
"""

from __future__ import annotations

from pathlib import Path

from engine.errors import InvalidRequestError, NotSupportedError
from engine.images.platforms import local_platform
from engine.images.registry.manifest import Platform

__all__ = ["can_run", "check_runs", "local_platform", "read_platform", "read_platforms"]
BINFMT = Path("/proc/sys/fs/binfmt_misc")
#: QEMU's names of architectures, where they are not the platform's own.
_QEMU = {"amd64": "x86_64", "arm64": "aarch64", "386": "i386", "ppc64le": "ppc64le"}
#: What a processor runs beside its own.
_ALSO = {"amd64": ("386",)}


def read_platforms(text: str, own: Platform) -> tuple[Platform, ...]:
    """The platforms that a request asks for, "linux/amd64,linux/arm64": each once, in order.

    Raises InvalidRequestError, NotSupportedError.
    """
    asked = [part.strip() for part in text.split(",")]
    return tuple(dict.fromkeys(read_platform(part, own) for part in asked if part or not text))


def read_platform(text: str, own: Platform) -> Platform:
    """The platform that a request asks for; `own` where it asks for none, or for it by any variant.

    Raises InvalidRequestError, NotSupportedError.
    """
    if not text:
        return own
    try:
        wanted = Platform.parse(text)
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error
    if wanted.os != "linux":
        raise NotSupportedError(f"cannot build for {wanted}: this host runs {own} only")
    return own if wanted.architecture == own.architecture else wanted


def can_run(wanted: Platform, own: Platform, registered: Path = BINFMT) -> bool:
    """Whether programs of a platform run on this host, by itself or by an interpreter."""
    if wanted.architecture in (own.architecture, *_ALSO.get(own.architecture, ())):
        return True
    name = f"qemu-{_QEMU.get(wanted.architecture, wanted.architecture)}"
    try:
        lines = (registered / name).read_text().splitlines()
    except OSError:
        return False
    flags = next((line.removeprefix("flags:") for line in lines if line.startswith("flags:")), "")
    return "enabled" in lines and "F" in flags


def check_runs(wanted: Platform, own: Platform, registered: Path = BINFMT) -> None:
    """Raises NotSupportedError where `can_run` is False."""
    if not can_run(wanted, own, registered):
        raise NotSupportedError(
            f"cannot run programs for {wanted}: this host runs {own} only",
            hint="register an emulator with binfmt_misc (Debian: qemu-user-static), or do it in a "
            "stage FROM --platform=$BUILDPLATFORM and COPY the result",
        )
