"""`docker diff`: what an overlay's upper folder changes of its lower ones.

Rules: a whiteout is a deletion; what no lower layer shows is an addition; the rest, and every folder
on the way, is a modification. What the engine itself puts into every container (hosts, /dev ...) is
not the container's doing. Blocks: call it in a thread. Source: the kernel's overlayfs.rst.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from engine.containers.model import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

OPAQUE = "trusted.overlay.opaque"
#: Places that every container gets from the engine; Docker has them in a layer of its own.
ENGINES = frozenset(
    {
        "/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab",
        "/.dockerenv",
    }
)  # fmt: skip


def find_changes(upper: str, lower: Sequence[str]) -> list[Change]:
    """All changes, by path. `lower` has the topmost layer first."""
    found = [change for change in _below(upper, "", list(lower)) if change.path]
    return sorted(found, key=lambda change: change.path)


def _below(upper: str, path: str, lower: list[str]) -> list[Change]:
    """The changes below a folder of the upper layer; `lower` are the layers that show through."""
    found: list[Change] = []
    names = set()
    for entry in os.scandir(f"{upper}{path}"):
        names.add(entry.name)
        here = f"{path}/{entry.name}"
        if here not in ENGINES:
            found += _entry(upper, here, entry.stat(follow_symlinks=False), lower)
    if path and _is_opaque(f"{upper}{path}"):
        hidden = {name for layer in lower for name in _names(f"{layer}{path}")} - names
        found += [Change(f"{path}/{name}", 2) for name in hidden]
    return found


def _entry(upper: str, path: str, status: os.stat_result, lower: list[str]) -> list[Change]:
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return [Change(path, 2)]
    below = _visible(lower, path)
    if not stat.S_ISDIR(status.st_mode):
        return [Change(path, 1 if below is None else 0)]
    inside = _below(upper, path, lower if below else [])
    if below is None:
        return [Change(path, 1), *inside] if inside or not _only_engines(upper, path) else []
    same = stat.S_ISDIR(below.st_mode) and _owner_and_mode(below) == _owner_and_mode(status)
    if not inside and same and _only_engines(upper, path):
        return []  # it is here because of what the engine put into it
    return [Change(path, 0), *inside]


def _visible(lower: list[str], path: str) -> os.stat_result | None:
    """What the layers below show at a path."""
    for layer in lower:
        try:
            status = os.lstat(f"{layer}{path}")
        except (FileNotFoundError, NotADirectoryError):
            if _hides(layer, path):
                return None
            continue
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            return None
        return status
    return None


def _hides(layer: str, path: str) -> bool:
    """Whether a layer hides what is below at a path by something above it."""
    folder = os.path.dirname(path)
    while folder not in ("", "/"):
        try:
            status = os.lstat(f"{layer}{folder}")
        except (FileNotFoundError, NotADirectoryError):
            folder = os.path.dirname(folder)
            continue
        return not stat.S_ISDIR(status.st_mode) or _is_opaque(f"{layer}{folder}")
    return False


def _only_engines(upper: str, path: str) -> bool:
    names = os.listdir(f"{upper}{path}")
    return bool(names) and all(
        f"{path}/{name}" in ENGINES or _only_engines_folder(upper, f"{path}/{name}")
        for name in names
    )


def _only_engines_folder(upper: str, path: str) -> bool:
    folder = f"{upper}{path}"
    return os.path.isdir(folder) and not os.path.islink(folder) and _only_engines(upper, path)


def _owner_and_mode(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_uid, status.st_gid, status.st_mode


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _is_opaque(folder: str) -> bool:
    try:
        return os.getxattr(folder, OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False
