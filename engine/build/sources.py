"""What COPY and ADD take: sources found below a root, by pattern, and the digest of their content.

Rules: paths are resolved by openat2 inside the root (a context's folder or an image's mount), so no
symlink leads out. The digest covers names, kinds, modes, contents, extended attributes and, where
they are kept, owners; never times. Everything here blocks: call it in a thread.
"""
# ruff: noqa: PTH123

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.build.ignore import IgnoreRules, to_regex
from engine.errors import InvalidRequestError
from engine.runtime.mounting import open_in_root

if TYPE_CHECKING:
    from collections.abc import Iterable

#: An unescaped *, ? or [: a path without one is taken as it is written.
_MAGIC = re.compile(r"(?:[^\\]|\\.)*?[*?\[]", re.DOTALL)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Selection:
    """Paths below one root. `keep_owner`: the sources' owners go with them.

    `parents` (COPY --parents) is the part of each path that is made again at the destination.
    """

    root: int
    paths: tuple[str, ...]
    keep_owner: bool = False
    rules: IgnoreRules = field(default_factory=IgnoreRules)
    parents: str = ""


def clean(pattern: str) -> str:
    """A source as written, relative to its root. Raises InvalidRequestError where it leads out."""
    path = posixpath.normpath(pattern.lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        raise InvalidRequestError(
            f"forbidden path outside the build context: {pattern}: copy from inside it"
        )
    return path


def find(
    root: int, patterns: Iterable[str], where: str, *, parents: bool = False
) -> list[tuple[str, str]]:
    """What patterns stand for, in order: (path, the folders above it that --parents keeps).

    Raises InvalidRequestError if a pattern has no match. With `parents`, "**" goes through folders,
    and what stands before "/./" is not kept.
    """
    found: list[tuple[str, str]] = []
    for pattern in patterns:
        before = pattern.partition("/./")[0] if parents and "/./" in pattern else ""
        dropped = f"{clean(before)}/" if before.strip("/") else ""
        matches = list(_matches(root, pattern, where, deep=parents))
        for path in matches:
            kept = posixpath.dirname(path.removeprefix(dropped)) if parents else ""
            found.append((path, kept))
    return found


def _matches(root: int, pattern: str, where: str, *, deep: bool) -> Iterable[str]:
    path = clean(pattern)
    if _MAGIC.match(path):
        found = _glob(root, "", path.split("/"), deep=deep)
        if not found:
            raise InvalidRequestError(
                f"no source files were specified: nothing in {where} matches {pattern}"
            )
        return list(dict.fromkeys(found))
    fd = open_in_root(root, f"/{path}")
    if fd is None:
        perhaps = ", or .dockerignore excludes it" if where == "build context" else ""
        raise InvalidRequestError(
            f"file not found in {where}: stat {pattern}: file does not exist{perhaps}"
        )
    os.close(fd)
    return [path]


def names(folder: int) -> list[str]:
    """The sorted names in a folder."""
    return sorted(os.listdir(folder))


def open_folder(root: int, path: str) -> int | None:
    """A readable descriptor of a folder in the root, None if the path is no folder."""
    return open_in_root(root, f"/{path}", _FOLDER)


def _glob(root: int, above: str, parts: list[str], *, deep: bool) -> list[str]:
    head, *tail = parts
    fd = open_folder(root, above)
    if fd is None:
        return []
    found: list[str] = []
    try:
        inside = names(fd)
    finally:
        os.close(fd)
    if deep and head == "**":
        found += (
            _glob(root, above, tail, deep=deep)
            if tail
            else [posixpath.join(above, n) for n in inside]
        )
        for name in inside:
            path = posixpath.join(above, name)
            spot = open_in_root(root, f"/{path}", os.O_PATH | os.O_NOFOLLOW)
            if spot is None:
                continue
            folder = stat.S_ISDIR(os.fstat(spot).st_mode)
            os.close(spot)
            if folder and tail:
                found += _glob(root, path, parts, deep=deep)
        return found
    for name in _named(head, inside):
        path = posixpath.join(above, name)
        if tail:
            found += _glob(root, path, tail, deep=deep)
        elif (present := open_in_root(root, f"/{path}")) is not None:
            os.close(present)
            found.append(path)
    return found


def _named(pattern: str, inside: list[str]) -> list[str]:
    """The names that a part of a pattern stands for. Raises InvalidRequestError."""
    if not _MAGIC.match(pattern):
        return [pattern]
    try:
        regex = re.compile(to_regex(re.sub(r"\*+", "*", pattern)), re.DOTALL)
    except (re.error, ValueError) as error:
        raise InvalidRequestError(f"{pattern} is no pattern: {error}") from error
    return [name for name in inside if regex.fullmatch(name)]


def digest(selection: Selection) -> str:
    """The digest of everything that would be copied. Raises InvalidRequestError."""
    running = hashlib.sha256()
    for path in selection.paths:
        fd = open_in_root(selection.root, f"/{path}")
        if fd is None:
            raise InvalidRequestError(f"{path} went away during the build: try again")
        try:
            folder = stat.S_ISDIR(os.fstat(fd).st_mode)
            running.update(f"{selection.parents}\n".encode("utf-8", "surrogateescape"))
            _feed(running, selection, _Entry(fd, "", "" if folder else posixpath.basename(path)))
        finally:
            os.close(fd)
    return running.hexdigest()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A thing by its O_PATH descriptor; `name` is its path relative to the source."""

    fd: int
    above: str
    base: str

    @property
    def name(self) -> str:
        return f"{self.above}/{self.base}" if self.above else self.base


def _feed(running: hashlib._Hash, selection: Selection, entry: _Entry) -> None:
    ignored = bool(entry.name) and selection.rules.ignores(entry.name)
    status = os.fstat(entry.fd)
    folder = stat.S_ISDIR(status.st_mode)
    if ignored and not (folder and selection.rules.has_exceptions):
        return
    path = f"/proc/self/fd/{entry.fd}"
    facts: list[object] = [entry.name, status.st_mode]
    if selection.keep_owner:
        facts += [status.st_uid, status.st_gid]
    if stat.S_ISLNK(status.st_mode):
        facts.append(os.readlink("", dir_fd=entry.fd))
    elif stat.S_ISREG(status.st_mode):
        facts += [status.st_size, _file_digest(path)]
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        facts.append(status.st_rdev)
    if folder or stat.S_ISREG(status.st_mode):
        facts.append([[key, value.hex()] for key, value in attributes(path)])
    running.update(json.dumps(facts).encode("utf-8", "surrogateescape") + b"\n")
    if not folder:
        return
    inside = os.open(path, _FOLDER)
    try:
        for base in names(inside):
            fd = os.open(base, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=inside)
            try:
                _feed(running, selection, _Entry(fd, entry.name, base))
            finally:
                os.close(fd)
    finally:
        os.close(inside)


def _file_digest(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def attributes(path: str) -> list[tuple[str, bytes]]:
    """The extended attributes that belong to the content (no overlay marks, no ACL plumbing)."""
    try:
        found = sorted(os.listxattr(path))
    except OSError:
        return []
    kept = [name for name in found if not name.startswith(("trusted.", "system."))]
    return [(name, os.getxattr(path, name)) for name in kept]
