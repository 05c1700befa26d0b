"""Mounts below a container's root, made by descriptor: a swapped symlink cannot lead out.

Rules: every path is resolved with openat2(RESOLVE_IN_ROOT) against the root's held descriptor; what
is mounted is a detached mount moved onto the descriptor just opened. Nothing here takes a host path
but a bind's source. Sources: mount(2), fsopen(2), open_tree(2), openat2(2), the OCI runtime-spec.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc
from engine.runtime.idmap import map_mount, map_to_owner
from engine.runtime.overlay import mount_overlay
from engine.runtime.user_namespace import WHAT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.runtime.spec import Mount
    from engine.runtime.user_namespace import Ids

ATTRIBUTES = {
    "ro": sc.MOUNT_ATTR_RDONLY,
    "nosuid": sc.MOUNT_ATTR_NOSUID,
    "nodev": sc.MOUNT_ATTR_NODEV,
    "noexec": sc.MOUNT_ATTR_NOEXEC,
    "noatime": sc.MOUNT_ATTR_NOATIME,
    "strictatime": sc.MOUNT_ATTR_STRICTATIME,
    "nodiratime": sc.MOUNT_ATTR_NODIRATIME,
}
PROPAGATION = {"private": sc.MS_PRIVATE, "slave": sc.MS_SLAVE, "shared": sc.MS_SHARED}
#: The option of a bind by which its owner is the container's user (see idmap).
MAP_OWNER = "map-owner"
_SEARCH = os.O_PATH | os.O_CLOEXEC
_IN_ROOT = sc.RESOLVE_IN_ROOT | sc.RESOLVE_NO_MAGICLINKS


def attributes_of(options: Iterable[str]) -> int:
    """The MOUNT_ATTR_ bits of mount(8) option names; names without a bit are passed over."""
    bits = 0
    for option in options:
        bits |= ATTRIBUTES.get(option, 0)
    return bits


def mount_filesystem(kind: str, data: str = "", attributes: int = 0, source: str = "") -> int:
    """A detached mount of a new file system of a kind, with its own options ("size=1m,mode=755").

    `source` is only a name, which df(1) shows.
    """
    context = sc.fsopen(kind)
    try:
        sc.fsconfig(context, sc.FSCONFIG_SET_STRING, "source", source or kind)
        for option in filter(None, data.split(",")):
            key, equals, value = option.partition("=")
            if equals:
                sc.fsconfig(context, sc.FSCONFIG_SET_STRING, key, value)
            else:
                sc.fsconfig(context, sc.FSCONFIG_SET_FLAG, key)
        sc.fsconfig(context, sc.FSCONFIG_CMD_CREATE)
        return sc.fsmount(context, attributes)
    finally:
        os.close(context)


def clone_mount(
    mount: Mount,
    who: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ids: Ids | None = None,
) -> int:
    """A detached copy of the mount that holds a bind's source, with its options applied.

    `who` tells the container's user and group, for whom an owner is mapped; `ids` maps all of it.
    """
    options = set(mount.options)
    recursive = "rbind" in options
    flags = sc.OPEN_TREE_CLONE | sc.OPEN_TREE_CLOEXEC | (sc.AT_RECURSIVE if recursive else 0)
    if mount.namespace:
        with inside(mount.namespace):
            tree = sc.open_tree(sc.AT_FDCWD, mount.source, flags)
    elif mount.subpath:
        tree = _clone_below(mount, flags)
    else:
        tree = sc.open_tree(sc.AT_FDCWD, mount.source, flags)
    attributes = attributes_of(options)
    if attributes:
        sc.mount_setattr(tree, set_=attributes, recursive=recursive)
    if MAP_OWNER in options:
        map_to_owner(tree, *who(), *((ids.first, ids.size) if ids else ()))
    elif ids:
        map_mount(tree, ids.namespace, WHAT, recursive=recursive)
    if "ro-top" in options:  # what is mounted below stays as it is
        sc.mount_setattr(tree, set_=sc.MOUNT_ATTR_RDONLY)
    for option in options:
        kind = PROPAGATION.get(option.removeprefix("r"))
        if kind:
            sc.mount_setattr(tree, propagation=kind, recursive=option.startswith("r"))
    return tree


def _clone_below(mount: Mount, flags: int) -> int:
    """What a subpath names, and nothing outside: whoever writes to the source may have put links."""
    source = os.open(mount.source, _SEARCH | os.O_DIRECTORY)
    try:
        spot = sc.openat2(source, mount.subpath, _SEARCH, _IN_ROOT)
    finally:
        os.close(source)
    try:
        return sc.open_tree(spot, "", flags | sc.AT_EMPTY_PATH)
    finally:
        os.close(spot)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """For a moment in another mount namespace, by its nsfs path. Single-threaded callers only."""
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    other = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sc.setns(other, sc.CLONE_NEWNS)
        try:
            yield
        finally:
            sc.setns(own, sc.CLONE_NEWNS)
    finally:
        os.close(own)
        os.close(other)


def make_mount(
    root: int,
    mount: Mount,
    who: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ids: Ids | None = None,
) -> None:
    """Make one mount of the spec at its target below `root`."""
    if mount.kind == "bind":
        detached = clone_mount(mount, who, ids)
        folder = stat.S_ISDIR(os.fstat(detached).st_mode)
    elif mount.layers:
        detached, folder = mount_overlay(mount.layers, ids), True
        if attributes := attributes_of(mount.options):
            sc.mount_setattr(detached, set_=attributes)
    else:
        detached = mount_filesystem(
            mount.kind, mount.data, attributes_of(mount.options), mount.source
        )
        folder = True
        if ids and mount.kind == "devpts":  # its folder alone is not of whoever mounts it
            os.chown(f"/proc/self/fd/{detached}", ids.first, ids.first)
    try:
        place(root, detached, mount.target, folder=folder)
    finally:
        os.close(detached)


def place(root: int, detached: int, target: str, *, folder: bool) -> None:
    """Move a detached mount onto `target`, which is made if it is missing."""
    spot = open_or_make(root, target, folder=folder)
    try:
        if stat.S_ISDIR(os.fstat(spot).st_mode) != folder:
            there, here = ("a folder", "a file") if folder else ("a file", "a folder")
            words = f"it is {there}, and {here} is in its place in the container"
            raise OSError(errno.ENOTDIR, words)
        sc.move_mount(detached, spot)
    finally:
        os.close(spot)


def open_or_make(root: int, path: str, *, folder: bool, mode: int = 0o755) -> int:
    """An O_PATH descriptor of `path` in the root, missing folders and the last part made.

    A dangling symlink inside the root is an error, never a way out. Raises OSError.
    """
    try:
        return sc.openat2(root, path, _SEARCH, _IN_ROOT)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    parent_path, _, name = path.rstrip("/").rpartition("/")
    if name in ("", ".", ".."):
        raise OSError(errno.ENOENT, f"cannot make {path}")
    parent = open_or_make(root, parent_path or "/", folder=True)
    try:
        if folder:
            os.mkdir(name, mode, dir_fd=parent)
        else:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=parent))
    except FileExistsError as error:
        raise OSError(errno.ELOOP, f"{path} is a symlink that leads nowhere") from error
    finally:
        os.close(parent)
    return sc.openat2(root, path, _SEARCH, _IN_ROOT)


def open_in_root(root: int, path: str, flags: int = _SEARCH) -> int | None:
    """A descriptor of what is at `path` in the root, None if there is nothing."""
    try:
        return sc.openat2(root, path, flags, _IN_ROOT)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def mask_all(root: int, paths: Iterable[str]) -> None:
    """Hide paths: /dev/null over a file, an empty read-only tmpfs over a folder; some may not be there.

    Raises OSError if a mount at /dev has put something else at /dev/null.
    """
    null = _null_device(root)
    try:
        for path in paths:
            _mask(root, path, null)
    finally:
        os.close(null)


def _mask(root: int, path: str, null: int) -> None:
    spot = open_in_root(root, path)
    if spot is None:
        return
    try:
        if stat.S_ISDIR(os.fstat(spot).st_mode):
            cover = mount_filesystem("tmpfs", "size=0,nr_inodes=1", sc.MOUNT_ATTR_RDONLY)
        else:
            cover = _copy_of(null)
        sc.move_mount(cover, spot)
        os.close(cover)
    finally:
        os.close(spot)


def _null_device(root: int) -> int:
    """/dev/null's descriptor. Raises OSError if something else is there.

    Otherwise a symlink in its place would show, writable, what was to be masked (CVE-2025-31133).
    """
    null = sc.openat2(root, "/dev/null", _SEARCH | os.O_NOFOLLOW, _IN_ROOT)
    status = os.fstat(null)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
        os.close(null)
        raise OSError(errno.EINVAL, "/dev/null in the container is not the null device")
    return null


def make_read_only(root: int, path: str) -> None:
    """Mount a path over itself, read-only; a path that is not there is passed over."""
    spot = open_in_root(root, path)
    if spot is None:
        return
    try:
        copy = _copy_of(spot, recursive=True)
        locked = os.fstatvfs(spot).f_flag
        keep = sc.MOUNT_ATTR_RDONLY
        keep |= sc.MOUNT_ATTR_NOSUID if locked & os.ST_NOSUID else 0
        sc.mount_setattr(copy, set_=keep, recursive=True)
        sc.move_mount(copy, spot)
        os.close(copy)
    finally:
        os.close(spot)


def _copy_of(fd: int, *, recursive: bool = False) -> int:
    flags = sc.OPEN_TREE_CLONE | sc.OPEN_TREE_CLOEXEC | sc.AT_EMPTY_PATH
    return sc.open_tree(fd, "", flags | (sc.AT_RECURSIVE if recursive else 0))
