"""The local driver's options: what is mounted at a volume's folder while containers use it.

`type`, `device` and `o` mean what mount(8) calls so; with `o=bind` the device is a folder of the host
and nothing is mounted at all: it is used in place. Source: Docker's local volume driver.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import HostLimitError, InvalidRequestError, NotSupportedError
from engine.runtime import mounting
from engine.runtime import syscalls as sc

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("type", "device", "o", "size")
_NEEDS = {"device": ("type",), "type": ("device",), "o": ("device", "type")}
_BIND = ("bind", "rbind")
#: Words that mount(8) knows and that change nothing here.
_PLAIN = ("rw", "defaults", "async", "suid", "dev", "exec", "auto", "user", "_netdev", "relatime")


def no_driver(name: str) -> str:
    """The words for a driver that is not there, as Docker has them. Pure."""
    return (
        f'error looking up volume plugin {name}: plugin "{name}" not found '
        "(this engine has the local driver)"
    )


@dataclass(frozen=True, slots=True)
class MountPlan:
    """What the options ask for; `bind` uses the device in place."""

    kind: str
    device: str
    attributes: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    bind: bool = False

    @property
    def read_only(self) -> bool:
        """Nobody may write."""
        return "ro" in self.attributes


def plan_of(options: Mapping[str, str]) -> MountPlan | None:
    """The plan of a volume's options, None without any. Raises InvalidRequestError, NotSupportedError. Pure."""
    for name in options:
        if name not in NAMES:
            raise InvalidRequestError(
                f'invalid option: "{name}"', hint="the local driver has type, device, o"
            )
        for needed in _NEEDS.get(name, ()):
            if not options.get(needed):
                raise InvalidRequestError(f'missing required option: "{needed}"')
    if "size" in options:
        raise NotSupportedError("quota size requested but no quota support", hint="leave size out")
    if not options:
        return None
    words = [word for word in options.get("o", "").split(",") if word]
    bind = any(word in _BIND for word in words)
    device = options["device"]
    if bind and not device.startswith("/"):
        raise InvalidRequestError(f"the device of a bind must be an absolute path: {device!r}")
    return MountPlan(
        options["type"],
        device,
        tuple(word for word in words if word in mounting.ATTRIBUTES),
        tuple(w for w in words if w not in (*mounting.ATTRIBUTES, *_BIND, *_PLAIN)),
        bind=bind,
    )


def check_device(plan: MountPlan, name: str) -> None:
    """A bind's folder must be there. Raises InvalidRequestError. Blocks for a stat."""
    if plan.bind and not os.path.isdir(plan.device):
        raise InvalidRequestError(
            f"failed to mount local volume {name}: mount {plan.device}: no such file or directory",
            hint="make the folder first",
        )


def mount(plan: MountPlan, name: str, folder: str) -> None:
    """Mount at a volume's folder, unless it is so already. Blocks. Raises HostLimitError."""
    if is_mounted(folder):
        return
    try:
        data = ",".join(_with_address(plan))
        attributes = mounting.attributes_of(plan.attributes)
        detached = mounting.mount_filesystem(plan.kind, data, attributes, plan.device)
        try:
            spot = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sc.move_mount(detached, spot)
            finally:
                os.close(spot)
        finally:
            os.close(detached)
    except OSError as error:
        hint = (
            f"this kernel has no file system {plan.kind!r}" if error.errno == errno.ENODEV else ""
        )
        raise HostLimitError(
            f"error while mounting volume '{name}': failed to mount local volume: "
            f"mount {plan.device}, type {plan.kind}: {error.strerror}",
            hint=hint,
        ) from error


def _with_address(plan: MountPlan) -> list[str]:
    """NFS and CIFS want the server's address as a number; names are looked up, as Docker does."""
    words = []
    for word in plan.data:
        key, equals, value = word.partition("=")
        known = key == "addr" and equals and plan.kind in ("nfs", "nfs4", "cifs")
        words.append(f"addr={socket.gethostbyname(value)}" if known else word)
    return words


def unmount(folder: str) -> None:
    """Take away what is mounted at a volume's folder. Idempotent; what is in use goes when it is not."""
    if is_mounted(folder):
        sc.umount2(folder, sc.MNT_DETACH)


def is_mounted(folder: str) -> bool:
    """Whether something is mounted at the folder."""
    try:
        return os.stat(folder).st_dev != os.stat(os.path.dirname(folder)).st_dev
    except OSError:
        return False
