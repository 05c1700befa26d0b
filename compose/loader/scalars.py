"""What a plain YAML scalar means: YAML 1.2, with the exceptions that the reference's reader makes.

`yes`, `on`, `22:22` are strings; `010` is octal and `1_000` a thousand as in YAML 1.1; a bare date is
a date, which no attribute of a Compose file takes.
"""

from __future__ import annotations

import re
from typing import Any

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(
    r"\d{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])"
    r"([Tt ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?\s*(Z|[-+]\d\d:\d\d)?)?"
)
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_STARTERS = frozenset("+-.0123456789")


class Date(str):
    """A scalar that YAML takes for a date; no Compose attribute allows one."""

    __slots__ = ()


def resolve(text: str) -> Any:
    """The value of a plain (unquoted, untagged) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if not text or text[0] not in _STARTERS:
        return text
    if _DATE.fullmatch(text):
        return Date(text)
    plain = text.replace("_", "")
    number = integer(plain)
    if number is not None:
        return number
    if _FLOAT.fullmatch(plain):
        return float(plain)
    return text


def integer(plain: str) -> int | None:
    """The integer that Go's ParseInt with base 0 reads, or None."""
    sign, digits = (plain[0], plain[1:]) if plain[:1] in {"+", "-"} else ("", plain)
    base = _BASES.get(digits[:2].lower())
    if base is not None:
        digits = digits[2:]
    elif len(digits) > 1 and digits[0] == "0":
        base, digits = 8, digits[1:]
    else:
        base = 10
    if not digits.isascii() or not digits.isalnum():
        return None
    try:
        number = int(digits, base)
    except ValueError:
        return None
    return -number if sign == "-" else number
