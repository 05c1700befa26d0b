"""Documents as YAML, byte for byte as Go writes it. Pure."""

from __future__ import annotations

import re

from compose.loader import scalars
from compose.loader.units import go_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


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
#: What is written as an escape; characters beyond 16 bits too. Compiled when a text is not ASCII.
_UNPRINTABLE = r"[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]"
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
        and _is_printable(text.replace("\t", ""))
    ):
        return _block(text, indent)
    if _ambiguous(text) or "\n" in text or not _is_printable(text):
        return _double(text)
    if _is_plain(text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _is_printable(text: str) -> bool:
    """Whether nothing of it is written as an escape."""
    if text.isascii():
        return text.replace("\n", "").isprintable()
    return not re.search(_UNPRINTABLE, text)


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
    if _is_printable(char):
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
