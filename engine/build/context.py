"""The build context: a tar that came over the wire, unpacked into a folder of its own.

Rules: the tar is hostile; what .dockerignore excludes is gone before any instruction runs; the
Dockerfile is read before that. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from engine.build.dockerfile import SIZE_LIMIT
from engine.build.ignore import IgnoreRules, parse_ignore
from engine.errors import InvalidRequestError
from engine.images.compression import open_tar
from engine.images.unpack import unpack_layer
from engine.runtime.mounting import open_in_root

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Context:
    """An unpacked context and the text of its Dockerfile."""

    folder: Path
    dockerfile: str


def receive(raw: IO[bytes], folder: Path, dockerfile: str) -> Context:
    """Unpack a context into a new folder. Raises InvalidRequestError, EngineError."""
    folder.mkdir(mode=0o755)
    unpack_layer(open_tar(raw), folder)
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        text = read_text(root, dockerfile)
        if text is None:
            raise InvalidRequestError(
                f"Cannot locate specified Dockerfile: {dockerfile}: name one inside the context"
            )
        own = read_text(root, f"{dockerfile}.dockerignore")
        ignored = own if own is not None else read_text(root, ".dockerignore")
    finally:
        os.close(root)
    if ignored:
        drop_ignored(folder, parse_ignore(ignored))
    return Context(folder, text)


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
