"""Values of flags that are amounts: sizes, lengths of time, decimal numbers. Pure.

Source: docker's units (go-units: powers of 1024 for sizes of memory) and Go's time.ParseDuration.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgtp]?)(?:ib|b)?", re.IGNORECASE)
POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
NANOSECONDS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip


def size(text: str) -> int:
    """ "512m" -> bytes; "-1" is -1, "unlimited" where a flag has that. Raises ValueError."""
    if text == "-1":
        return -1
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("give a size, as in 512m")
    return int(float(found[1]) * 1024 ** POWERS[found[2].lower()])


def duration(text: str) -> int:
    """ "1m30s" -> nanoseconds. Raises ValueError."""
    body = text.removeprefix("-")
    parts = DURATION.findall(body)
    if body == "0":
        return 0
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ValueError("give a length of time, as in 1m30s")
    total = sum(float(number) * NANOSECONDS[unit] for number, unit in parts)
    return int(-total if text.startswith("-") else total)


def decimal(text: str) -> float:
    """ "1.5" -> 1.5. Raises ValueError."""
    try:
        return float(text)
    except ValueError:
        raise ValueError("use a number") from None


READERS: Mapping[str, Callable[[str], int | float]] = {
    "bytes": size, "duration": duration, "decimal": decimal,
}  # fmt: skip
