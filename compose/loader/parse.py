"""Phase 1: bytes -> documents, each a tree that knows where every value was written. YAML 1.2."""

from __future__ import annotations

import re
from functools import partial

import yaml

from compose.errors import ProjectError
from compose.loader.documents import Document
from compose.loader.nodes import PLAIN, STANDARD, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_TAB = re.compile(rb"^[ ]*\t", re.MULTILINE)


class _Tags:
    """Instead of YAML 1.1's resolver: says only whether a scalar was plain."""

    def descend_resolver(self, *_: Any) -> None: ...

    def ascend_resolver(self) -> None: ...

    def resolve(self, kind: Any, _value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return PLAIN if implicit[0] else f"{STANDARD}str"
        return f"{STANDARD}seq" if kind is yaml.SequenceNode else f"{STANDARD}map"


def _composer(content: bytes) -> Any:
    if yaml.__with_libyaml__:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]

        return type("Composer", (CParser, _Tags), {})(content)
    return _pure_composer(content)


def _pure_composer(content: bytes) -> Any:
    from yaml.composer import Composer
    from yaml.parser import Parser
    from yaml.reader import Reader as YamlReader
    from yaml.scanner import Scanner

    class Pure(YamlReader, Scanner, Parser, Composer, _Tags):
        def __init__(self) -> None:
            YamlReader.__init__(self, content)
            Scanner.__init__(self)
            Parser.__init__(self)
            Composer.__init__(self)

        descend_resolver = _Tags.descend_resolver
        ascend_resolver = _Tags.ascend_resolver

    return Pure()


def parse(content: bytes, file: str, faults: list[str]) -> Iterator[Document]:
    """The documents of a file; several merge like several files. Adds to `faults` what is wrong in them.

    Raises ProjectError, with the place and what was expected there, for what is no YAML.
    """
    for node in nodes(content, file):
        reader = Reader(file)
        try:
            tree = reader.value(node, ())
        except RecursionError:
            raise ProjectError(_too_deep(file)) from None
        faults += reader.faults
        yield Document(file, partial(_same, node), tree, tuple(reader.resets))


def _same(node: Any) -> Any:
    return node


def nodes(content: bytes, file: str) -> Iterator[Any]:
    """The top nodes of a file's documents. Raises ProjectError."""
    try:
        composer = _composer(content)
        while composer.check_node():
            yield composer.get_node()
    except yaml.MarkedYAMLError as error:
        raise ProjectError(_explain(error, content, file)) from None
    except yaml.YAMLError as error:
        raise ProjectError(_unreadable(error, content, file)) from None
    except RecursionError:
        raise ProjectError(_too_deep(file)) from None


def _too_deep(file: str) -> str:
    return f"{file}:1:1: nested too deeply: make the file flatter"


def _explain(error: yaml.MarkedYAMLError, content: bytes, file: str) -> str:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "broken YAML"
    if error.context_mark and ("end of stream" in problem or "could not find" in problem):
        mark = error.context_mark  # where it was opened: the end of the file helps nobody
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = content.splitlines()
    text = lines[line] if line < len(lines) else b""
    if _TAB.match(text):
        column = text.index(b"\t")
        return f"{file}:{line + 1}:{column + 1}: a tab as indentation: use spaces"
    if "expected" not in problem:
        problem = f"expected YAML, but {problem}"
    context = f" {error.context}" if error.context else ""
    return f"{file}:{line + 1}:{column + 1}: {problem}{context}: check quotes, brackets and indentation"


def _unreadable(error: yaml.YAMLError, content: bytes, file: str) -> str:
    """A byte or character that no YAML file may have."""
    at = getattr(error, "position", None) or 0
    before = content[:at]
    line, column = before.count(b"\n") + 1, at - (before.rfind(b"\n") + 1) + 1
    try:
        content.decode()
        problem = f"a control character (U+{getattr(error, 'character', 0):04X}), which YAML forbids: remove it"
    except UnicodeDecodeError:
        problem = "not UTF-8: save the file as UTF-8 text"
    return f"{file}:{line}:{column}: {problem}"
