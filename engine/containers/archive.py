"""`docker cp` and `docker export`: where a container's path is, what is there, and tars out of it and into it.

Rules: a path is resolved on a held descriptor of the container's root (openat2, RESOLVE_IN_ROOT), so
no symlink of the image leads to the host. A stopped container's volumes are reached by their own
folders. Everything here blocks: call it in a thread. Source: docker cp's rules for paths.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from engine.containers.model import PathStat
from engine.containers.tar_in import Rules, read_tar
from engine.containers.tar_out import write_entry, write_folder
from engine.errors import (
    ConflictError,
    EngineError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
)
from engine.images.compression import open_tar
from engine.runtime import mounting
from engine.runtime.identity import IdentityError, read_identity
from engine.runtime.overlay import mount_overlay
from engine.runtime.pids import start_time
from engine.runtime.user_namespace import acting_as

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
#: What the kernel shows a running container, not files: of a copy of "/" they are empty folders.
HOLLOW = ("dev", "proc", "sys")
LINKS = 40  # followed one after the other, as the kernel has it


@dataclass(frozen=True, slots=True)
class Place:
    """A path of a container: what was asked for, the root it is below, its path there."""

    name: str  # the container's
    shown: str
    root: int
    below: str
    point: MountPoint | None
    first: int = 0  # the host's id for its 0, in a user namespace of a container that runs


@contextmanager
def opened(
    container: Container, rootfs: Rootfs, volumes: Mapping[str, str], path: str, *, writable: bool
) -> Iterator[Place]:
    """Where a container's path is to be looked up; `volumes` are their folders by name.

    Unless it is to be `writable`, what does not run is mounted read-only: two mounts with one work
    folder, one of them just going away, are in each other's way.

    Raises NotFoundError, ConflictError for a container that ends just now.
    """
    first = container.first_id if container.state.running else 0
    wanted = "/" + posixpath.normpath("/" + path).lstrip("/")
    slash = "/" if path.endswith(("/", "/.")) and wanted != "/" else ""
    point = _mount_of(container, wanted)
    if container.state.running:
        root, below = _root_of(container), wanted
    elif point is not None and point.type in ("bind", "volume"):
        source = volumes[point.name] if point.type == "volume" else point.source
        if point.subpath:
            source = posixpath.join(source, point.subpath)
        root = _open_source(source, container.name, path)
        below = "/" + wanted[len(point.destination) :].lstrip("/")
    else:
        if not container.state.started_ns:
            _make_working_dir(rootfs, container.config.working_dir)
        layers = rootfs if writable else _read_only(rootfs)
        root, below = mount_overlay(layers), wanted
    try:
        yield Place(
            container.name, path, root, f"{below}{slash}" if below != "/" else below, point, first
        )
    finally:
        os.close(root)


@contextmanager
def opened_layers(rootfs: Rootfs) -> Iterator[int]:
    """The root file system alone, without what is mounted on it; read-only, also while it runs."""
    root = mount_overlay(_read_only(rootfs))
    try:
        yield root
    finally:
        os.close(root)


def _make_working_dir(rootfs: Rootfs, path: str) -> None:
    """A container has its working directory from its creation on; we make it when somebody looks."""
    if path.strip("/"):
        with opened_layers(rootfs) as root:
            there = mounting.open_in_root(root, path)
        if there is not None:
            os.close(there)
            return
        root = mount_overlay(rootfs)
        try:
            os.close(mounting.open_or_make(root, path, folder=True))
        except OSError:
            pass  # what is in its way is said by the start
        finally:
            os.close(root)


def _read_only(rootfs: Rootfs) -> Rootfs:
    return replace(rootfs, lower=(rootfs.upper, *rootfs.lower), upper="")


def _root_of(container: Container) -> int:
    """The running container's own view. Raises ConflictError if it has just ended."""
    pid = container.state.pid
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if start_time(pid) == container.state.start_time:
            return root
        os.close(root)
    except FileNotFoundError:
        pass  # said below
    raise ConflictError(f"container {container.id} has just ended: try again")


