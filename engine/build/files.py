"""Files put on top of an image: its layers mounted detached, the change found in the upper folder.

Rules: every path in the image is resolved by openat2 inside the mount's held descriptor; a name is
made only in a folder that is held open. Everything here blocks: call it in a thread.
"""
# ruff: noqa: PTH101, PTH115, PTH116, PTH208, S103

from __future__ import annotations

import errno
import os
import posixpath
import stat
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.build.sources import Selection, attributes, names, open_folder
from engine.errors import HostLimitError, InvalidRequestError
from engine.runtime import syscalls as sc
from engine.runtime.mounting import open_in_root
from engine.runtime.overlay import mount_overlay
from engine.runtime.spec import Rootfs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.build.ownership import ModeChange

_IN_ROOT = sc.RESOLVE_IN_ROOT | sc.RESOLVE_NO_MAGICLINKS
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def mounted(lower: tuple[str, ...], work: Path) -> Iterator[int]:
    """The layers (topmost first) as one root: its descriptor. Changes go to `work`/upper.

    Raises HostLimitError if the kernel refuses the mount.
    """
    for name in ("upper", "work", "empty"):
        (work / name).mkdir(parents=True, exist_ok=True)
    upper = work / "upper"
    if lower:
        status = os.stat(lower[0])
        os.chmod(upper, stat.S_IMODE(status.st_mode))
        os.chown(upper, status.st_uid, status.st_gid)
    else:
        os.chmod(upper, 0o755)
        lower = (str(work / "empty"),)
    try:
        root = mount_overlay(Rootfs(lower, str(upper), str(work / "work"), ""))
    except OSError as error:
        raise HostLimitError(f"cannot mount the image's layers: {error.strerror}") from error
    try:
        yield root
    finally:
        os.close(root)


@dataclass(frozen=True, slots=True)
class Placing:
    """Where and how: an absolute destination ("/" at its end for a folder), owner, mode.

    `share`: the destination is a folder that was empty, and files may become links to their sources,
    which belong to the build and are never written to.
    """

    destination: str
    owner: tuple[int, int] | None = None
    mode: ModeChange | None = None
    keep_parents: bool = False
    share: bool = False


def destination(working_dir: str, text: str) -> str:
    """COPY's last argument as an absolute path that keeps its meaning "a folder"."""
    path = posixpath.normpath(posixpath.join("/", working_dir, text)).replace("//", "/")
    folder = text.endswith("/") or posixpath.basename(text) in ("", ".", "..")
    return f"{path.rstrip('/')}/" if folder else path


def place(root: int, selections: tuple[Selection, ...], placing: Placing) -> None:
    """Copy the selections into the root. Raises InvalidRequestError, HostLimitError."""
    count = sum(len(selection.paths) for selection in selections)
    if placing.keep_parents:
        placing = replace(placing, destination=f"{placing.destination.rstrip('/')}/")
    if count > 1 and not placing.destination.endswith("/"):
        raise InvalidRequestError(
            "when using COPY with more than one source file, the destination must be a directory "
            f"and end with a /: write {placing.destination}/"
        )
    try:
        links: dict[tuple[int, int], str] = {}
        for selection in selections:
            copier = _Copier(root, selection, placing, links)
            for path in selection.paths:
                copier.take(path)
    except RecursionError as error:
        raise InvalidRequestError("the source's folders are nested too deep") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HostLimitError(f"no space left on device: {placing.destination}") from error
        raise InvalidRequestError(f"cannot copy to {placing.destination}: {error}") from error


def claim_empty(root: int, selections: tuple[Selection, ...], placing: Placing) -> str | None:
    """The destination's real path if it is a folder with nothing in it, or was made for this.

    It then is in the upper folder, where it may be filled once nothing is mounted on it. None where
    files have to go through the mount: the destination is no folder, or has something in it.
    """
    folders = [open_folder(one.root, path) for one in selections for path in one.paths]
    for fd in folders:
        if fd is not None:
            os.close(fd)
    if placing.keep_parents or not (None not in folders or placing.destination.endswith("/")):
        return None
    try:
        fd, made = _folder(root, placing.destination, placing.owner or (0, 0))
    except OSError:
        return None  # said with more words by whoever places
    try:
        path = f"/proc/self/fd/{fd}"
        if not made:
            if os.listdir(path):
                return None
            status = os.fstat(fd)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # brings it to the upper
        return os.readlink(path)
    except OSError:
        return None
    finally:
        os.close(fd)


def make_folder(root: int, path: str, owner: tuple[int, int] = (0, 0)) -> bool:
    """Make a folder and those above it that are missing; whether anything was made.

    Raises InvalidRequestError where something else is in the way.
    """
    try:
        fd, made = _folder(root, path, owner)
    except OSError as error:
        raise InvalidRequestError(f"cannot make the folder {path}: {error}") from error
    os.close(fd)
    return made


