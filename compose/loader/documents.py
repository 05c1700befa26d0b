"""YAML documents that know where every value was written."""

from __future__ import annotations

from compose.loader.legacy import is_legacy, migrated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Path = tuple[str | int, ...]


class Place:
    """Where a path was written: how much of it, in which document, at which line and column."""

    __slots__ = ("column", "document", "line", "path")

    def __init__(self, document: Document, path: Path, mark: Any) -> None:
        self.document = document
        self.path = path
        self.line = mark.line + 1
        self.column = mark.column + 1

    def __str__(self) -> str:
        return f"{self.document.file}:{self.line}:{self.column}"


class Document:
    """One YAML document: its tree, the paths that `!reset` and `!override` name, and its places."""

    def __init__(
        self, file: str, node: Callable[[], Any], tree: Any, resets: tuple[Path, ...]
    ) -> None:
        self.file = file
        self.written = tree
        self.is_legacy = is_legacy(tree)
        self.tree = migrated(tree) if self.is_legacy else tree
        self.resets = tuple(("services", *path) for path in resets) if self.is_legacy else resets
        self._node_of = node
        self._gone: set[Path] = set()

    def place(self, path: Path) -> Place:
        """The place of the longest part of the path that was written here."""
        node = self._node_of()
        mark = node.start_mark
        written: Path = ()
        if self.is_legacy and path[:1] == ("services",):
            written, path = path[:1], path[1:]
        for part in path:
            own = self._index(written, part) if isinstance(part, int) else _entry(node, part)
            step = _step(node, own)
            if step is None:
                break
            mark, node = step
            written = (*written, own)
        return Place(self, written, mark)

    def length(self, path: Path) -> int | None:
        """How many entries the list at the path has in the tree; None if there is no list."""
        value: Any = self.tree
        for part in path:
            if isinstance(value, list):
                inside = isinstance(part, int) and part < len(value)
            else:
                inside = isinstance(value, dict) and part in value
            if not inside:
                return None
            value = value[part]
        return len(value) if isinstance(value, list) else None

    def prune(self, path: Path) -> bool:
        """Take what was written at the path out of the tree; False if it is all there is.

        For a load that goes on after an error; places stay those of the file.
        """
        if not path or path in self._gone:
            return False
        self.tree = self._without(self.tree, path, ())
        self._gone.add(path)
        return True

    def _without(self, value: Any, path: Path, above: Path) -> Any:
        part, rest = path[0], path[1:]
        here = (*above, part)
        if isinstance(value, dict) and part in value:
            if rest:
                return {**value, part: self._without(value[part], rest, here)}
            return {key: old for key, old in value.items() if key != part}
        if isinstance(value, list) and isinstance(part, int):
            index = part - sum(gone < part for gone in self._gone_from(above))
            if not 0 <= index < len(value):
                return value
            middle = [self._without(value[index], rest, here)] if rest else []
            return [*value[:index], *middle, *value[index + 1 :]]
        return value

    def _index(self, above: Path, index: int) -> int:
        """The index in the file of an entry of the tree's list."""
        for gone in sorted(self._gone_from(above)):
            if gone <= index:
                index += 1
        return index

    def _gone_from(self, above: Path) -> list[int]:
        return [path[-1] for path in self._gone if path[:-1] == above and isinstance(path[-1], int)]


def _entry(node: Any, name: str) -> str | int:
    """A key as it was written: where a mapping's short syntax is a list, the index of its entry."""
    if node.id == "sequence":
        for index, item in enumerate(node.value):
            if item.id == "scalar" and name in _names(item.value):
                return index
    return name


def _names(text: str) -> tuple[str, str, str]:
    """What `name`, `name=value` and `name:value` may be the entry of."""
    return text, text.partition("=")[0], text.partition(":")[0]


def _step(node: Any, part: str | int) -> tuple[Any, Any] | None:
    if node.id == "sequence":
        if isinstance(part, int) and part < len(node.value):
            item = node.value[part]
            return item.start_mark, item
        return None
    if node.id != "mapping":
        return None
    merged: list[Any] = []
    for key, value in node.value:
        if key.value == part:
            return key.start_mark, value
        if key.value == "<<":
            merged += value.value if value.id == "sequence" else [value]
    return next(filter(None, (_step(other, part) for other in merged)), None)


def find(path: Path, documents: Sequence[Document]) -> Place | None:
    """Where a path of the merged tree was written: in the newest document that has most of it.

    Lists of several documents are joined, so an index counts through those of the older ones.
    """
    best: Place | None = None
    for number, document in enumerate(documents):
        place = document.place(_own(path, document, documents[:number]))
        if best is None or len(place.path) >= len(best.path):
            best = place
    return best


def _own(path: Path, document: Document, older: Sequence[Document]) -> Path:
    for depth, part in enumerate(path):
        if isinstance(part, int) and document.length(path[:depth]) is not None:
            before = sum(other.length(path[:depth]) or 0 for other in older)
            if before <= part:
                return (*path[:depth], part - before, *path[depth + 1 :])
            return path[:depth]
    return path