def _open_source(source: str, name: str, shown: str) -> int:
    try:
        return os.open(source, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise _missing(name, shown) from error


def _mount_of(container: Container, path: str) -> MountPoint | None:
    found = [
        point
        for point in container.mounts
        if path == point.destination or path.startswith(f"{point.destination.rstrip('/')}/")
    ]
    return max(found, key=lambda point: len(point.destination), default=None)


def stat_path(place: Place) -> PathStat:
    """What is at a path; a symlink itself, unless the path ends in a slash. Raises NotFoundError."""
    link = ""
    if place.below.endswith("/"):
        fd = _open(place, place.below)
        try:
            status = os.stat(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
    else:
        parent, name = posixpath.split(place.below)
        folder = _open(place, parent)
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                link = _target_of(place)
        except OSError as error:
            raise _missing(place.name, place.shown) from error
        finally:
            os.close(folder)
    return PathStat(
        _name_of(place), status.st_size, go_mode(status.st_mode), status.st_mtime_ns, link,
    )  # fmt: skip


def _target_of(place: Place) -> str:
    """Where a chain of symlinks ends, as an absolute path in the container."""
    path = place.below
    for _ in range(LINKS):
        parent, name = posixpath.split(path)
        folder = mounting.open_in_root(place.root, parent)
        if folder is None:
            break
        try:
            target = os.readlink(name, dir_fd=folder)
        except OSError:  # no symlink any more, or nothing at all
            break
        finally:
            os.close(folder)
        path = posixpath.normpath(posixpath.join(parent, target))
    return path


def _name_of(place: Place) -> str:
    return posixpath.basename(place.shown.rstrip("/")) or "/"


def go_mode(mode: int) -> int:
    """A kernel mode in Go's FileMode bits."""
    value = mode & 0o777 | _GO_BITS.get(stat.S_IFMT(mode), 0)
    value |= 1 << 23 if mode & stat.S_ISUID else 0
    value |= 1 << 22 if mode & stat.S_ISGID else 0
    return value | (1 << 20 if mode & stat.S_ISVTX else 0)


def read_path(place: Place, out: IO[bytes]) -> None:
    """The tar of a file or folder, its names beginning with its own. Raises NotFoundError."""
    name = _name_of(place)
    try:
        if place.below.endswith("/"):
            fd = _open(place, place.below)
            try:
                hollow = HOLLOW if place.below == "/" else ()
                write_folder(
                    fd, "." if name == "/" else name, out, hollow=hollow, first=place.first
                )
            finally:
                os.close(fd)
            return
        parent, base = posixpath.split(place.below)
        folder = _open(place, parent)
        try:
            write_entry(folder, base, name, out, place.first)
        finally:
            os.close(folder)
    except FileNotFoundError as error:
        raise _missing(place.name, place.shown) from error


def write_path(
    container: Container, place: Place, raw: IO[bytes], *, keep_kind: bool, own: bool
) -> None:
    """Unpack a tar into a folder of the container; with `own` it belongs to the container's user.

    Raises NotFoundError, ForbiddenError, InvalidRequestError.
    """
    if place.point is not None and not place.point.rw:
        raise ForbiddenError("mounted volume is marked read-only")
    if place.point is None and container.host_config.readonly_rootfs:
        raise ForbiddenError("container rootfs is marked read-only")
    folder = _open(place, place.below)
    try:
        if not stat.S_ISDIR(os.fstat(folder).st_mode):
            raise InvalidRequestError("extraction point is not a directory")
        owner = _user_of(container, place) if own else None
        with acting_as(place.first):
            rules = Rules(keep_kind, owner, place.first)
            read_tar(open_tar(raw), place.root, place.below, rules)
    finally:
        os.close(folder)


def _user_of(container: Container, place: Place) -> tuple[int, int] | None:
    if not container.config.user:
        return None
    try:
        who = read_identity(place.root, container.config.user, ())
    except (IdentityError, OSError) as error:
        raise InvalidRequestError(
            f"unable to find user {container.config.user}: {error}"
        ) from error
    return who.uid, who.gid


def export_root(root: int, out: IO[bytes]) -> None:
    """The whole root file system as a tar."""
    write_folder(root, "", out)


def _open(place: Place, path: str) -> int:
    try:
        fd = mounting.open_in_root(place.root, path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InvalidRequestError(
                f"{place.shown}: too many levels of symbolic links"
            ) from error
        raise EngineError(
            f"cannot open {place.shown} in the container: {error.strerror}"
        ) from error
    if fd is None:
        raise _missing(place.name, place.shown)
    return fd


def _missing(name: str, shown: str) -> NotFoundError:
    return NotFoundError(f"Could not find the file {shown} in container {name}")
