"""--since and --until: a time, a UNIX time stamp or "42m" ago -> what the Engine API takes."""

from __future__ import annotations

import re
import time

from compose.errors import UsageError

UNITS = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
    "d": 86400.0,
}
RELATIVE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|[dhms]))+")
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|[dhms])")
ABSOLUTE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?)?(Z|[+-]\d\d:\d\d)?")


def moment(text: str, now: float | None = None) -> str:
    """Seconds since the epoch as text; "" for "". Raises UsageError."""
    if not text:
        return ""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return text
    if RELATIVE.fullmatch(text):
        ago = sum(float(number) * UNITS[unit] for number, unit in PART.findall(text))
        return f"{(time.time() if now is None else now) - ago:.9f}"
    found = ABSOLUTE.fullmatch(text)
    if found is None:
        raise UsageError(
            f'cannot read the time "{text}": give one as 2013-01-02T13:23:37Z, or as 42m for 42 minutes ago'
        )
    from datetime import datetime

    day, clock, seconds, fraction, zone = found.groups()
    zone = "+00:00" if zone == "Z" else zone or ""
    parsed = datetime.fromisoformat(f"{day}T{clock or '00:00'}{seconds or ':00'}{zone}")
    return f"{int(parsed.timestamp())}{fraction or ''}"
