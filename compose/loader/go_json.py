"""Documents as JSON text, byte for byte as Go writes it. Pure, and light: the hash of a service needs no YAML."""

from __future__ import annotations

import json

from compose.errors import ProjectError
from compose.loader.units import go_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_UNSAFE = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_WORDS = {None: "null", True: "true", False: "false"}


def compact_json(value: Any) -> str:
    """JSON without any blank."""
    return "".join(_json(value, None, ""))


def indented_json(value: Any, indent: str = "  ") -> str:
    """JSON with two blanks of indentation a level, or what is given."""
    return "".join(_json(value, indent, "\n"))


def _json(value: Any, indent: str | None, line: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        inner = line + indent if indent else ""
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        separator = opening
        for entry in value:
            yield separator + inner
            if isinstance(value, dict):
                yield json_text(entry) + (": " if indent else ":")
                yield from _json(value[entry], indent, inner)
            else:
                yield from _json(entry, indent, inner)
            separator = ","
        yield line + closing
    elif isinstance(value, dict | list):
        yield "{}" if isinstance(value, dict) else "[]"
    else:
        yield _json_scalar(value)


def _json_scalar(value: Any) -> str:
    if isinstance(value, str):
        return json_text(value)
    if isinstance(value, float):
        if not -float("inf") < value < float("inf"):
            raise ProjectError(f"JSON has no number {value}: write it in quotes, or use YAML")
        import re

        return re.sub(r"e([-+])0(\d)", r"e\1\2", go_number(value, smallest=-6))
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)


def json_text(text: str) -> str:
    """A JSON string, with what HTML could misread escaped."""
    return json.dumps(str(text), ensure_ascii=False).translate(_UNSAFE).replace("\x7f", "\x7f")
