"""An overlay's upper folder as a layer's tar: the same bytes for the same content, always.

Names are sorted, owners numeric, times whole seconds; overlayfs's whiteouts become the tar's.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from typing import IO

from engine.images.unpack import OPAQUE, OPAQUE_XATTR, WHITEOUT


def pack_layer(folder: str, out: IO[bytes]) -> None:
    """Write the tar of a folder to a stream. Raises OSError."""
    links: dict[tuple[int, int], str] = {}
    with tarfile.open(
        fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 18
    ) as archive:
        _pack_folder(archive, folder, "", links)


def measure(folder: str) -> tuple[str, int]:
    """The diff id a folder would have as a tar, and the tar's size; nothing is written."""

    class Measure:
        """A stream that only hashes."""

        def __init__(self) -> None:
            self.running = hashlib.sha256()
            self.size = 0

        def write(self, chunk: bytes) -> int:
            """Count and hash."""
            self.running.update(chunk)
            self.size += len(chunk)
            return len(chunk)

    out = Measure()
    pack_layer(folder, out)  # type: ignore[arg-type]  # pack writes, and nothing else
    return f"sha256:{out.running.hexdigest()}", out.size


def _pack_folder(
    archive: tarfile.TarFile, path: str, name: str, links: dict[tuple[int, int], str]
) -> None:
    if _is_opaque(path):
        archive.addfile(tarfile.TarInfo(f"{name}{OPAQUE}"))
    for base in sorted(os.listdir(path)):
        _pack_entry(archive, f"{path}/{base}", f"{name}{base}", links)


def _pack_entry(
    archive: tarfile.TarFile, path: str, name: str, links: dict[tuple[int, int], str]
) -> None:
    status = os.lstat(path)
    mode = status.st_mode
    if stat.S_ISCHR(mode) and status.st_rdev == 0:
        folder, _, base = name.rpartition("/")
        archive.addfile(
            tarfile.TarInfo(f"{folder}/{WHITEOUT}{base}" if folder else WHITEOUT + base)
        )
        return
    if stat.S_ISSOCK(mode):
        return  # a socket means nothing without its process
    entry = tarfile.TarInfo(name)
    entry.mode, entry.uid, entry.gid = stat.S_IMODE(mode), status.st_uid, status.st_gid
    entry.mtime = int(status.st_mtime)
    entry.pax_headers = _xattrs(path)
    if stat.S_ISDIR(mode):
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
        _pack_folder(archive, path, f"{name}/", links)
    elif stat.S_ISLNK(mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
        archive.addfile(entry)
    elif stat.S_ISREG(mode):
        _pack_file(archive, entry, path, status, links)
    else:
        entry.type = {
            stat.S_IFCHR: tarfile.CHRTYPE, stat.S_IFBLK: tarfile.BLKTYPE, stat.S_IFIFO: tarfile.FIFOTYPE,
        }[stat.S_IFMT(mode)]  # fmt: skip
        entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
        archive.addfile(entry)


def _pack_file(
    archive: tarfile.TarFile,
    entry: tarfile.TarInfo,
    path: str,
    status: os.stat_result,
    links: dict[tuple[int, int], str],
) -> None:
    inode = (status.st_dev, status.st_ino)
    if status.st_nlink > 1 and inode in links:
        entry.type, entry.linkname = tarfile.LNKTYPE, links[inode]
        archive.addfile(entry)
        return
    links[inode] = entry.name
    entry.size = status.st_size
    with open(path, "rb") as stream:
        archive.addfile(entry, stream)


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
