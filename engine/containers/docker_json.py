"""Docker's JSON documents <-> our frozen dataclasses, mechanically.

Rules: a field's JSON name is its own in CamelCase, or what `named` says. Null and a missing key mean
the default; unknown keys are passed over (as Go does); a value of the wrong kind is an
InvalidRequestError that names the key. Encoding writes every field, as Docker does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from dataclasses import field as dataclass_field
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.errors import InvalidRequestError

T = TypeVar("T")
#: What JSON has as it is.
_PLAIN = frozenset({str, int, bool, float, type(None)})


def named(json_name: str, default: Any = MISSING, *, hide_empty: bool = False) -> Any:
    """A dataclass field with a JSON name that is not its own in CamelCase.

    With `hide_empty` an empty value is left out when encoding (Go's omitempty).
    """
    return dataclass_field(default=default, metadata={"json": json_name, "hide_empty": hide_empty})


def optional(default: Any = None) -> Any:
    """A field that is left out of the document while it is empty (Go's omitempty)."""
    return dataclass_field(default=default, metadata={"hide_empty": True})


def decode(kind: type[T], document: Any, where: str = "") -> T:
    """A value of a dataclass from Docker's JSON. Raises InvalidRequestError."""
    if not isinstance(document, Mapping):
        raise InvalidRequestError(f"invalid JSON: {where or 'the body'} must be an object")
    values = {}
    for name, json_name, hint, _ in _plan(kind):  # type: ignore[arg-type]  # a type is hashable
        value = document.get(json_name)
        if value is not None:
            values[name] = _decode_value(hint, value, f"{where}.{json_name}".lstrip("."))
    return kind(**values)


def encode(value: Any) -> Any:
    """The inverse of `decode`; also for tuples and mappings of such values."""
    kind = type(value)
    if kind in _PLAIN:  # most are, and a request has hundreds
        return value
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if not is_dataclass(value):
        return value
    out: dict[str, Any] = {}
    for name, json_name, _, hide_empty in _plan(kind):  # type: ignore[arg-type]  # a type is hashable
        item = getattr(value, name)
        if not (hide_empty and not item):
            out[json_name] = item if type(item) in _PLAIN else encode(item)
    return out


def camel(name: str) -> str:
    """network_mode -> NetworkMode; id -> Id."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


@cache
def _plan(kind: Any) -> tuple[tuple[str, str, Any, bool], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (
            field.name,
            field.metadata.get("json", camel(field.name)),
            hints[field.name],
            bool(field.metadata.get("hide_empty")),
        )
        for field in fields(kind)
    )


def _decode_value(hint: Any, value: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _decode_value(next(a for a in get_args(hint) if a is not type(None)), value, where)
    if origin is Literal:
        return value
    if is_dataclass(hint):
        return decode(hint, value, where)  # type: ignore[arg-type]  # a dataclass type, seen as Any
    if origin is tuple:
        return _decode_tuple(get_args(hint)[0], value, where)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise InvalidRequestError(f"invalid JSON: {where} must be an object")
        inner = get_args(hint)[1]
        return {
            str(key): _decode_value(inner, item, f"{where}.{key}")
            if item is not None
            else _empty(inner)
            for key, item in value.items()
        }
    return _decode_plain(hint, value, where)


def _decode_tuple(inner: Any, value: Any, where: str) -> tuple[Any, ...]:
    if isinstance(value, str) and inner is str:  # Cmd and Entrypoint may be one string
        return (value,)
    if not isinstance(value, list | tuple):
        raise InvalidRequestError(f"invalid JSON: {where} must be a list")
    return tuple(_decode_value(inner, item, f"{where}[{i}]") for i, item in enumerate(value))


def _empty(hint: Any) -> Any:
    """What null means inside a map: an empty value of the kind, or None where that is allowed."""
    if get_origin(hint) in (Union, UnionType):
        return None
    if is_dataclass(hint):
        return hint()  # type: ignore[operator]  # a dataclass type, seen as Any
    if get_origin(hint) is tuple:
        return ()
    return {} if get_origin(hint) is not None else hint()


def _decode_plain(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    right = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if not right:
        kinds = {str: "a string", int: "a whole number", bool: "true or false"}
        raise InvalidRequestError(f"invalid JSON: {where} must be {kinds.get(hint, hint.__name__)}")
    return value
