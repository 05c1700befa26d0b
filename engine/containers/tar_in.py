"""A tar unpacked into a folder of a container, by descriptor. The tar is hostile until read.

Rules: every name is resolved by openat2 inside the container's root (names have no "..", no symlink
leads to the host, those of the container mean what they mean inside); a folder
merges with one that is there, a file replaces one; a folder never replaces what is none, nor the other
way round, where that is asked for. Names mean what they say: whiteouts are a layer's business.
Blocks: call it in a thread.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import EngineError, ForbiddenError, InvalidRequestError
from engine.images.unpack import BoundedEntry
from engine.runtime import syscalls as sc
from engine.runtime.mounting import open_or_make

if TYPE_CHECKING:
    from engine.images.compression import HashedReader

_RESOLVE = sc.RESOLVE_IN_ROOT | sc.RESOLVE_NO_MAGICLINKS
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Rules:
    """How to unpack: `owner` (uid, gid) for everything, None as the tar has it.

    `first` is the host's id for a 0 of theirs.
    """

    keep_kind: bool = False
    owner: tuple[int, int] | None = None
    first: int = 0


def read_tar(stream: HashedReader, root: int, folder: str, rules: Rules) -> None:
    """Unpack into a folder below an open root.

    Raises InvalidRequestError for a broken tar or a conflict, ForbiddenError where nothing may be
    written, EngineError where the disk refuses.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=BoundedEntry) as archive:
            unpacking = _Unpacking(archive, root, folder.rstrip("/"), rules)
            for entry in archive:
                unpacking.take(entry)
            unpacking.finish()
    except (tarfile.TarError, ValueError, OverflowError) as error:  # tarfile lets numbers through
        raise InvalidRequestError(f"the archive is no sound tar: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EngineError("no space left on device while unpacking the archive") from error
        if error.errno == errno.EROFS:
            raise ForbiddenError("the path is on a read-only file system") from error
        raise InvalidRequestError(
            f"cannot unpack the archive: {error.strerror}: {error.filename or ''}"
        ) from error


class _Unpacking:
    def __init__(self, archive: tarfile.TarFile, root: int, folder: str, rules: Rules) -> None:
        self._archive = archive
        self._root = root
        self._folder = folder
        self._rules = rules
        self._times: list[tuple[str, float]] = []

    def take(self, entry: tarfile.TarInfo) -> None:
        """Unpack one entry."""
        name = os.path.normpath("/" + entry.name).lstrip("/")
        if not name:
            return  # the folder itself is there already, and stays as it is
        folder, _, base = name.rpartition("/")
        parent = open_or_make(self._root, f"{self._folder}/{folder}", folder=True)
        try:
            self._make(entry, parent, base)
        finally:
            os.close(parent)
        if entry.isdir():
            self._times.append((name, entry.mtime))

    def finish(self) -> None:
        """Set the folders' times, which their contents have changed."""
        for name, mtime in reversed(self._times):
            path = f"{self._folder}/{name}"
            fd = sc.openat2(self._root, path, os.O_PATH | os.O_CLOEXEC, _RESOLVE)
            try:
                os.utime(f"/proc/self/fd/{fd}", (mtime, mtime))
            finally:
                os.close(fd)

    def _make(self, entry: tarfile.TarInfo, parent: int, base: str) -> None:
        if self._clear(entry, parent, base):
            return  # a folder that was there: it keeps its owner and mode
        if entry.isdir():
            os.mkdir(base, 0o700, dir_fd=parent)
        elif entry.issym():
            os.symlink(entry.linkname, base, dir_fd=parent)
        elif entry.islnk():
            self._link(entry, parent, base)
            return
        elif entry.isfile():
            self._write(entry, parent, base)
        elif entry.ischr() or entry.isblk():
            kind = stat.S_IFCHR if entry.ischr() else stat.S_IFBLK
            os.mknod(base, kind | 0o600, os.makedev(entry.devmajor, entry.devminor), dir_fd=parent)
        elif entry.isfifo():
            os.mkfifo(base, 0o600, dir_fd=parent)
        else:
            raise InvalidRequestError(f"the archive has an entry of an unknown kind: {entry.name}")
        self._own(entry, parent, base)

    def _clear(self, entry: tarfile.TarInfo, parent: int, base: str) -> bool:
        """Make room; True where the entry is a folder and one is there."""
        try:
            status = os.stat(base, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(status.st_mode):
            if entry.isdir():
                return True
            if self._rules.keep_kind:
                raise InvalidRequestError(
                    f'cannot overwrite directory "/{entry.name}" with non-directory'
                )
            shutil.rmtree(base, dir_fd=parent)
            return False
        if entry.isdir() and stat.S_ISLNK(status.st_mode) and self._is_folder(entry):
            return True  # through the symlink, as Docker has it
        if entry.isdir() and self._rules.keep_kind:
            raise InvalidRequestError(
                f'cannot overwrite non-directory "/{entry.name}" with directory'
            )
        os.unlink(base, dir_fd=parent)
        return False

    def _is_folder(self, entry: tarfile.TarInfo) -> bool:
        path = self._folder + os.path.normpath("/" + entry.name)
        try:
            fd = sc.openat2(self._root, path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, _RESOLVE)
        except OSError:
            return False
        os.close(fd)
        return True

    def _write(self, entry: tarfile.TarInfo, parent: int, base: str) -> None:
        source = self._archive.extractfile(entry)
        with os.fdopen(os.open(base, _CREATE, 0o600, dir_fd=parent), "wb") as target:
            assert source is not None
            shutil.copyfileobj(source, target, 1 << 20)

    def _link(self, entry: tarfile.TarInfo, parent: int, base: str) -> None:
        name = os.path.normpath("/" + entry.linkname).lstrip("/")
        folder, _, source = name.rpartition("/")
        path = f"{self._folder}/{folder}"
        fd = sc.openat2(self._root, path, os.O_PATH | os.O_DIRECTORY, _RESOLVE)
        try:
            os.link(source, base, src_dir_fd=fd, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(fd)

    def _own(self, entry: tarfile.TarInfo, parent: int, base: str) -> None:
        uid, gid = self._rules.owner or (entry.uid, entry.gid)
        first = self._rules.first
        os.chown(base, first + uid, first + gid, dir_fd=parent, follow_symlinks=False)
        if not entry.issym():
            os.chmod(base, entry.mode & 0o7777, dir_fd=parent)
        for key, value in entry.pax_headers.items():
            name = key.removeprefix("SCHILY.xattr.")
            if name == "security.capability" or (name != key and name.startswith("user.")):
                raw = value.encode("utf-8", "surrogateescape")
                _set_xattr(f"/proc/self/fd/{parent}/{base}", name, raw)
        os.utime(base, (entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)


def _set_xattr(path: str, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value, follow_symlinks=False)
    except OSError as error:
        if (
            error.errno != errno.ENOTSUP
        ):  # what this file system does not keep is no reason to refuse
            raise
