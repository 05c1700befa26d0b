"""Mounts of type image: another image's files, with a writable layer that lives as long as the container.

A subpath is taken of each layer by itself, as far up as none hides what is below; it may lead through no
symlink, since that would be resolved outside of the image. Blocks for a few lookups.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from engine.containers.changes import OPAQUE
from engine.errors import InvalidRequestError, NotFoundError
from engine.runtime import syscalls as sc
from engine.runtime.spec import Rootfs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.containers.model import MountPoint

_RESOLVE = sc.RESOLVE_IN_ROOT | sc.RESOLVE_NO_MAGICLINKS | sc.RESOLVE_NO_SYMLINKS


def overlay_of(point: MountPoint, lower: Sequence[str], folder: Path) -> Rootfs:
    """What an image mount is made of; `folder` is the container's, `lower` topmost first.

    Raises NotFoundError for a subpath that is not in the image, InvalidRequestError for a symlink.
    """
    own = folder / "images" / point.destination.strip("/").replace("/", "-")
    for name in ("upper", "work"):
        (own / name).mkdir(parents=True, exist_ok=True, mode=0o755)
    layers = layers_below(lower, point.subpath.strip("/"), point.source)
    return Rootfs(tuple(layers), str(own / "upper"), str(own / "work"), "")


def layers_below(lower: Sequence[str], subpath: str, image: str) -> list[str]:
    """The folders that a subpath of an image is made of, topmost first."""
    if not subpath:
        return list(lower)
    found: list[str] = []
    for layer in lower:
        place, hides = _look(layer, subpath, image)
        if place:
            found.append(place)
        if hides:
            break
    if not found:
        raise NotFoundError(f"cannot find {subpath!r} in the image {image}")
    return found


def _look(layer: str, subpath: str, image: str) -> tuple[str, bool]:
    """(the folder in one layer, "" if it has none; whether the layer hides what is below it)."""
    root = os.open(layer, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    here = ""
    hides = False
    try:
        for part in subpath.split("/"):
            here = f"{here}/{part}"
            try:
                fd = sc.openat2(root, here, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, _RESOLVE)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise InvalidRequestError(
                        f"the subpath {subpath!r} leads through a symlink in the image {image}"
                    ) from error
                # Not there, or a whiteout or a file in its place.
                return "", hides or error.errno == errno.ENOTDIR
            hides = hides or _is_opaque(fd)
            os.close(fd)
    finally:
        os.close(root)
    return f"{layer}/{subpath}", hides


def _is_opaque(fd: int) -> bool:
    try:
        return os.getxattr(f"/proc/self/fd/{fd}", OPAQUE) == b"y"
    except OSError:
        return False
