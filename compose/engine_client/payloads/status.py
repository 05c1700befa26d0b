"""What a container's status text and names say. Pure, and light: `ps` needs nothing else."""

from __future__ import annotations

import re

MOMENT = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)"
EXITED = r"\((-?\d+)\)"


def health_of(status: str) -> str:
    """The health in a status text: "Up 2 seconds (healthy)"; "" where there is none."""
    if status.endswith("(healthy)"):
        return "healthy"
    if status.endswith("(unhealthy)"):
        return "unhealthy"
    return "starting" if status.endswith("(health: starting)") else ""


def exit_code_of(state: str, status: str) -> int | None:
    """The exit code in a status text: "Exited (3) 5 minutes ago"."""
    found = re.search(EXITED, status) if state in ("exited", "dead") else None
    return int(found[1]) if found else None


def canonical_name(names: list[str]) -> str:
    """The container's own name among those its links have given it."""
    own = [name for name in names if name.count("/") == 1]
    return (own or names or [""])[0].lstrip("/")


def unix_text(moment: str, *, earlier: float = 0) -> str:
    """An RFC 3339 time as the seconds.nanoseconds that `since` and `until` take."""
    from datetime import datetime

    found = re.fullmatch(MOMENT, moment)
    if found is None:
        return moment
    zone = "+00:00" if found[3] == "Z" else found[3]
    seconds = int(datetime.fromisoformat(found[1] + zone).timestamp())
    nanos = int((found[2] or ".0")[1:].ljust(9, "0")[:9]) - int(earlier * 1e9)
    seconds, nanos = divmod(seconds * 10**9 + nanos, 10**9)
    return f"{seconds}.{nanos:09}"
