"""Documents as text, byte for byte as Go writes them: JSON, compact JSON, YAML. Pure."""

from __future__ import annotations

import json
import re

from compose.errors import ProjectError
from compose.loader import scalars
from compose.loader.units import go_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_UNSAFE = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


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
        return re.sub(r"e([-+])0(\d)", r"e\1\2", go_number(value, smallest=-6))
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)


def json_text(text: str) -> str:
    """A JSON string, with what HTML could misread escaped."""
    return json.dumps(str(text), ensure_ascii=False).translate(_UNSAFE).replace("\x7f", "\x7f")


def yaml_text(document: Mapping[str, Any]) -> str:
    """YAML with two blanks of indentation a level, lists indented too."""
    return "".join(_mapping(document, "")) if document else "{}\n"


def _mapping(mapping: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        yield f"{indent}{_scalar(str(key), indent)}:"
        yield from _value(value, indent)


def _value(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield "\n"
        yield from _mapping(value, indent + "  ")
    elif isinstance(value, list) and value:
        yield "\n"
        yield from _list(value, indent + "  ")
    else:
        yield f" {_scalar(value, indent)}\n"


def _list(entries: list[Any], indent: str) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, dict | list) and entry:
            make = (
                _mapping(entry, indent + "  ")
                if isinstance(entry, dict)
                else _list(entry, indent + "  ")
            )
            text = "".join(make)
            yield f"{indent}- {text[len(indent) + 2 :]}"
        else:
            yield f"{indent}- {_scalar(entry, indent)}\n"


_WORDS = {None: "null", True: "true", False: "false"}
_PLAIN = re.compile(
    r"[^ \t\r\n\-?:,\[\]{}#&*!|>'\"%@`][^\x00-\x1f\x7f-\x9f\ufeff]*|[-?:][^ \x00-\x1f][^\x00-\x1f]*"
)
_BREAKS = re.compile("[\u2028\u2029]")
_OLD_BOOLEANS = frozenset(
    word
    for low in ("y", "yes", "on", "n", "no", "off")
    for word in (low, low.capitalize(), low.upper())
)
#: What is written as an escape; characters beyond 16 bits too.
_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")


_NO_NUMBERS = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}


def _scalar(value: Any, indent: str) -> str:
    if isinstance(value, scalars.Date):
        return str(value)
    if isinstance(value, str):
        return _yaml_string(str(value), indent)
    if isinstance(value, float):
        text = go_number(value, smallest=-4, largest=6)
        return _NO_NUMBERS.get(text, text)
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)


def _yaml_string(text: str, indent: str) -> str:
    if (
        "\n" in text
        and text[-1] != " "
        and " \n" not in text
        and not _UNPRINTABLE.search(text.replace("\t", ""))
    ):
        return _block(text, indent)
    if _ambiguous(text) or "\n" in text or _UNPRINTABLE.search(text):
        return _double(text)
    if _is_plain(text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _ambiguous(text: str) -> bool:
    """Whether an unquoted reading would be something other than this text."""
    if text in _OLD_BOOLEANS or _SEXAGESIMAL.fullmatch(text):
        return True
    read = scalars.resolve(text)
    return type(read) is not str


def _is_plain(text: str) -> bool:
    if (
        not _PLAIN.fullmatch(text)
        or text[-1] in " :"
        or _BREAKS.search(text)
        or text.startswith(("---", "..."))
    ):
        return False
    return ": " not in text and " #" not in text and "\t" not in text


_ESCAPES = {
    "\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r",
    "\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip


def _double(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char) or _escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x20 or 0x7F <= code < 0xA0:
        return f"\\x{code:02X}"
    if not _UNPRINTABLE.match(char):
        return char
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _block(text: str, indent: str) -> str:
    body = text.rstrip("\n")
    trailing = len(text) - len(body)
    chomp = "-" if trailing == 0 else "" if trailing == 1 and body else "+"
    hint = "2" if text[0] in " \n" else ""
    lines = text.removesuffix("\n").split("\n")
    inner = indent + "  "
    return f"|{hint}{chomp}\n" + "\n".join(inner + line if line else "" for line in lines)
