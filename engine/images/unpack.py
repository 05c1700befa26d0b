"""A layer's tar into a folder that overlayfs takes as a lower one. The tar is hostile until read.

Rules: every name is resolved inside the folder by openat2 (no "..", no symlink leads out); whiteouts
become overlayfs's own; the number and size of what is unpacked is bounded; what fails leaves the
folder to its owner, who throws it away. Sources: OCI image-spec layer.md, overlayfs.rst.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from typing import TYPE_CHECKING, cast

from engine.errors import HostLimitError, InvalidRequestError
from engine.runtime import syscalls as sc
from engine.runtime.mounting import open_or_make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.images.compression import HashedReader

CHUNK = 1 << 20
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
XATTR = "SCHILY.xattr."
#: Zeros of this length become a hole.
HOLE = 1 << 16
OPAQUE_XATTR = "trusted.overlay.opaque"
ENTRY_LIMIT = 5_000_000
#: Bytes that one layer may unpack to, where nothing else is configured.
SIZE_LIMIT = 64 << 30
#: Bytes of an entry's long names and attributes, which are read into memory.
METADATA_LIMIT = 1 << 20
_RESOLVE = sc.RESOLVE_IN_ROOT | sc.RESOLVE_NO_MAGICLINKS


class BoundedEntry(tarfile.TarInfo):
    """An entry whose names and attributes have a size that memory can hold."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        """Refuses what tarfile would read whole, however large it says it is.

        tarfile names this method as the one to override; frombuf, its newer versions go round.
        """
        if self.type in _METADATA and self.size > METADATA_LIMIT:
            raise tarfile.ReadError(f"an entry has {self.size} bytes of names and attributes")
        entry: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return entry


_METADATA = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip


def unpack_layer(stream: HashedReader, folder: Path, limit: int = SIZE_LIMIT) -> int:
    """Unpack a tar into an existing folder; the bytes of its files, at most `limit`.

    Raises InvalidRequestError for a broken or hostile tar, EngineError where the disk refuses.
    """
    unpacker = _Unpacker(os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), limit)
    try:
        with tarfile.open(fileobj=stream, mode="r:", tarinfo=BoundedEntry) as archive:
            for number, entry in enumerate(archive):
                if number > ENTRY_LIMIT:
                    raise InvalidRequestError(f"a layer has more than {ENTRY_LIMIT} entries")
                unpacker.take(archive, entry)
        unpacker.finish()
    except (tarfile.TarError, ValueError, OverflowError) as error:  # tarfile lets numbers through
        raise InvalidRequestError(f"the archive is no sound tar: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HostLimitError(
                "no space left on device while a layer was unpacked",
                hint="pycompose image prune frees some",
            ) from error
        raise InvalidRequestError(f"cannot unpack the archive: {error}") from error
    finally:
        unpacker.close()
    return unpacker.size


class _Unpacker:
    """One run; keeps the descriptor of the folder that the last entry was in."""

    def __init__(self, root: int, limit: int) -> None:
        self.root = root
        self.limit = limit
        self.size = 0
        self._parent: tuple[str, int] | None = None
        self._times: list[tuple[str, float]] = []

    def take(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        """Unpack one entry."""
        name = os.path.normpath("/" + entry.name).lstrip("/")
        if not name:
            os.chmod(f"/proc/self/fd/{self.root}", entry.mode & 0o7777)
            os.chown(f"/proc/self/fd/{self.root}", entry.uid, entry.gid)
            return
        folder, _, base = name.rpartition("/")
        parent = self._open_parent(folder)
        if base.startswith(WHITEOUT):
            self._white_out(parent, base)
            return
        self._make(archive, entry, parent, base)
        if entry.isdir():
            self._times.append((name, entry.mtime))

    def finish(self) -> None:
        """Set the folders' times, which their contents have changed."""
        for name, mtime in dict(self._times).items():
            fd = sc.openat2(self.root, name, os.O_PATH | os.O_NOFOLLOW, _RESOLVE)
            os.utime(f"/proc/self/fd/{fd}", (mtime, mtime))
            os.close(fd)

    def close(self) -> None:
        """Close descriptors."""
        if self._parent:
            os.close(self._parent[1])
        os.close(self.root)

    def _open_parent(self, folder: str) -> int:
        if self._parent and self._parent[0] == folder:
            return self._parent[1]
        if self._parent:
            os.close(self._parent[1])
            self._parent = None
        path = f"/{folder}"
        try:
            fd = sc.openat2(self.root, path, os.O_PATH | os.O_DIRECTORY, _RESOLVE)
        except OSError:
            # Folders without an entry are of no time that would differ the next time.
            self._times += [(name, 0.0) for name in self._missing(folder)]
            fd = open_or_make(self.root, path, folder=True)
        self._parent = (folder, fd)
        return fd

    def _missing(self, folder: str) -> list[str]:
        """The folders of a path that are not there."""
        found = []
        parts = folder.split("/")
        for count in range(len(parts), 0, -1):
            name = "/".join(parts[:count])
            try:
                os.close(sc.openat2(self.root, f"/{name}", os.O_PATH, _RESOLVE))
            except OSError:
                found.append(name)
            else:
                break
        return found

    def _white_out(self, parent: int, base: str) -> None:
        if base == OPAQUE:
            os.setxattr(f"/proc/self/fd/{parent}", OPAQUE_XATTR, b"y")
            return
        if base.startswith(WHITEOUT * 2):
            return  # aufs's own book-keeping
        hidden = base.removeprefix(WHITEOUT)
        if hidden in ("", ".", ".."):
            raise InvalidRequestError(f"the archive has a broken whiteout {base!r}")
        # It means what lies below: what this layer itself has there stays (OCI image-spec).
        if _is_folder(parent, hidden):
            _make_opaque(parent, hidden)
            return
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=parent)
        except FileExistsError:
            pass  # it hides what lies below already

    def _make(
        self, archive: tarfile.TarFile, entry: tarfile.TarInfo, parent: int, base: str
    ) -> None:
        merges = entry.isdir() and _is_folder(parent, base)
        hidden = False if merges else _remove(parent, base)
        if entry.isdir():
            if not merges:
                os.mkdir(base, 0o700, dir_fd=parent)
            if hidden:
                _make_opaque(parent, base)
        elif entry.issym():
            os.symlink(entry.linkname, base, dir_fd=parent)
        elif entry.islnk():
            self._link(entry, parent, base)
            return
        elif entry.isfile():
            self._write(archive, entry, parent, base)
            return
        elif entry.ischr() or entry.isblk():
            kind = stat.S_IFCHR if entry.ischr() else stat.S_IFBLK
            os.mknod(base, kind | 0o600, os.makedev(entry.devmajor, entry.devminor), dir_fd=parent)
        elif entry.isfifo():
            os.mkfifo(base, 0o600, dir_fd=parent)
        else:
            raise InvalidRequestError(f"the archive has an entry of an unknown kind: {entry.name}")
        self._own(entry, parent, base)

    def _write(
        self, archive: tarfile.TarFile, entry: tarfile.TarInfo, parent: int, base: str
    ) -> None:
        self.size += entry.size
        if self.size > self.limit:
            raise InvalidRequestError(
                f"a layer unpacks to more than {self.limit} bytes",
                hint="max-layer-size in engine.json admits more",
            )
        source = contents(archive, entry)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(base, flags, 0o600, dir_fd=parent)
        try:
            ends_in_hole = False
            for chunk in source:
                ends_in_hole = _is_hole(chunk)
                if ends_in_hole:
                    os.lseek(fd, len(chunk), os.SEEK_CUR)
                else:
                    _write_all(fd, chunk)
            if ends_in_hole:
                os.ftruncate(fd, entry.size)
            self._own_file(entry, fd)
        finally:
            os.close(fd)

    def _own_file(self, entry: tarfile.TarInfo, fd: int) -> None:
        """Owner first: a change of it takes setuid bits and capabilities away."""
        os.fchown(fd, entry.uid, entry.gid)
        os.fchmod(fd, entry.mode & 0o7777)
        _set_xattrs(entry, fd)
        os.utime(fd, (entry.mtime, entry.mtime))

    def _link(self, entry: tarfile.TarInfo, parent: int, base: str) -> None:
        name = os.path.normpath("/" + entry.linkname).lstrip("/")
        folder, _, source = name.rpartition("/")
        fd = sc.openat2(self.root, f"/{folder}", os.O_PATH | os.O_DIRECTORY, _RESOLVE)
        try:
            os.link(source, base, src_dir_fd=fd, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(fd)

    def _own(self, entry: tarfile.TarInfo, parent: int, base: str) -> None:
        os.chown(base, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        if not entry.issym():
            os.chmod(base, entry.mode & 0o7777, dir_fd=parent)
        _set_xattrs(entry, f"/proc/self/fd/{parent}/{base}")
        os.utime(base, (entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)


def contents(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Iterator[bytes | memoryview]:
    """A file's bytes, in pieces; whoever takes them takes all before the next entry.

    The archive was opened on a stream ("r:" on a HashedReader), which stands where they begin. Raises
    InvalidRequestError where it ends early.
    """
    if entry.issparse():
        sparse = archive.extractfile(entry)
        assert sparse is not None
        while chunk := sparse.read(CHUNK):
            yield chunk
        return
    stream = cast("HashedReader", archive.fileobj)
    left = entry.size
    while left:
        piece = stream.read_some(left)
        if not piece:
            raise InvalidRequestError("the archive is no sound tar: unexpected end of data")
        left -= len(piece)
        yield piece


def _is_hole(chunk: bytes | memoryview) -> bool:
    """Whether these are zeros, enough of them; most that are not are told by their ends."""
    ends = len(chunk) >= HOLE and not chunk[0] and not chunk[-1]
    return ends and bytes(chunk).count(0) == len(chunk)


def _write_all(fd: int, chunk: bytes | memoryview) -> None:
    written = os.write(fd, chunk)
    while written < len(chunk):
        written += os.write(fd, memoryview(chunk)[written:])


def _set_xattrs(entry: tarfile.TarInfo, place: int | str) -> None:
    for key, value in entry.pax_headers.items():
        if key.startswith(XATTR) and not key.startswith(f"{XATTR}trusted."):
            _set_xattr(place, key.removeprefix(XATTR), value.encode("utf-8", "surrogateescape"))


def _is_folder(parent: int, base: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _make_opaque(parent: int, base: str) -> None:
    """Hide what lower layers have in a folder."""
    os.setxattr(f"/proc/self/fd/{parent}/{base}", OPAQUE_XATTR, b"y", follow_symlinks=False)


def _set_xattr(place: int | str, name: str, value: bytes) -> None:
    try:
        os.setxattr(place, name, value, follow_symlinks=isinstance(place, int))
    except OSError as error:
        # As Docker has it: what this file system does not keep is no reason to refuse an image.
        if error.errno != errno.ENOTSUP and not name.startswith("user."):
            raise


def _remove(parent: int, base: str) -> bool:
    """Whatever an earlier entry of the same archive put there; True if that was a whiteout."""
    try:
        status = os.stat(base, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(status.st_mode):
        import shutil

        shutil.rmtree(base, dir_fd=parent)
    else:
        os.unlink(base, dir_fd=parent)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
