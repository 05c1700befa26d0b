"""A file or folder of a container as a tar, read by descriptor: what is swapped meanwhile leads nowhere.

Rules: every name is opened without following it, below the folder that is held open; who owns a file is
said in numbers, never in the host's names; sockets are left out. Blocks: call it in a thread.
"""

from __future__ import annotations

import os
import stat
import tarfile
from typing import IO

from engine.runtime.compile import ID_COUNT

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
#: Who an id is that a container's range does not hold (user_namespaces(7)).
NOBODY = 65534


def write_entry(folder: int, name: str, shown: str, out: IO[bytes], first: int = 0) -> None:
    """The tar of `name` in an open folder, itself called `shown`; `first` is the id told as 0.

    Raises FileNotFoundError, OSError.
    """
    with _archive(out) as archive:
        _Walk(archive, first).entry(folder, name, shown)


def write_folder(
    folder: int, shown: str, out: IO[bytes], *, hollow: tuple[str, ...] = (), first: int = 0
) -> None:
    """The tar of an open folder with all that is in it, itself called `shown` ("" leaves it out).

    Folders directly in it that are named in `hollow` come without what they hold.
    """
    fd = os.open(f"/proc/self/fd/{folder}", os.O_RDONLY | os.O_CLOEXEC)
    with _archive(out) as archive:
        _Walk(archive, first).folder(fd, shown, hollow)


def _archive(out: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 16)


class _Walk:
    """One tar being written; knows the hard links it has met."""

    def __init__(self, archive: tarfile.TarFile, first: int) -> None:
        self._archive = archive
        self._first = first
        self._links: dict[tuple[int, int], str] = {}

    def entry(self, parent: int, name: str, shown: str, *, hollow: bool = False) -> None:
        """What is called `name` now in an open folder."""
        held = os.open(name, _LOOK, dir_fd=parent)
        try:
            status = os.fstat(held)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFDIR and hollow:
                self._archive.addfile(_info(shown, status, self._first))
            elif kind == stat.S_IFDIR:
                self.folder(os.open(name, _FOLDER, dir_fd=parent), shown)
            elif kind == stat.S_IFREG:
                self._file(parent, name, shown)
            elif kind in _KINDS:
                info = _info(shown, status, self._first)
                if kind == stat.S_IFLNK:
                    info.linkname = os.readlink("", dir_fd=held)
                info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
                self._archive.addfile(info)
        finally:
            os.close(held)

    def folder(self, fd: int, shown: str, hollow: tuple[str, ...] = ()) -> None:
        """An open folder, which is closed."""
        try:
            if shown:
                info = _info(shown, os.fstat(fd), self._first)
                info.pax_headers = _attributes(fd)
                self._archive.addfile(info)
            prefix = f"{shown.rstrip('/')}/" if shown else ""
            for name in sorted(os.listdir(fd)):
                try:
                    self.entry(fd, name, f"{prefix}{name}", hollow=name in hollow)
                except FileNotFoundError:
                    continue  # it has gone meanwhile
        finally:
            os.close(fd)

    def _file(self, parent: int, name: str, shown: str) -> None:
        fd = os.open(name, _READ, dir_fd=parent)
        with os.fdopen(fd, "rb") as stream:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return  # it was swapped for something else
            info = _info(shown, status, self._first)
            inode = (status.st_dev, status.st_ino)
            if status.st_nlink > 1 and inode in self._links:
                info.type, info.linkname, info.size = tarfile.LNKTYPE, self._links[inode], 0
                self._archive.addfile(info)
                return
            self._links[inode] = shown
            info.pax_headers = _attributes(fd)
            info.size = status.st_size
            self._archive.addfile(info, _Exactly(stream, status.st_size))  # type: ignore[arg-type]  # it reads


class _Exactly:
    """A file of a promised length: what grows is cut, what shrinks is filled with zeros."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int) -> bytes:
        """As much as is asked for, until the promise is kept."""
        size = min(size, self._left)
        data = self._stream.read(size)
        self._left -= size
        return data.ljust(size, b"\0")


def _info(shown: str, status: os.stat_result, first: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(shown)
    info.type = _KINDS[stat.S_IFMT(status.st_mode)]
    info.mode = stat.S_IMODE(status.st_mode)
    info.uid, info.gid = _inside(status.st_uid, first), _inside(status.st_gid, first)
    info.mtime = status.st_mtime_ns / 1_000_000_000
    return info


def _inside(number: int, first: int) -> int:
    """An id as a container sees it, whose range begins at `first`."""
    return number - first if not first or 0 <= number - first < ID_COUNT else NOBODY


def _attributes(fd: int) -> dict[str, str]:
    """Extended attributes, as GNU tar and Docker write them: capabilities and what users set."""
    place = f"/proc/self/fd/{fd}"
    try:
        names = os.listxattr(place)
    except OSError:
        return {}
    return {
        f"SCHILY.xattr.{name}": os.getxattr(place, name).decode("utf-8", "surrogateescape")
        for name in sorted(names)
        if name == "security.capability" or name.startswith("user.")
    }
