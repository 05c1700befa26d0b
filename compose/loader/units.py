"""Durations, sizes and numbers: read as the reference reads them, written as Go writes them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SECOND = 1_000_000_000
_UNITS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": _SECOND,
    "m": 60 * _SECOND, "h": 3600 * _SECOND, "d": 86_400 * _SECOND, "w": 604_800 * _SECOND,
}  # fmt: skip
_UNIT_LETTERS = "".join(_UNITS)
_SIZES = {"k": 10, "m": 20, "g": 30, "t": 40, "p": 50}
_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def parse_duration(text: str) -> int:
    """`1h30m`, `1.5s`, `2d` -> nanoseconds; ValueError otherwise."""
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total = 0
    while rest:
        behind = rest.lstrip(_DIGITS)
        whole, fraction = rest[: len(rest) - len(behind)], ""
        if behind.startswith("."):
            after = behind[1:].lstrip(_DIGITS)
            fraction, behind = behind[1 : len(behind) - len(after)], after
        rest = behind.lstrip(_UNIT_LETTERS)
        unit = _UNITS.get(behind[: len(behind) - len(rest)])
        if unit is None or not whole + fraction:
            break
        total += int(whole or 0) * unit
        if fraction:
            total += int(fraction) * unit // 10 ** len(fraction)
    else:
        if text not in {"", "-", "+"}:
            return sign * total
    raise ValueError(f"{text!r} is not a duration: write it like 1m30s")


def format_duration(nanoseconds: int) -> str:
    """Nanoseconds -> `1h30m0s`, as Go prints a duration."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < _SECOND:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000)):
            if rest >= size:
                return sign + _decimal(rest, size) + unit
        return f"{sign}{rest}ns"
    minutes, seconds = divmod(rest, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if hours or minutes else ""
    return f"{sign}{text}{_decimal(seconds, _SECOND)}s"


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    digits = str(rest).zfill(len(str(unit)) - 1).rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def parse_size(text: str) -> int:
    """`512m`, `1.5 GiB`, `100b` -> bytes, units being powers of 1024; ValueError otherwise."""
    digits = text.rstrip(_LETTERS)
    suffix = text[len(digits) :].lower()
    digits = digits.removesuffix(" ")
    known = {"", "b"} | {letter + more for letter in _SIZES for more in ("", "b", "ib")}
    try:
        well = digits[-1:] in {*_DIGITS, "."} and not digits.strip(f"{_DIGITS}.eE+-")
        number = float(digits) if well else -1.0
    except ValueError:
        number = -1.0
    if number < 0 or suffix not in known:
        raise ValueError(f"invalid size {text!r}: write it like 512m or 2g")
    return int(number * (1 << _SIZES.get(suffix[:1], 0)))


def single(number: float) -> float:
    """The number as a 32-bit float holds it, in the fewest digits that say so."""
    import struct

    packed = struct.pack("f", number)
    held = struct.unpack("f", packed)[0]
    for digits in range(6, 10):
        text = f"{held:.{digits}g}"
        if struct.pack("f", float(text)) == packed:
            return float(text)
    return number


def go_number(number: float, *, smallest: int, largest: int = 21) -> str:
    """A float in its shortest form; with an exponent below 10^smallest and from 10^largest on."""
    text = repr(float(number))
    sign = "-" if text.startswith("-") else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    if not mantissa[0].isdigit():
        return {"inf": (sign or "+") + "Inf", "nan": "NaN"}[mantissa]
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return f"{sign}0"
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    power = point - 1
    if power < smallest or power >= largest:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits.ljust(point, "0")
    return f"{sign}{digits[:point]}.{digits[point:]}"


def go_text(value: Any) -> str:
    """A value as Go prints it: `true`, `1.5`, `<nil>`, `map[a:b]`."""
    if isinstance(value, dict):
        pairs = (f"{key}:{go_text(value[key])}" for key in sorted(value))
        return f"map[{' '.join(pairs)}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_text, value))}]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return go_number(value, smallest=-4, largest=6)
    return str(value)
