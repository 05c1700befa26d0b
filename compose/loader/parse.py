"""Phase 1: bytes -> documents, each a tree that knows where every value was written.

Rules: keys are strings and unique; anchors, aliases and `<<` are resolved; the tags `!reset` and
`!override` leave the tree as paths, since they speak about the files before this one.
Source: the Compose Specification, fragments and merge; YAML 1.2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from compose.errors import ProjectError
from compose.loader import scalars
from compose.loader.tree import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str | int, ...]

_TAB = re.compile(rb"^[ ]*\t", re.MULTILINE)
_STANDARD = "tag:yaml.org,2002:"
_PLAIN = "plain"


class _Tags:
    """Instead of YAML 1.1's resolver: says only whether a scalar was plain."""

    def descend_resolver(self, *_: Any) -> None: ...

    def ascend_resolver(self) -> None: ...

    def resolve(self, kind: Any, _value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else f"{_STANDARD}str"
        return f"{_STANDARD}seq" if kind is yaml.SequenceNode else f"{_STANDARD}map"


def _composer(content: bytes) -> Any:
    if yaml.__with_libyaml__:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]

        return type("Composer", (CParser, _Tags), {})(content)
    return _pure_composer(content)


def _pure_composer(content: bytes) -> Any:
    from yaml.composer import Composer
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class Pure(Reader, Scanner, Parser, Composer, _Tags):
        def __init__(self) -> None:
            Reader.__init__(self, content)
            Scanner.__init__(self)
            Parser.__init__(self)
            Composer.__init__(self)

        descend_resolver = _Tags.descend_resolver
        ascend_resolver = _Tags.ascend_resolver

    return Pure()


class Document:
    """One YAML document: its tree, the paths that `!reset` and `!override` name, and its places."""

    def __init__(self, file: str, node: Any, tree: Any, resets: tuple[Path, ...]) -> None:
        self.file = file
        self.tree = tree
        self.resets = resets
        self._node = node

    def place(self, path: Path) -> tuple[int, str]:
        """How many parts of the path were written here, and `file:line:column` of the last of them."""
        node, mark, depth = self._node, self._node.start_mark, 0
        for part in path:
            found = _step(node, part)
            if found is None:
                break
            mark, node = found
            depth += 1
        return depth, f"{self.file}:{mark.line + 1}:{mark.column + 1}"


def _step(node: Any, part: str | int) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.SequenceNode):
        if isinstance(part, int) and part < len(node.value):
            item = node.value[part]
            return item.start_mark, item
        return None
    if not isinstance(node, yaml.MappingNode):
        return None
    merged: list[Any] = []
    for key, value in node.value:
        if key.value == part:
            return key.start_mark, value
        if key.value == "<<":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
    return next(filter(None, (_step(other, part) for other in merged)), None)


def parse(content: bytes, file: str) -> Iterator[Document]:
    """The documents of a file; several merge like several files.

    Raises ProjectError with the place and what was expected there.
    """
    composer = None
    try:
        composer = _composer(content)
        while composer.check_node():
            node = composer.get_node()
            reader = _Reader(file)
            tree = reader.value(node, ())
            yield Document(file, node, tree, tuple(reader.resets))
    except yaml.MarkedYAMLError as error:
        raise ProjectError(_explain(error, content, file)) from None
    except yaml.YAMLError as error:
        text = " ".join(str(error).split())
        raise ProjectError(f"{file}:1:1: not YAML: {text}: save the file as UTF-8 text") from None
    except RecursionError:
        raise ProjectError(f"{file}:1:1: nested too deeply: make the file flatter") from None


def _explain(error: yaml.MarkedYAMLError, content: bytes, file: str) -> str:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = content.splitlines()
    text = lines[line] if line < len(lines) else b""
    if _TAB.match(text):
        column = text.index(b"\t")
        return f"{file}:{line + 1}:{column + 1}: a tab as indentation: use spaces"
    problem = error.problem or "broken YAML"
    if "expected" not in problem:
        problem = f"expected YAML, but {problem}"
    context = f" {error.context}" if error.context else ""
    return f"{file}:{line + 1}:{column + 1}: {problem}{context}: check quotes, brackets and indentation"


class _Reader:
    """Nodes -> tree."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: set[int] = set()
        self.resets: list[Path] = []

    def _wrong(self, node: Any, problem: str) -> ProjectError:
        mark = node.start_mark
        return ProjectError(f"{self._file}:{mark.line + 1}:{mark.column + 1}: {problem}")

    def value(self, node: Any, path: Path) -> Any:
        if node.tag == "!override":
            self.resets.append(path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise self._wrong(node, f"{dotted(path)}: an alias contains itself: break the circle")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            items = enumerate(node.value)
            return [self.value(v, (*path, i)) for i, v in items if v.tag != "!reset"]
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: Any) -> Any:
        tag = node.tag
        if tag == _PLAIN:
            return scalars.resolve(node.value)
        if tag == f"{_STANDARD}str" or not tag.startswith(_STANDARD):
            return node.value
        if tag == f"{_STANDARD}float":
            value = scalars.resolve(node.value)
            return float(value) if isinstance(value, int) else value
        if tag == f"{_STANDARD}binary":
            import base64

            return base64.b64decode(node.value).decode(errors="replace")
        return scalars.resolve(node.value)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[Any] = []
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key in lines:
                raise self._wrong(
                    key_node,
                    f"{dotted((*path, key))}: defined before, in line {lines[key]}: remove one of the two",
                )
            lines[key] = key_node.start_mark.line + 1
            if value_node.tag == "!reset":
                self.resets.append((*path, key))
            elif key == "<<" and key_node.tag == _PLAIN:
                merged += self._bases(value_node, path)
            else:
                result[key] = self.value(value_node, (*path, key))
        for base in merged:
            for key, value in base.items():
                result.setdefault(key, value)
        return result

    def _key(self, node: Any, path: Path) -> str:
        key = self._scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str) or isinstance(key, scalars.Date):
            where = f"in {dotted(path)}" if path else "at top level"
            raise self._wrong(node, f"non-string key {where}: {node.value}: put it in quotes")
        return key

    def _bases(self, node: Any, path: Path) -> list[dict[str, Any]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        bases = [self.value(base, path) for base in nodes]
        if not all(isinstance(base, dict) for base in bases):
            raise self._wrong(
                node, f"{dotted(path)}.<<: only a mapping or a list of them can be merged"
            )
        return bases
