"""What a container leaves of its mounts in the upper folder: empty files and folders to mount on. Blocking."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def strip_mount_points(upper: Path, lower: tuple[str, ...], targets: tuple[str, ...]) -> None:
    """Take out of a RUN's layer what was made there only to mount on: empty, and new in this layer."""
    for target in targets:
        name = posixpath.normpath(target).strip("/")
        while name and _is_leftover(upper, name):
            if any(os.path.lexists(f"{layer}/{name}") for layer in lower):
                break
            path = upper / name
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
            name = posixpath.dirname(name)


def _is_leftover(upper: Path, name: str) -> bool:
    """Whether the path leads through no symlink to an empty folder or file."""
    path = upper
    for part in name.split("/"):
        path /= part
        if path.is_symlink():
            return False
    if path.is_dir():
        return not any(path.iterdir())
    return path.is_file() and not path.stat().st_size
