"""Times as the API shows them."""

from __future__ import annotations

import time

ZERO = "0001-01-01T00:00:00Z"


def rfc3339(moment_ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 in UTC, trailing zeros cut as Go does; 0 is never."""
    if not moment_ns:
        return ZERO
    seconds, nanoseconds = divmod(moment_ns, 1_000_000_000)
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f"{fraction}Z"


def human_duration(seconds: float) -> str:
    """How long, in docker ps's words: "5 seconds", "About a minute", "3 hours"."""
    whole = int(seconds)
    minutes, hours = whole // 60, round(seconds / 3600)
    if whole < 60:
        return (
            "Less than a second" if whole < 1 else "1 second" if whole == 1 else f"{whole} seconds"
        )
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for limit, unit, name in ((14, 24, "days"), (60, 168, "weeks"), (730, 720, "months")):
        if hours < limit * 24:
            return f"{hours // unit} {name}"
    return f"{hours // 8760} years"
