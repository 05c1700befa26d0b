"""Idmapped mounts: ids that change places, or move up into a range, between a disk and those who look.

A bind's owner may change places with the container's user; a container of its own user namespace
sees the disk's ids from 0 as its own. Sources: mount_setattr(2) (MOUNT_ATTR_IDMAP),
user_namespaces(7).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc

if TYPE_CHECKING:
    from collections.abc import Mapping

#: One more than the largest id (the last is no id).
IDS = 2**32 - 1


def swapping_map(owner: int, user: int) -> str:
    """The lines of a uid_map (or gid_map) by which two ids change places. Pure."""
    if owner == user:
        return f"0 0 {IDS}\n"
    low, high = sorted((owner, user))
    spans = [(0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1)]
    spans.append((high + 1, high + 1, IDS - high - 1))
    return "".join(f"{inner} {outer} {size}\n" for inner, outer, size in spans if size)


def moved_map(lines: str, first: int, size: int) -> str:
    """A map whose outer ids 0 to `size` are moved up to begin at `first`; others are left out. Pure."""
    moved = ""
    for line in lines.splitlines():
        inner, outer, count = map(int, line.split())
        count = min(count, size - outer)
        if count > 0:
            moved += f"{inner} {first + outer} {count}\n"
    return moved


def map_to_owner(tree: int, uid: int, gid: int, first: int = 0, size: int = IDS) -> None:
    """Map a detached mount so that its owner is the user `uid` and its group `gid`. Raises OSError.

    `first` and `size` are the range of a container of its own user namespace.
    """
    status = os.fstat(tree)
    uids = moved_map(swapping_map(status.st_uid, uid), first, size)
    gids = moved_map(swapping_map(status.st_gid, gid), first, size)
    (namespace,) = new_namespaces(uids, gids)
    try:
        map_mount(tree, namespace, "map-owner")
    finally:
        os.close(namespace)


def map_mount(tree: int, namespace: int, what: str, *, recursive: bool = False) -> None:
    """Map a detached mount by a user namespace; `what` needs it. Raises OSError."""
    try:
        sc.mount_setattr(tree, set_=sc.MOUNT_ATTR_IDMAP, userns=namespace, recursive=recursive)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        words = f"its file system has no idmapped mounts, which {what} needs"
        raise OSError(errno.EINVAL, words) from error


def new_namespaces(
    uid_map: str, gid_map: str, others: Mapping[str, int] | None = None
) -> list[int]:
    """Descriptors of a new user namespace with these maps and of `others` (nsfs name: clone flag)
    that belong to it. Raises OSError. Single-threaded callers only.

    Their one process, a fork of ours, is gone when this returns.
    """
    others = others or {}
    made, tell_made = os.pipe2(os.O_CLOEXEC)
    go_on, let_go = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            os.close(let_go)
            sc.unshare(sc.CLONE_NEWUSER | sum(others.values()))
            os.write(tell_made, os.readlink("/proc/self").encode())  # as the host counts
            os.read(go_on, 1)
        finally:
            os._exit(0)
    os.close(tell_made)
    os.close(go_on)
    try:
        pid = os.read(made, 32).decode()
        if not pid:
            raise OSError(errno.EPERM, "cannot make a user namespace for its map")
        for name, text in (("uid_map", uid_map), ("gid_map", gid_map)):
            fd = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, text.encode())
            os.close(fd)
        return [
            os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
            for name in ("user", *others)
        ]
    finally:
        os.close(made)
        os.close(let_go)
        os.waitpid(child, 0)
