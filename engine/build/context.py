"""The build context: a tar that came over the wire, unpacked into a folder of its own.

Rules: the tar is hostile; what .dockerignore excludes is gone before any instruction runs; the
Dockerfile is read before that. A lone text in the tar's place is a Dockerfile without a context.
"""

from __future__ import annotations

import os
import shutil
import stat
from typing import IO, TYPE_CHECKING

import trio

from engine.build import remote
from engine.build.dockerfile import SIZE_LIMIT
from engine.build.ignore import IgnoreRules, parse_ignore
from engine.build.request import Material
from engine.build.solve import IMAGE_CONTEXT
from engine.build.sources import clean
from engine.errors import InvalidRequestError
from engine.images.compression import open_tar
from engine.images.unpack import unpack_layer
from engine.runtime.mounting import open_in_root

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.build.request import BuildRequest

#: The scheme of a named context that comes inside the tar, below this path.
FOLDER_CONTEXT = "folder:"


async def receive(raw: IO[bytes], folder: Path, request: BuildRequest) -> Material:
    """A context unpacked into a new folder. Raises InvalidRequestError, EngineError."""
    name = request.dockerfile
    if request.remote:
        inside, lone = await remote.fetch_context(request.remote, folder)
        folder, name = inside, lone or name
    else:
        await trio.to_thread.run_sync(_unpack, raw, folder)
    contexts = {}
    for number, (key, value) in enumerate(request.contexts.items()):
        place = folder.with_name(f"{folder.name}-{number}")
        if value.startswith(FOLDER_CONTEXT):
            (folder / clean(value.removeprefix(FOLDER_CONTEXT))).rename(place)
            contexts[key] = place
        elif not value.startswith(IMAGE_CONTEXT):
            contexts[key], _ = await remote.fetch_context(value, place)
    return await trio.to_thread.run_sync(read_material, folder, name, contexts, request.inline)


def read_material(
    folder: Path, dockerfile: str, contexts: Mapping[str, Path], inline: str | None = None
) -> Material:
    """The Dockerfile of an unpacked context; what is ignored is deleted. Blocking."""
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        text = read_text(root, dockerfile) if inline is None else inline
        if text is None:
            raise InvalidRequestError(
                f"failed to read dockerfile: {dockerfile}: no such file in the build context"
            )
        own = read_text(root, f"{dockerfile}.dockerignore") if inline is None else None
        ignored = own if own is not None else read_text(root, ".dockerignore")
    finally:
        os.close(root)
    if ignored:
        drop_ignored(folder, parse_ignore(ignored))
    return Material(folder, text, contexts, ignored or "")


def _unpack(raw: IO[bytes], folder: Path) -> None:
    from engine.build.archives import is_tar

    folder.mkdir(mode=0o755)
    raw.flush()
    with open(raw.fileno(), "rb", closefd=False) as stream:
        if not stream.read(1):
            return
        stream.seek(0)
        if is_tar(stream):
            stream.seek(0)
            unpack_layer(open_tar(stream), folder)
            return
        stream.seek(0)
        text = stream.read(SIZE_LIMIT + 1)
    if len(text) > SIZE_LIMIT or b"\0" in text:
        raise InvalidRequestError("the build context is no sound tar")
    (folder / "Dockerfile").write_bytes(text)


def read_text(root: int, path: str) -> str | None:
    """A regular file's text, None if it is not there. Raises InvalidRequestError."""
    try:
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise InvalidRequestError(f"cannot read {path} of the context: {error.strerror}") from error
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as stream:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > SIZE_LIMIT:
            raise InvalidRequestError(
                f"{path} of the context is no file of at most {SIZE_LIMIT >> 20} MiB"
            )
        try:
            return stream.read(SIZE_LIMIT).decode()
        except UnicodeDecodeError as error:
            raise InvalidRequestError(f"{path} is not UTF-8: save it as UTF-8 text") from error


def drop_ignored(folder: Path, rules: IgnoreRules) -> None:
    """Delete what the rules exclude; an excluded folder stays if something below is wanted."""
    for path, folders, files, fd in os.fwalk(folder, topdown=False):
        relative = os.path.relpath(path, folder)
        prefix = "" if relative == "." else f"{relative}/"
        for name in files:
            if rules.ignores(prefix + name):
                os.unlink(name, dir_fd=fd)
        for name in folders:
            if rules.ignores(prefix + name):
                _remove_folder(name, fd)


def _remove_folder(name: str, parent: int) -> None:
    if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=parent)
        return
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError:
        pass  # something inside is wanted


def remove_tree(folder: Path) -> None:
    """Delete a folder with all below. Idempotent."""
    shutil.rmtree(folder, ignore_errors=True)