def _folder(root: int, path: str, owner: tuple[int, int]) -> tuple[int, bool]:
    """An O_PATH descriptor of a folder, made if it is missing, and whether it was."""
    fd = _open_folder(root, path)
    if fd is not None:
        return fd, False
    above, _, name = path.rstrip("/").rpartition("/")
    parent, _ = _folder(root, above or "/", owner)
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
        os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
        os.chmod(name, 0o755, dir_fd=parent)
    except FileExistsError as error:
        raise OSError(errno.ELOOP, f"{path} is a symlink that leads nowhere") from error
    finally:
        os.close(parent)
    return sc.openat2(root, path, os.O_PATH | os.O_DIRECTORY, _IN_ROOT), True


def _open_folder(root: int, path: str) -> int | None:
    try:
        return sc.openat2(root, path, os.O_PATH | os.O_DIRECTORY, _IN_ROOT)
    except FileNotFoundError:
        return None


class _Copier:
    """Copies one selection; knows the first place of every inode, so hard links stay links."""

    def __init__(
        self, root: int, selection: Selection, placing: Placing, links: dict[tuple[int, int], str]
    ) -> None:
        self.root = root
        self.selection = selection
        self.placing = placing
        self.owner = placing.owner or (0, 0)
        self.links = links

    def take(self, path: str) -> None:
        """Copy one source: a folder's content, or one file."""
        if self.placing.keep_parents:
            self._make_parents(path)
        folder = open_folder(self.selection.root, path)
        if folder is None:
            self._take_file(path)
            return
        try:
            fd, made = _folder(self.root, self.placing.destination, self.owner)
            try:
                self._fill(folder, fd, self.placing.destination.rstrip("/"), "")
                if (
                    made and self.placing.keep_parents
                ):  # else it is the folder's content that is copied
                    self._dress(f"/proc/self/fd/{fd}", os.fstat(folder), f"/proc/self/fd/{folder}")
            finally:
                os.close(fd)
        finally:
            os.close(folder)

    def _make_parents(self, path: str) -> None:
        """The folders above a source, made again at the destination, looking as they do there."""
        base = self.placing.destination.rstrip("/")
        kept = self.selection.parents
        above = path.removesuffix(posixpath.basename(path)).rstrip("/")
        dropped = above.removesuffix(kept).rstrip("/")
        done = ""
        for part in filter(None, kept.split("/")):
            done = f"{done}/{part}"
            fd, made = _folder(self.root, f"{base}{done}", self.owner)
            try:
                source = open_folder(self.selection.root, f"{dropped}{done}") if made else None
                if source is not None:
                    self._dress(f"/proc/self/fd/{fd}", os.fstat(source), f"/proc/self/fd/{source}")
                    os.close(source)
            finally:
                os.close(fd)
        target = f"{base}{done}/"
        spot = open_folder(self.selection.root, path)
        if spot is not None:
            os.close(spot)
            target = target if path == "." else f"{target}{posixpath.basename(path)}/"
        self.placing = replace(self.placing, destination=target)

    def _take_file(self, path: str) -> None:
        if self.selection.rules.ignores(posixpath.basename(path)):
            return
        wanted = self.placing.destination
        spot = None if wanted.endswith("/") else open_in_root(self.root, wanted)
        if spot is not None:
            mode = os.fstat(spot).st_mode
            os.close(spot)
            if stat.S_ISDIR(mode):
                wanted += "/"
        if wanted.endswith("/"):
            wanted += posixpath.basename(path)
        wanted = _link_target(self.root, wanted)
        source = sc.openat2(self.selection.root, f"/{path}", os.O_PATH, _IN_ROOT)
        parent, _ = _folder(self.root, posixpath.dirname(wanted), self.owner)
        try:
            self._put(source, parent, wanted)
        finally:
            os.close(parent)
            os.close(source)

    def _fill(self, source: int, target: int, path: str, relative: str) -> None:
        """Everything in the folder `source` into the folder `target`, whose path is `path`."""
        for name in names(source):
            inner = f"{relative}/{name}" if relative else name
            fd = os.open(name, _LOOK, dir_fd=source)
            try:
                folder = stat.S_ISDIR(os.fstat(fd).st_mode)
                ignored = self.selection.rules.ignores(inner)
                if ignored and not (folder and self.selection.rules.has_exceptions):
                    continue
                if folder:
                    self._merge(fd, target, f"{path}/{name}", inner)
                else:
                    self._put(fd, target, f"{path}/{name}")
            finally:
                os.close(fd)

    def _merge(self, source: int, target: int, path: str, relative: str) -> None:
        """A folder onto what is at `path`: a folder (also through a symlink) or nothing."""
        name = posixpath.basename(path)
        try:
            os.mkdir(name, 0o700, dir_fd=target)
        except FileExistsError:
            pass  # its content is merged
        spot = sc.openat2(self.root, path, os.O_PATH | os.O_DIRECTORY, _IN_ROOT)
        try:
            inside = os.open(f"/proc/self/fd/{source}", os.O_RDONLY | os.O_DIRECTORY)
            try:
                self._fill(inside, spot, path, relative)
            finally:
                os.close(inside)
            self._dress(f"/proc/self/fd/{spot}", os.fstat(source), f"/proc/self/fd/{source}")
        finally:
            os.close(spot)

    def _put(self, source: int, parent: int, path: str) -> None:
        """Anything but a folder, by its O_PATH descriptor, at `path`, whose folder is held."""
        name, status = posixpath.basename(path), os.fstat(source)
        mode = status.st_mode
        if stat.S_ISSOCK(mode) or (stat.S_ISCHR(mode) and not status.st_rdev):
            return  # a socket means nothing without its process; 0:0 is overlayfs's whiteout
        self._clear(parent, name, path)
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink("", dir_fd=source), name, dir_fd=parent)
            owner = self._owner(status)
            os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
            os.utime(name, ns=_times(status), dir_fd=parent, follow_symlinks=False)
            return
        if stat.S_ISREG(mode):
            if self._linked(status, parent, name, path) or self._shared(
                source, status, parent, name
            ):
                return
            _copy_data(source, parent, name)
        else:
            os.mknod(name, stat.S_IFMT(mode) | 0o600, status.st_rdev, dir_fd=parent)
        self._dress(f"/proc/self/fd/{parent}/{name}", status, f"/proc/self/fd/{source}")

    def _clear(self, parent: int, name: str, path: str) -> None:
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError as error:
            raise OSError(errno.EISDIR, f"{path} is a folder in the image already") from error

    def _linked(self, status: os.stat_result, parent: int, name: str, path: str) -> bool:
        """Whether the file was copied before under another name, which it now is linked to."""
        if status.st_nlink < 2:
            return False
        inode = (status.st_dev, status.st_ino)
        first = self.links.setdefault(inode, path)
        if first == path:
            return False
        fd = sc.openat2(self.root, first, _LOOK, _IN_ROOT)
        try:
            os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=parent, follow_symlinks=True)
        finally:
            os.close(fd)
        return True

    def _shared(self, source: int, status: os.stat_result, parent: int, name: str) -> bool:
        """Whether the file could become a link to its source, which looks as the copy would."""
        same = not self.placing.mode and self._owner(status) == (status.st_uid, status.st_gid)
        # Once only: two copies in an image that are one file would be told as hard links.
        if not (self.placing.share and same and status.st_nlink == 1):
            return False
        try:
            os.link(f"/proc/self/fd/{source}", name, dst_dir_fd=parent, follow_symlinks=True)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.EMLINK, errno.EPERM):
                return False
            raise
        return True

    def _owner(self, status: os.stat_result) -> tuple[int, int]:
        if self.placing.owner is None and self.selection.keep_owner:
            return status.st_uid, status.st_gid
        return self.owner

    def _dress(self, path: str, status: os.stat_result, source: str) -> None:
        """Owner, mode, extended attributes and times of a file or folder; never of a symlink."""
        os.chown(path, *self._owner(status))
        mode = stat.S_IMODE(status.st_mode)
        if self.placing.mode:
            mode = self.placing.mode(mode, stat.S_ISDIR(status.st_mode))
        os.chmod(path, mode)
        for key, value in attributes(source):
            os.setxattr(path, key, value)
        os.utime(path, ns=_times(status))


def _link_target(root: int, path: str) -> str:
    """Where a file at `path` ends up if symlinks of the image are there already."""
    for _ in range(40):
        try:
            fd = sc.openat2(root, path, _LOOK, _IN_ROOT)
        except FileNotFoundError:
            return path
        try:
            if not stat.S_ISLNK(os.fstat(fd).st_mode):
                return path
            path = posixpath.join(posixpath.dirname(path), os.readlink("", dir_fd=fd))
        finally:
            os.close(fd)
    raise OSError(errno.ELOOP, f"{path} is a symlink that leads nowhere")


def _times(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_mtime_ns


def _copy_data(source: int, parent: int, name: str) -> None:
    """A regular file's bytes; in the kernel where it can."""
    reading = os.open(f"/proc/self/fd/{source}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writing = os.open(name, flags, 0o600, dir_fd=parent)
        try:
            while os.sendfile(writing, reading, None, 1 << 30):
                pass
        finally:
            os.close(writing)
    finally:
        os.close(reading)
