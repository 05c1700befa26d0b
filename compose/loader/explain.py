"""Why the schema refuses a tree, in one sentence. Imports jsonschema, so imported only on a failure."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import jsonschema

from compose.loader.scalars import Date
from compose.loader.tree import FaultError, kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jsonschema.exceptions import ValidationError

_NAMES = {"object": "mapping", "array": "list"}


def explain(tree: Any, schema: dict[str, Any]) -> FaultError:
    """The most telling of the tree's faults: the one deepest inside it."""
    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "string", lambda _checker, value: isinstance(value, str) and not isinstance(value, Date)
    )
    validator: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
        jsonschema.Draft202012Validator, type_checker=types
    )
    found = [_deepest(error) for error in validator(schema).iter_errors(tree)]
    if not found:
        return FaultError((), "does not follow the Compose Specification")
    return _Sentence(schema, max(found, key=_telling)).fault()


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

    def fault(self) -> FaultError:
        """The fault with its sentence."""
        error = self._error
        if error.validator == "additionalProperties":
            return self._unknown()
        problem = _PROBLEMS.get(str(error.validator))
        return FaultError(self._path, problem(self) if problem else error.message)

    def type(self) -> str:
        value = self._error.instance
        got = "a date" if isinstance(value, Date) else kind(value)
        *others, last = dict.fromkeys(self._types(self._error.schema))
        wanted = f"{', '.join(others)} or {last}" if others else last
        quoted = "a string" in wanted and not isinstance(value, dict | list) and value is not None
        return f"must be {wanted}, not {got}{': put it in quotes' if quoted else ''}"

    def enum(self) -> str:
        words: Iterable[Any] = self._error.validator_value
        return f"must be one of {', '.join(map(str, words))}, not {self._error.instance!r}"

    def required(self) -> str:
        names: Iterable[str] = self._error.validator_value
        missing = next(name for name in names if name not in self._error.instance)
        return f"{missing} is missing: add it"

    def unique(self) -> str:
        return "has the same entry twice: remove one"

    def least(self) -> str:
        return f"must be greater than or equal to {self._error.validator_value}"

    def most(self) -> str:
        return f"must be less than or equal to {self._error.validator_value}"

    def pattern(self) -> str:
        return f"{self._error.instance!r} does not match {self._error.validator_value}"

    def _types(self, schema: Any) -> list[str]:
        if "$ref" in schema:
            return self._types(self._definitions[schema["$ref"].rsplit("/", 1)[1]])
        if "anyOf" in schema:
            return [name for choice in schema["anyOf"] for name in self._types(choice)]
        types = schema.get("type", [])
        names = [types] if isinstance(types, str) else types
        articles = {"integer": "an ", "null": ""}
        return [f"{articles.get(name, 'a ')}{_NAMES.get(name, name)}" for name in names]

    def _unknown(self) -> FaultError:
        schema = self._error.schema
        known = list(schema.get("properties", {}))
        patterns = schema.get("patternProperties", {})
        name = next(
            key
            for key in self._error.instance
            if key not in known and not any(re.search(pattern, key) for pattern in patterns)
        )
        place = (*self._path, name)
        if not known:
            return FaultError(
                place, "not a valid name: use letters, digits, dots, hyphens and underscores"
            )
        close = difflib.get_close_matches(name, known, 1)
        advice = f'did you mean "{close[0]}"?' if close else "remove it, or begin its name with x-"
        return FaultError(place, f"unknown attribute, {advice}")


_PROBLEMS: dict[str, Callable[[_Sentence], str]] = {
    "type": _Sentence.type,
    "anyOf": _Sentence.type,
    "enum": _Sentence.enum,
    "required": _Sentence.required,
    "uniqueItems": _Sentence.unique,
    "minimum": _Sentence.least,
    "maximum": _Sentence.most,
    "pattern": _Sentence.pattern,
}
