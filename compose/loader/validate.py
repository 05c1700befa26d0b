"""Phase 6: the tree against the schema of the specification.

A quick look finds out whether anything is wrong; only then is jsonschema (slow to import) asked to
explain what, in one sentence. Both read `schema`.
"""

from __future__ import annotations

from compose.loader.scalars import Date
from compose.loader.schema import SCHEMA
from compose.loader.tree import raise_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Check = Callable[[Any], bool]


def validate(tree: Any) -> None:
    """Raises FaultError for what the schema does not allow."""
    if not _CHECK(tree):
        from compose.loader.explain import explain

        raise_all(explain(tree, SCHEMA))


def _integer(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[str, Check] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str) and type(value) is not Date,
    "integer": _integer,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


class _Compiler:
    """A schema of the few keywords that ours uses -> a function that says yes or no."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._definitions = root.get("$defs", {})
        self._compiled: dict[str, Check] = {}

    def compile(self, part: dict[str, Any]) -> Check:
        if "$ref" in part:
            return self._reference(part["$ref"].rsplit("/", 1)[1])
        if "anyOf" in part:
            choices = [self.compile(choice) for choice in part["anyOf"]]
            return lambda value: any(choice(value) for choice in choices)
        checks: list[Check] = []
        for keyword, make in _KEYWORDS.items():
            if keyword in part:
                checks.append(make(self, part))
        if len(checks) == 1:
            return checks[0]
        return lambda value: all(check(value) for check in checks)

    def _reference(self, name: str) -> Check:
        """Compiled when first used: most files use few of the definitions."""

        def check(value: Any) -> bool:
            found = self._compiled.get(name)
            if found is None:
                found = self._compiled[name] = self.compile(self._definitions[name])
            return found(value)

        return check

    def types(self, part: dict[str, Any]) -> Check:
        names = part["type"]
        if isinstance(names, str):
            return _TYPES[names]
        checks = [_TYPES[name] for name in names]
        return lambda value: any(check(value) for check in checks)

    def items(self, part: dict[str, Any]) -> Check:
        check = self.compile(part["items"])
        return lambda value: not isinstance(value, list) or all(map(check, value))

    def members(self, part: dict[str, Any]) -> Check:
        """properties, patternProperties and additionalProperties in one walk."""
        named = {key: self.compile(below) for key, below in part.get("properties", {}).items()}
        patterns = [
            (_matcher(pattern), self.compile(below))
            for pattern, below in part.get("patternProperties", {}).items()
        ]
        closed = part.get("additionalProperties", True) is False

        def check(value: Any) -> bool:
            if not isinstance(value, dict):
                return True
            for key, below in value.items():
                if key in named:
                    if not named[key](below):
                        return False
                    continue
                matched = [test for matches, test in patterns if matches(key)]
                if not all(test(below) for test in matched) or (closed and not matched):
                    return False
            return True

        return check


def _unique(value: Any) -> bool:
    if not isinstance(value, list) or len(value) < 2:
        return True
    seen: list[tuple[type, Any]] = []
    for entry in value:
        tagged = (bool if isinstance(entry, bool) else object, entry)
        if tagged in seen:
            return False
        seen.append(tagged)
    return True


def _number(part: dict[str, Any]) -> Check:
    low, high = part.get("minimum", float("-inf")), part.get("maximum", float("inf"))
    return lambda value: not isinstance(value, int | float) or low <= value <= high


def _pattern(part: dict[str, Any]) -> Check:
    matches = _matcher(part["pattern"])
    return lambda value: not isinstance(value, str) or matches(value)


def _matcher(pattern: str) -> Callable[[str], bool]:
    """What says whether a text has the pattern; the usual ones need no import of `re`."""
    if pattern in _MATCHERS:
        return _MATCHERS[pattern]
    compiled: list[Any] = []

    def matches(text: str) -> bool:
        if not compiled:
            import re

            compiled.append(re.compile(pattern))
        return compiled[0].search(text) is not None

    return matches


_NAME = "-._0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MATCHERS: dict[str, Callable[[str], bool]] = {
    "^x-": lambda text: text.startswith("x-"),
    # As jsonschema has it: `$` lets one newline follow.
    "^[a-zA-Z0-9._-]+$": lambda text: (
        text != "\n" and not text.removesuffix("\n").strip(_NAME) and text != ""
    ),
    ".+": lambda text: text.strip("\n") != "",
    "^.+$": lambda text: text.strip("\n") != "" and "\n" not in text.removesuffix("\n"),
}


def _required(part: dict[str, Any]) -> Check:
    names = part["required"]
    return lambda value: not isinstance(value, dict) or all(name in value for name in names)


_KEYWORDS: dict[str, Callable[[_Compiler, dict[str, Any]], Check]] = {
    "type": _Compiler.types,
    "enum": lambda _compiler, part: lambda value: value in part["enum"],
    "pattern": lambda _compiler, part: _pattern(part),
    "minimum": lambda _compiler, part: _number(part),
    "required": lambda _compiler, part: _required(part),
    "uniqueItems": lambda _compiler, part: _unique if part["uniqueItems"] else lambda _value: True,
    "items": _Compiler.items,
    "properties": _Compiler.members,
    "patternProperties": lambda compiler, part: (
        (lambda _value: True) if "properties" in part else compiler.members(part)
    ),
}
_CHECK = _Compiler(SCHEMA).compile(SCHEMA)
