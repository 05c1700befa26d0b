"""What a plain YAML scalar means: YAML 1.2, with the exceptions that the reference's reader makes.

`yes`, `on`, `22:22` are strings; `010` is octal and `1_000` a thousand as in YAML 1.1; a bare date is
a date, which no attribute of a Compose file takes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_DATE = (
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:([Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?(Z|[-+]\d\d:\d\d)?)?"
)
_INFINITY = float("inf")
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_STARTERS = frozenset("+-.0123456789")
_SIGNS = ("+", "-")


class Date(str):
    """A scalar that YAML takes for a date, as RFC 3339 writes it; no Compose attribute allows one."""

    __slots__ = ()


def resolve(text: str) -> Any:
    """The value of a plain (unquoted, untagged) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if not text or text[0] not in _STARTERS:
        return text
    if text[4:5] == "-" and (date := _date(text)) is not None:
        return date
    if text[0] == ".":
        return float(text) if _is_float(text) else text
    plain = text.replace("_", "")
    number = integer(plain)
    if number is not None and -(1 << 63) <= number < 1 << 64:
        return number
    if _is_float(plain):
        value = float(plain)
        return text if value in {_INFINITY, -_INFINITY} else value
    return text


def _is_float(text: str) -> bool:
    """Whether it is `[sign] digits [. digits] [e [sign] digits]`, digits on one side of the point at least."""
    mantissa, exponent, power = text.partition("e" if "e" in text else "E")
    whole, _, fraction = mantissa[mantissa[:1] in _SIGNS :].partition(".")
    return _are_digits(whole + fraction) and (
        not exponent or _are_digits(power[power[:1] in _SIGNS :])
    )


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _date(text: str) -> Date | None:
    """The date, if the calendar has it."""
    import calendar
    import re

    match = re.fullmatch(_DATE, text)
    if match is None:
        return None
    parts = [int(part) for part in match.group(1, 2, 3, 5, 6, 7) if part is not None]
    year, month, day, *clock = parts
    # A zone is part of the form with T only, and without it the form must have a blank.
    if clock and (match[4] == " ") == bool(match[9]):
        return None
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year or 4, month)[1]:
        return None
    hour, minute, second = clock or (0, 0, 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    fraction = (match[8] or "")[:9].rstrip("0")
    zone = "Z" if match[9] in {None, "Z", "+00:00", "-00:00"} else match[9]
    return Date(
        f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{'.' + fraction if fraction else ''}{zone}"
    )


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
