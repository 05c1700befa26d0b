"""Parsed files kept by their content, so that most commands need no YAML reader at all.

Importing it and reading five services takes a fifth of `config -q`. A file of the cache is named by a
hash of what was read and holds its trees; places are found by reading anew, when there is an error to
tell. It lies in `~/.cache/pycompose` (XDG Base Directory Specification), belongs to who runs us, or is
not used; PYCOMPOSE_NO_CACHE=1 switches it off. What fails here is no error: the file is parsed.
"""

from __future__ import annotations

import marshal
import os

from compose.model.digest import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Path = tuple[str | int, ...]
    #: A document's tree, and the paths of its tags.
    Parsed = tuple[Any, tuple[Path, ...]]

#: Changes whenever the same file would be read to another tree.
_VERSION = 1
#: How many files are kept, and how large one may be, in bytes.
_KEPT, _LARGEST = 200, 2 << 20


class Cache:
    """The folder of one user's parsed files; `folder` "" keeps nothing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        home = environment.get("HOME", "")
        base = environment.get("XDG_CACHE_HOME") or (home and f"{home}/.cache")
        usable = base.startswith("/") and os.path.isdir(home) and not environment.get("PYCOMPOSE_NO_CACHE")  # noqa: PTH112  # fmt: skip
        self.folder = f"{base}/pycompose/parsed" if usable else ""

    def load(self, content: bytes) -> list[Parsed] | None:
        """The documents of a file with this content, if they are kept."""
        if not self.folder:
            return None
        try:
            with open(self._file(content), "rb") as file:  # noqa: PTH123
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    return None
                found: list[Parsed] = marshal.load(file)  # noqa: S302  # our own, in a folder of our own
        except (OSError, ValueError, EOFError, TypeError):
            return None
        return found

    def store(self, content: bytes, documents: Iterable[Parsed]) -> None:
        """Keep the documents, if they are of plain types."""
        if not self.folder or len(content) > _LARGEST:
            return
        try:
            data = marshal.dumps(list(documents))
            os.makedirs(self.folder, mode=0o700, exist_ok=True)  # noqa: PTH103
            if os.stat(self.folder).st_uid != os.geteuid():  # noqa: PTH116
                return
            name = self._file(content)
            with open(f"{name}.{os.getpid()}", "wb") as file:  # noqa: PTH123
                file.write(data)
            os.replace(file.name, name)  # noqa: PTH105
            self._forget_the_oldest()
        except (OSError, ValueError):
            return  # a date in the tree, or a folder that cannot be written to

    def _file(self, content: bytes) -> str:
        return f"{self.folder}/{sha256(content).hexdigest()}-{_VERSION}"

    def _forget_the_oldest(self) -> None:
        files = [entry.path for entry in os.scandir(self.folder)]
        if len(files) > _KEPT:
            by_age = sorted(files, key=lambda path: os.stat(path).st_mtime)  # noqa: PTH116
            for path in by_age[: len(files) - _KEPT // 2]:
                os.unlink(path)  # noqa: PTH108
