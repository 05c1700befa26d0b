"""Go's durations, as image configs and instructions write them. Pure."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}  # fmt: skip


def duration(text: str) -> int:
    """Go's durations ("1m30s", "500ms") in nanoseconds. Raises ValueError."""
    if text == "0":
        return 0
    end, total = 0, 0.0
    for found in _DURATION.finditer(text):
        if found.start() != end:
            break
        end = found.end()
        total += float(found[1]) * _UNITS[found[2]]
    if not text or end != len(text):
        raise ValueError(f'"{text}" is no duration: write 30s, 1m30s or 500ms')
    return round(total)
