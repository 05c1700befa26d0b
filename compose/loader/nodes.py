"""Phase 1, continued: the nodes of one YAML document -> a tree.

Rules: keys are strings and unique; anchors, aliases and `<<` are resolved; the tags `!reset` and
`!override` leave the tree as paths, since they speak about the files before this one. What is wrong
is gathered, so that all of it can be told. Source: the Compose Specification, fragments and merge.
"""

from __future__ import annotations

import yaml

from compose.errors import ProjectError
from compose.loader import scalars
from compose.loader.tree import dotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Path = tuple[str | int, ...]

STANDARD = "tag:yaml.org,2002:"
PLAIN = "plain"

#: Up to so many values nearly all may come from aliases, from so many on a tenth: the reference's
#: guard against files that grow without end as they are read.
_FEW, _MANY = 400_000, 4_000_000


class Reader:
    """Nodes -> tree. `faults` are `file:line:column: what is wrong`; `resets` the tagged paths."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._overriding = False
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._aliased = self._count = self._from_aliases = 0
        self.resets: list[Path] = []
        self.faults: list[str] = []

    def _wrong(self, node: Any, problem: str) -> str:
        mark = node.start_mark
        return f"{self._file}:{mark.line + 1}:{mark.column + 1}: {problem}"

    def value(self, node: Any, path: Path) -> Any:
        """The value of a node. Raises ProjectError for an alias bomb."""
        self._count += 1
        if self._aliased:
            self._from_aliases += 1
            self._not_too_many(node)
        if node.tag == "!override" and not self._overriding:
            self.resets.append(path)
            self._overriding = True  # a tag below it says nothing more
            try:
                return self._value(node, path)
            finally:
                self._overriding = False
        return self._value(node, path)

    def _value(self, node: Any, path: Path) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        known = id(node)
        if known in self._open:
            self.faults.append(
                self._wrong(node, f"{dotted(path)}: an alias contains itself: break the circle")
            )
            return {} if isinstance(node, yaml.MappingNode) else []
        again = known in self._seen
        self._open.add(known)
        self._seen.add(known)
        self._aliased += again
        if isinstance(node, yaml.MappingNode):
            found: Any = self._mapping(node, path)
        else:
            items = enumerate(node.value)
            found = [
                self.value(v, (*path, i)) for i, v in items if v.tag != "!reset" or self._overriding
            ]
        self._open.discard(known)
        self._aliased -= again
        return found

    def _not_too_many(self, node: Any) -> None:
        if self._from_aliases <= 100 or self._count <= 1000:
            return
        share = 0.99 - 0.89 * min(1, max(0, self._count - _FEW) / (_MANY - _FEW))
        if self._from_aliases > share * self._count:
            raise ProjectError(
                self._wrong(
                    node, "aliases of aliases make this file grow too large: write them out"
                )
            )

    def scalar(self, node: Any) -> Any:
        """The value of a scalar node."""
        tag = node.tag
        if tag == PLAIN:
            return scalars.resolve(node.value)
        if tag == f"{STANDARD}str" or not tag.startswith(STANDARD):
            return node.value
        if tag == f"{STANDARD}float":
            value = scalars.resolve(node.value)
            return float(value) if isinstance(value, int) else value
        if tag == f"{STANDARD}binary":
            import base64

            return base64.b64decode(node.value).decode(errors="replace")
        return scalars.resolve(node.value)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[Any] = []
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in lines:
                self.faults.append(
                    self._wrong(
                        key_node,
                        f"{dotted((*path, key))}: defined before, in line {lines[key]}: remove one of the two",
                    )
                )
                continue
            lines[key] = key_node.start_mark.line + 1
            if value_node.tag == "!reset" and not self._overriding:
                self.resets.append((*path, key))
            elif key == "<<" and key_node.tag == PLAIN:
                merged += self._bases(value_node, path)
            else:
                result[key] = self.value(value_node, (*path, key))
        for base in merged:
            for key, value in base.items():
                result.setdefault(key, value)
        return result

    def _key(self, node: Any, path: Path) -> str | None:
        key = self.scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(key, str) and not isinstance(key, scalars.Date):
            return key
        where = f"in {dotted(path)}" if path else "at top level"
        shown = node.value if isinstance(node, yaml.ScalarNode) else "a mapping or list"
        self.faults.append(self._wrong(node, f"non-string key {where}: {shown}: put it in quotes"))
        return None

    def _bases(self, node: Any, path: Path) -> list[dict[str, Any]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        self._aliased += 1
        bases = [self.value(base, path) for base in nodes]
        self._aliased -= 1
        if not all(isinstance(base, dict) for base in bases):
            self.faults.append(
                self._wrong(
                    node, f"{dotted(path)}.<<: only a mapping or a list of them can be merged"
                )
            )
            return []
        return bases
