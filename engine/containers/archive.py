"""`docker cp`: a path of a container as a tar, a tar into a container, and what is at a path.

Rules: a path is resolved on a held descriptor of the container's root (openat2, RESOLVE_IN_ROOT), so
no symlink of the image leads to the host. A stopped container's volumes are reached by their own
folders. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import os
import posixpath
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from engine.containers.model import PathStat
from engine.errors import ForbiddenError, InvalidRequestError, NotFoundError
from engine.images.compression import open_tar
from engine.images.pack import pack_layer
from engine.images.unpack import unpack_layer
from engine.runtime import mounting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from engine.containers.model import Container, MountPoint
    from engine.runtime.spec import Rootfs

#: Go's FileMode bits, which are not the kernel's (io/fs).
_GO_BITS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}


@contextmanager
def opened_root(
    container: Container, rootfs: Rootfs, volumes: Mapping[str, str], path: str
) -> Iterator[tuple[int, str, MountPoint | None]]:
    """(descriptor, the path below it, the mount it is in): where a container's path is to be looked up."""
    wanted = "/" + posixpath.normpath("/" + path).lstrip("/")
    point = _mount_of(container, wanted)
    if container.state.running:
        root = os.open(
            f"/proc/{container.state.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        )
        below = wanted
    elif point is not None and point.type in ("bind", "volume"):
        source = volumes[point.name] if point.type == "volume" else point.source
        root = os.open(source, os.O_PATH | os.O_CLOEXEC)
        below = "/" + wanted[len(point.destination) :].lstrip("/")
    else:
        root = mounting.mount_overlay(rootfs)
        below = wanted
    try:
        yield root, below, point
    finally:
        os.close(root)


def _mount_of(container: Container, path: str) -> MountPoint | None:
    found = [
        point
        for point in container.mounts
        if path == point.destination or path.startswith(f"{point.destination.rstrip('/')}/")
    ]
    return max(found, key=lambda point: len(point.destination), default=None)


def stat_path(root: int, path: str, shown: str) -> PathStat:
    """What is at a path; a symlink itself, not what it points to. Raises NotFoundError."""
    parent, name = posixpath.split(path.rstrip("/"))
    folder = _open(root, parent or "/", shown)
    try:
        if not name:
            status, link = os.stat(f"/proc/self/fd/{folder}"), ""
        else:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            link = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(status.st_mode) else ""
    except OSError as error:
        raise NotFoundError(f"Could not find the file {shown} in container") from error
    finally:
        os.close(folder)
    return PathStat(
        posixpath.basename(shown.rstrip("/")) or "/", status.st_size, go_mode(status.st_mode),
        status.st_mtime_ns, link,
    )  # fmt: skip


def go_mode(mode: int) -> int:
    """A kernel mode in Go's FileMode bits."""
    value = mode & 0o777 | _GO_BITS.get(stat.S_IFMT(mode), 0)
    value |= 1 << 23 if mode & stat.S_ISUID else 0
    value |= 1 << 22 if mode & stat.S_ISGID else 0
    return value | (1 << 20 if mode & stat.S_ISVTX else 0)


def read_path(root: int, path: str, shown: str, out: IO[bytes]) -> None:
    """The tar of a file or folder, its names beginning with its own. Raises NotFoundError."""
    import tarfile

    name = posixpath.basename(shown.rstrip("/")) or "."
    parent, base = posixpath.split(path.rstrip("/"))
    folder = _open(root, parent or "/", shown)
    try:
        place = f"/proc/self/fd/{folder}/{base}" if base else f"/proc/self/fd/{folder}"
        with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            archive.add(place, name, recursive=True)
    except FileNotFoundError as error:
        raise NotFoundError(f"Could not find the file {shown} in container") from error
    finally:
        os.close(folder)


def write_path(
    container: Container, root: int, path: str, point: MountPoint | None, raw: IO[bytes]
) -> None:
    """Unpack a tar into a folder of the container. Raises NotFoundError, ForbiddenError."""
    if point is not None and not point.rw:
        raise ForbiddenError(f"container path {path} is in a read-only mount")
    if point is None and container.host_config.readonly_rootfs:
        raise ForbiddenError("container rootfs is marked read-only")
    folder = _open(root, path, path)
    try:
        if not stat.S_ISDIR(os.fstat(folder).st_mode):
            raise InvalidRequestError("extraction point is not a directory")
        unpack_layer(open_tar(raw), _path(f"/proc/self/fd/{folder}"))
    finally:
        os.close(folder)


def export_root(root: int, out: IO[bytes]) -> None:
    """The whole root file system as a tar."""
    pack_layer(f"/proc/self/fd/{root}", out)


def _open(root: int, path: str, shown: str) -> int:
    fd = mounting.open_in_root(root, path)
    if fd is None:
        raise NotFoundError(f"Could not find the file {shown} in container")
    return fd


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)
