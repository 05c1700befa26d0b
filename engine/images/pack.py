"""An overlay's upper folder as a layer's tar: the same bytes for the same content, always.

Names are sorted, owners numeric, times whole seconds; overlayfs's whiteouts become the tar's.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from typing import TYPE_CHECKING, Protocol

from engine.images.unpack import OPAQUE, OPAQUE_XATTR, WHITEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes that are written and hashed at once.
PIECE = 1 << 18
#: The largest number that seven octal digits say.
_SEVEN = 0o7777777
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Sink(Protocol):
    """Where the tar goes."""

    def write(self, chunk: bytes, /) -> int:
        """Take all of it."""
        ...


def pack_layer(folder: str, out: Sink) -> None:
    """Write the tar of a folder to a stream. Raises OSError."""
    packer = _Packer(out.write)
    packer.fill(folder, "")
    packer.finish()


def measure(folder: str) -> tuple[str, int]:
    """The diff id a folder would have as a tar, and the tar's size; nothing is written."""

    class Measure:
        """A stream that only hashes."""

        def __init__(self) -> None:
            self.running = hashlib.sha256()
            self.size = 0

        def write(self, chunk: bytes, /) -> int:
            """Count and hash."""
            self.running.update(chunk)
            self.size += len(chunk)
            return len(chunk)

    out = Measure()
    pack_layer(folder, out)
    return f"sha256:{out.running.hexdigest()}", out.size


class _Packer:
    """One tar on its way. Small entries are gathered; a large file goes past the buffer."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self._ready: list[bytes] = []
        self._waiting = 0
        self._size = 0
        self._links: dict[tuple[int, int], str] = {}

    def fill(self, path: str, name: str) -> None:
        """Everything in a folder, whose name in the tar is `name`, "" or with a slash at its end."""
        if _is_opaque(path):
            self._header(tarfile.TarInfo(f"{name}{OPAQUE}"))
        for base in sorted(os.listdir(path)):
            self._entry(f"{path}/{base}", f"{name}{base}")

    def finish(self) -> None:
        """The end's two blocks, and what fills the last record."""
        self._put(bytes(2 * tarfile.BLOCKSIZE))
        self._put(bytes(-self._size % tarfile.RECORDSIZE))
        self._flush()

    def _put(self, chunk: bytes) -> None:
        self._ready.append(chunk)
        self._waiting += len(chunk)
        self._size += len(chunk)
        if self._waiting >= PIECE:
            self._flush()

    def _flush(self) -> None:
        if self._ready:
            self._write(b"".join(self._ready))
            self._ready.clear()
            self._waiting = 0

    def _header(self, entry: tarfile.TarInfo) -> None:
        self._put(
            _plain(entry) or entry.tobuf(tarfile.PAX_FORMAT, tarfile.ENCODING, "surrogateescape")
        )

    def _entry(self, path: str, name: str) -> None:
        status = os.lstat(path)
        mode = status.st_mode
        if stat.S_ISCHR(mode) and status.st_rdev == 0:
            folder, _, base = name.rpartition("/")
            hidden = f"{folder}/{WHITEOUT}{base}" if folder else WHITEOUT + base
            self._header(tarfile.TarInfo(hidden))
            return
        if stat.S_ISSOCK(mode):
            return  # a socket means nothing without its process
        entry = tarfile.TarInfo(name)
        entry.mode, entry.uid, entry.gid = stat.S_IMODE(mode), status.st_uid, status.st_gid
        entry.mtime = int(status.st_mtime)
        entry.pax_headers = _xattrs(path)
        if stat.S_ISREG(mode):
            self._file(entry, path, status)
            return
        if stat.S_ISDIR(mode):
            entry.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(mode):
            entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
        else:
            entry.type = {
                stat.S_IFCHR: tarfile.CHRTYPE, stat.S_IFBLK: tarfile.BLKTYPE, stat.S_IFIFO: tarfile.FIFOTYPE,
            }[stat.S_IFMT(mode)]  # fmt: skip
            entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
        self._header(entry)
        if entry.isdir():
            self.fill(path, f"{name}/")

    def _file(self, entry: tarfile.TarInfo, path: str, status: os.stat_result) -> None:
        if status.st_nlink > 1:
            inode = (status.st_dev, status.st_ino)
            first = self._links.setdefault(inode, entry.name)
            if first != entry.name:
                entry.type, entry.linkname = tarfile.LNKTYPE, first
                self._header(entry)
                return
        entry.size = status.st_size
        self._header(entry)
        left, fd = entry.size, os.open(path, _READ)
        try:
            while left:
                chunk = os.read(fd, min(left, PIECE))
                if not chunk:
                    raise OSError(f"{path} became shorter while it was packed")
                left -= len(chunk)
                self._put(chunk)
        finally:
            os.close(fd)
        self._put(bytes(-entry.size % tarfile.BLOCKSIZE))


def _plain(entry: tarfile.TarInfo) -> bytes | None:
    """The one block of an entry that needs no more, as `TarInfo.tobuf` writes it; None for others.

    Most entries are such, and tarfile is made for all. Source: POSIX pax, "ustar interchange format".
    """
    if entry.pax_headers or max(entry.uid, entry.gid) > _SEVEN or entry.devmajor or entry.devminor:
        return None
    slash = "/" if entry.type == tarfile.DIRTYPE and not entry.name.endswith("/") else ""
    name, link = f"{entry.name}{slash}", entry.linkname
    if len(name) > tarfile.LENGTH_NAME or len(link) > tarfile.LENGTH_LINK:
        return None
    if not (name.isascii() and link.isascii()):
        return None
    mtime, size = int(entry.mtime), entry.size
    if not 0 <= mtime < 8**11 or not 0 <= size < 8**11:
        return None
    block = b"%s%s%07o\0%07o\0%07o\0%011o\0%011o\0        %s%s%s%s" % (
        name.encode(), bytes(100 - len(name)), entry.mode & 0o7777, entry.uid, entry.gid, size, mtime,
        entry.type, link.encode(), bytes(100 - len(link)), _REST,
    )  # fmt: skip
    return b"%s%06o\0%s" % (block[:148], sum(block), block[155:])


#: The magic, then to the block's end no names of owners, no device, no prefix.
_REST = b"ustar\x0000" + bytes(512 - 265)


def _xattrs(path: str) -> dict[str, str]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return {}
    return {
        f"SCHILY.xattr.{name}": os.getxattr(path, name, follow_symlinks=False).decode(
            "utf-8", "surrogateescape"
        )
        for name in sorted(names)
        if not name.startswith(("trusted.", "system."))
    }


def _is_opaque(path: str) -> bool:
    try:
        return os.getxattr(path, OPAQUE_XATTR) == b"y"
    except OSError:
        return False
