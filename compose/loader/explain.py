"""Why the schema refuses a tree, a sentence a fault. Imports jsonschema, so imported only on a failure."""

from __future__ import annotations

import re

import jsonschema

from compose.loader.scalars import Date
from compose.loader.tree import FaultError, kind, like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from jsonschema.exceptions import ValidationError

_NAMES = {"object": "mapping", "array": "list"}


def explain(tree: Any, schema: dict[str, Any]) -> list[FaultError]:
    """All the faults of a tree; where alternatives fail, that of the one it came closest to."""
    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "string", lambda _checker, value: isinstance(value, str) and not isinstance(value, Date)
    )
    validator: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
        jsonschema.Draft202012Validator, type_checker=types
    )
    found = [
        fault
        for error in validator(schema).iter_errors(tree)
        for fault in _Sentence(schema, _deepest(error)).faults()
    ]
    return found or [FaultError((), "does not follow the Compose Specification")]


def _deepest(error: ValidationError) -> ValidationError:
    """Of the alternatives that a value could have been, the one that it came closest to."""
    while error.context:
        here = len(error.absolute_path)
        closer = [
            other
            for other in error.context
            if other.validator != "type" or len(other.absolute_path) > here
        ]
        if not closer:
            return error
        error = max(closer, key=_telling)
    return error


def _telling(error: ValidationError) -> tuple[int, bool]:
    deeper = error.validator == "additionalProperties"
    return len(error.absolute_path) + deeper, error.validator != "type"


class _Sentence:
    """What one fault is called."""

    def __init__(self, schema: dict[str, Any], error: Any) -> None:
        self._definitions: dict[str, Any] = schema["$defs"]
        self._error = error
        self._path = tuple(error.absolute_path)

    def faults(self) -> Iterator[FaultError]:
        """The fault with its sentence; of attributes that are not known one each."""
        error = self._error
        if error.validator == "additionalProperties":
            yield from self._unknown()
        elif error.validator == "required":
            for name in error.validator_value:
                if name not in error.instance:
                    yield FaultError(self._path, f"{name} is missing: add it", (*self._path, name))
        else:
            problem = _PROBLEMS.get(str(error.validator))
            yield FaultError(self._path, problem(self) if problem else error.message)

    def type(self) -> str:
        value = self._error.instance
        got = "a date" if isinstance(value, Date) else kind(value)
        *others, last = dict.fromkeys(self._types(self._error.schema))
        wanted = f"{', '.join(others)} or {last}" if others else last
        quoted = "a string" in wanted and not isinstance(value, dict | list) and value is not None
        useful = " or ".join(word for word in (*others, last) if word != "null") or last
        advice = (
            "put it in quotes" if quoted else "remove it" if value is None else f"write {useful}"
        )
        return f"must be {wanted}, not {got}: {advice}"

    def enum(self) -> str:
        words = [str(word) for word in self._error.validator_value]
        value = self._error.instance
        return f"must be one of {', '.join(words)}, not {_shown(value)}{like(str(value), words)}"

    def unique(self) -> str:
        entries: list[Any] = self._error.instance
        twice = next(entry for i, entry in enumerate(entries) if entry in entries[:i])
        return f"has the same entry twice, {_shown(twice)}: remove one"

    def least(self) -> str:
        return f"must be greater than or equal to {self._error.validator_value}, not {self._error.instance}"

    def most(self) -> str:
        return f"must be less than or equal to {self._error.validator_value}, not {self._error.instance}"

    def pattern(self) -> str:
        wanted = self._error.schema.get("description", f"text like {self._error.validator_value}")
        return f"{_shown(self._error.instance)} is not {wanted}"

    def _types(self, schema: Any) -> list[str]:
        if "$ref" in schema:
            return self._types(self._definitions[schema["$ref"].rsplit("/", 1)[1]])
        if "anyOf" in schema:
            return [name for choice in schema["anyOf"] for name in self._types(choice)]
        types = schema.get("type", [])
        names = [types] if isinstance(types, str) else types
        articles = {"integer": "an ", "null": ""}
        return [f"{articles.get(name, 'a ')}{_NAMES.get(name, name)}" for name in names]

    def _unknown(self) -> Iterator[FaultError]:
        schema = self._error.schema
        known = list(schema.get("properties", {}))
        patterns = schema.get("patternProperties", {})
        for name in self._error.instance:
            if name in known or any(re.search(pattern, name) for pattern in patterns):
                continue
            place = (*self._path, name)
            if not known:
                yield FaultError(
                    place,
                    "not a valid name: use letters, digits, dots, hyphens and underscores",
                )
                continue
            advice = like(name, known)
            fault = FaultError(
                place, f"unknown attribute{advice or ': remove it, or begin its name with x-'}"
            )
            if advice:
                fault.meant = (*self._path, advice.split('"')[1])
            yield fault


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else str(value)


_PROBLEMS: dict[str, Callable[[_Sentence], str]] = {
    "type": _Sentence.type,
    "anyOf": _Sentence.type,
    "enum": _Sentence.enum,
    "uniqueItems": _Sentence.unique,
    "minimum": _Sentence.least,
    "maximum": _Sentence.most,
    "pattern": _Sentence.pattern,
}
