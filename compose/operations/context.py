"""A build context as a stream of tar: what .dockerignore leaves, piece by piece, never whole in memory."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from compose.errors import ProjectError
from compose.operations.archives import BLOCK, CHUNK, file_blocks
from compose.operations.dockerignore import Ignore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence


class Context:
    """A folder to build from.

    `dockerfile` is its path, `inline` the text of one that is in no file. `apart` says that whoever
    builds is given the text of a Dockerfile outside the context beside it: `text` is it then; else it
    goes into the tar under a name of ours. `folders` come with it: (path in the tar, folder).
    """

    def __init__(
        self,
        folder: Path,
        dockerfile: str,
        inline: str = "",
        *,
        apart: bool = False,
        folders: Sequence[tuple[str, Path]] = (),
    ) -> None:
        if not folder.is_dir():
            raise ProjectError(f"unable to prepare context: path {str(folder)!r} not found")
        self.folder = folder
        self.text: str | None = None
        self._folders = folders
        self._extra: bytes | None = None
        path = folder / (dockerfile or "Dockerfile")
        if inline:
            # A fixed name, so that the same text is the same context, and the build cache hits.
            self.dockerfile, self._extra = ".dockerfile.inline", inline.encode()
        elif not path.is_file():
            raise ProjectError(f"failed to read dockerfile: {path}: no such file")
        elif path.resolve().is_relative_to(folder.resolve()):
            self.dockerfile = os.path.relpath(path.resolve(), folder.resolve())
        else:
            self.dockerfile, self._extra = ".dockerfile.outside", path.read_bytes()
        self._ignore = Ignore(self._ignore_lines(path))
        if apart and self._extra is not None:
            self.text, self._extra = self._extra.decode("utf-8", "replace"), None
            self.dockerfile = dockerfile or "Dockerfile"

    def _ignore_lines(self, dockerfile: Path) -> list[str]:
        """<Dockerfile>.dockerignore goes before .dockerignore; both and the Dockerfile are sent."""
        for path in (Path(f"{dockerfile}.dockerignore"), self.folder / ".dockerignore"):
            if path.is_file():
                lines = path.read_text(errors="replace").splitlines()
                return [*lines, f"!{self.dockerfile}", "!.dockerignore"]
        return []

    def pieces(self) -> Iterator[bytes]:
        """The tar. Owners are root's, as docker sends them; times and modes are the files'."""
        if self._extra is not None:
            entry = tarfile.TarInfo(self.dockerfile)
            entry.size, entry.mode = len(self._extra), 0o644
            yield entry.tobuf(tarfile.PAX_FORMAT) + padded(self._extra)
        yield from tree_pieces(self.folder, "", self._ignore)
        for name, folder in self._folders:
            yield from entry_pieces(folder, name)
            path = folder / ".dockerignore"
            lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
            yield from tree_pieces(folder, f"{name}/", Ignore(lines))
        yield bytes(2 * BLOCK)


def tree_pieces(top: Path, into: str, ignore: Ignore) -> Iterator[bytes]:
    """What is below a folder and not ignored, as entries named `into` and the path."""

    def walk(folder: Path, prefix: str) -> Iterator[bytes]:
        for child in sorted(os.scandir(folder), key=lambda entry: entry.name):
            name = prefix + child.name
            excluded = ignore.excludes(name)
            if not excluded:
                yield from entry_pieces(Path(child.path), into + name)
            if child.is_dir(follow_symlinks=False) and (
                not excluded or ignore.may_include_below(name)
            ):
                yield from walk(Path(child.path), name + "/")

    yield from walk(top, "")


def padded(data: bytes) -> bytes:
    """Filled up to whole blocks."""
    return data + bytes(-len(data) % BLOCK)


def entry_pieces(path: Path, name: str) -> Iterator[bytes]:
    """One file, folder or link as tar. Sockets and what vanished meanwhile are left out."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    entry = tarfile.TarInfo(name)
    entry.mode = stat.S_IMODE(status.st_mode)
    entry.mtime = int(status.st_mtime)
    if stat.S_ISDIR(status.st_mode):
        entry.type, entry.name = tarfile.DIRTYPE, name + "/"
    elif stat.S_ISLNK(status.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISFIFO(status.st_mode):
        entry.type = tarfile.FIFOTYPE
    elif not stat.S_ISREG(status.st_mode):
        return
    else:
        entry.size = status.st_size
        yield entry.tobuf(tarfile.PAX_FORMAT)
        yield from file_blocks(path, entry.size)
        return
    yield entry.tobuf(tarfile.PAX_FORMAT)


class Upload:
    """An iterator's pieces for trio: read in a thread, a few at once, so that no disk stalls the loop."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        # standard input may stay silent for ever: whoever is interrupted does not wait for it
        data = await trio.to_thread.run_sync(self._batch, abandon_on_cancel=True)
        if not data:
            raise StopAsyncIteration
        return data

    def _batch(self) -> bytes:
        buffer = io.BytesIO()
        while buffer.tell() < CHUNK:
            piece = next(self._pieces, None)
            if piece is None:
                break
            buffer.write(piece)
        return buffer.getvalue()
