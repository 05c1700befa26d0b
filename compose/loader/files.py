"""The files of a load, each read and parsed once, however often an `extends` names it."""

from __future__ import annotations

from compose.errors import ProjectError
from compose.loader import plain
from compose.loader.documents import Document
from compose.model.record import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from compose.loader.cache import Parsed
    from compose.loader.sources import Disk

#: Bytes. So much is read the short way sooner than it is found in the cache.
_SMALL = 16 << 10


class Files:
    """The parsed files of one load."""

    def __init__(self, disk: Disk, environment: Mapping[str, str] = EMPTY) -> None:
        self.disk = disk
        self._environment = environment
        self._parsed: dict[str, list[Document]] = {}

    def documents(self, path: str) -> list[Document]:
        """The documents of a file; several merge like several files.

        Raises ProjectError for what is no YAML, with a line for each fault; of a file that is only
        faulty in places the rest is there the next time.
        """
        known = self._parsed.get(path)
        if known is None:
            content, file = self.disk.read(path), self.disk.shown(path)
            read = self._quickly(content)
            if read is None:
                return self._read(path, content, file)
            nodes = _Nodes(content, file)
            known = self._parsed[path] = [
                Document(file, nodes.opener(number), tree, resets)
                for number, (tree, resets) in enumerate(read)
            ]
        return known

    def _quickly(self, content: bytes) -> list[Parsed] | None:
        """What can be known of a file without importing a YAML reader."""
        if len(content) <= _SMALL and (tree := plain.read(content)) is not None:
            return [(tree, ())]
        from compose.loader.cache import Cache

        cache = Cache(self._environment)
        kept = cache.load(content)
        if kept is None and len(content) > _SMALL and (tree := plain.read(content)) is not None:
            kept = [(tree, ())]
            cache.store(content, kept)
        return kept

    def _read(self, path: str, content: bytes, file: str) -> list[Document]:
        from compose.loader.cache import Cache
        from compose.loader.parse import parse

        faults: list[str] = []
        known = list(parse(content, file, faults))
        self._parsed[path] = known
        if faults:
            raise FaultyFileError("\n".join(faults))
        Cache(self._environment).store(content, [(one.written, one.resets) for one in known])
        return known


class _Nodes:
    """The nodes of a file that was read without them, found when they are asked for."""

    def __init__(self, content: bytes, file: str) -> None:
        self._content = content
        self._file = file
        self._found: list[Any] | None = None

    def opener(self, number: int) -> Callable[[], Any]:
        """What gives the top node of one of its documents."""

        def top() -> Any:
            if self._found is None:
                from compose.loader.parse import nodes

                self._found = list(nodes(self._content, self._file))
            return self._found[number]

        return top


class FaultyFileError(ProjectError):
    """A file with faults in it, a line each, that does not hinder reading the rest."""
