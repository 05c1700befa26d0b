"""Tars out of local files and into them, a piece at a time. What comes from a container is not trusted:

nothing is written outside the target folder, neither by "..", nor by an absolute name, nor through a
symbolic link that the archive itself has made.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from compose.errors import ComposeError

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 18
BLOCK = 512


class PieceReader(io.RawIOBase):
    """An iterator of bytes as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer with what comes next; 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def pack(path: Path, name: str, *, follow: bool = False) -> Iterator[bytes]:
    """A local file or folder as a tar whose top is `name`; "" packs a folder's contents."""
    if follow:
        path = path.resolve()
    if name:
        yield from _pack_one(path, name)
    if path.is_dir() and not path.is_symlink():
        yield from _pack_below(path, f"{name}/" if name else "")
    yield bytes(2 * BLOCK)


def _pack_below(folder: Path, prefix: str) -> Iterator[bytes]:
    for child in sorted(os.scandir(folder), key=lambda entry: entry.name):
        yield from _pack_one(Path(child.path), prefix + child.name)
        if child.is_dir(follow_symlinks=False):
            yield from _pack_below(Path(child.path), f"{prefix}{child.name}/")


def _pack_one(path: Path, name: str) -> Iterator[bytes]:
    try:
        status = path.lstat()
    except OSError as error:
        raise ComposeError(f"{path}: {error.strerror}") from error
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
    entry.uid, entry.gid = status.st_uid, status.st_gid
    if stat.S_ISDIR(status.st_mode):
        entry.type, entry.name = tarfile.DIRTYPE, name + "/"
    elif stat.S_ISLNK(status.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISFIFO(status.st_mode):
        entry.type = tarfile.FIFOTYPE
    elif stat.S_ISREG(status.st_mode):
        entry.size = status.st_size
        yield entry.tobuf(tarfile.PAX_FORMAT)
        yield from file_blocks(path, entry.size)
        return
    else:
        return
    yield entry.tobuf(tarfile.PAX_FORMAT)


def file_blocks(path: Path, size: int) -> Iterator[bytes]:
    """A file's content, filled up to whole blocks; zeros for what a shrinking file no longer has."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise ComposeError(f"{path}: {error.strerror}") from error
    with file:
        left = size
        while left:
            data = file.read(min(CHUNK, left)) or bytes(min(CHUNK, left))
            left -= len(data)
            yield data
    yield bytes(-size % BLOCK)


def renamed(name: str, top: str) -> str:
    """An entry's name with its first part replaced by `top`, or dropped for ""."""
    rest = name.strip("/").partition("/")[2]
    return "/".join(filter(None, (top, rest)))


def unpack(pieces: Iterator[bytes], folder: Path, top: str, *, owners: bool = False) -> None:
    """Unpack below `folder`, the top entry renamed to `top`. Raises ComposeError for an unsafe entry."""
    root = folder.resolve()
    times: list[tuple[Path, int]] = []
    reader = io.BufferedReader(PieceReader(pieces), CHUNK)
    try:
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            for entry in archive:
                path = safe_path(root, renamed(entry.name, top))
                if path is None:
                    continue
                unpack_one(archive, entry, path, root, top)
                finish(entry, path, owners=owners)
                if entry.isdir():
                    times.append((path, int(entry.mtime)))
    except tarfile.TarError as error:
        raise ComposeError(f"the engine sent an archive that cannot be read: {error}") from error
    except OSError as error:
        raise ComposeError(f"{error.filename or folder}: {error.strerror}") from error
    for path, when in reversed(times):
        os.utime(path, (when, when))


def safe_path(root: Path, name: str) -> Path | None:
    """Where an entry goes, its parents made; None for the folder itself. Raises ComposeError."""
    if name in ("", "."):
        return None
    path = root / name
    if ".." in path.parts or not path.parent.resolve().is_relative_to(root):
        raise ComposeError(f"refused to write outside {root}: the archive has an entry {name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def unpack_one(
    archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path, root: Path, top: str
) -> None:
    """Make one entry. Devices are left out: a copy has no use for them."""
    if entry.isdir():
        if path.is_symlink() or not path.is_dir():
            path.mkdir()
        return
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        path.unlink()
    if entry.issym():
        path.symlink_to(entry.linkname)
    elif entry.islnk():
        target = safe_path(root, renamed(entry.linkname, top))
        if target is not None:
            os.link(target, path, follow_symlinks=False)
    elif entry.isfifo():
        os.mkfifo(path)
    elif entry.isreg():
        source = archive.extractfile(entry)
        assert source is not None
        with path.open("xb") as file:
            while data := source.read(CHUNK):
                file.write(data)


def finish(entry: tarfile.TarInfo, path: Path, *, owners: bool) -> None:
    """Owner, mode and time."""
    if owners and os.path.lexists(path):
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    if entry.isreg() or entry.isdir():
        path.chmod(entry.mode & 0o7777)
    if entry.isreg():
        os.utime(path, (int(entry.mtime), int(entry.mtime)))
