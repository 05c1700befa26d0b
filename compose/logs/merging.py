"""Several logs -> one, by the time of each line. Pure, and never more than a piece of each in memory.

A source is an iterator of texts: whole lines, each begun by its time (RFC 3339, as the Engine API gives
it with timestamps=1) and a blank. Of the pieces at hand, all lines up to the earliest of the pieces' ends
can be put in order at once; then the pieces that are used up are replaced. Sorting is by runs, so it
costs little more than reading.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: "2026-01-02T03:04:05.000000006Z": what docker's times are always as long as.
WIDTH = 30


def stamp(line: str) -> str:
    """The time at the start of a line, in a form that sorts as text."""
    if line[29:31] == "Z ":
        return line[:WIDTH]
    return fixed(line.partition(" ")[0])


def fixed(time: str) -> str:
    """A time with nine digits of a second, in UTC; what is none sorts as it is."""
    from datetime import UTC, datetime

    day, dot, rest = time.partition(".")
    digits = rest.rstrip("Z") if dot else ""
    zone = ""
    for mark in "+-":
        if mark in digits:
            digits, _, zone = digits.partition(mark)
            zone = mark + zone
    if not dot:
        day = day.rstrip("Z")
    try:
        moment = datetime.fromisoformat(day + (zone or ("" if "+" in day else "+00:00")))
    except ValueError:
        return time
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{digits:0<9.9}Z"


def merged(
    sources: Sequence[Iterator[str]], prefixes: Sequence[str], *, times: bool
) -> Iterator[str]:
    """Blocks of lines with their source's prefix, in order of time; `times` leaves the times in."""
    pending: list[list[str]] = [[] for _ in sources]
    running = set(range(len(sources)))
    while True:
        for at in list(running):
            while not pending[at]:
                text = next(sources[at], None)
                if text is None:
                    running.discard(at)
                    break
                pending[at] = text.removesuffix("\n").split("\n") if text else []
        if not any(pending):
            return
        ends = [stamp(pending[at][-1]) for at in running if pending[at]]
        limit = min(ends) if ends else ""
        yield "".join(taken(pending, prefixes, limit, times=times))


def taken(
    pending: list[list[str]], prefixes: Sequence[str], limit: str, *, times: bool
) -> list[str]:
    """Take the lines up to the limit ("" for all) out of what is pending; in order, with prefixes."""
    found: list[tuple[str, str]] = []
    several = sum(map(bool, pending)) > 1
    for at, lines in enumerate(pending):
        count = bisect_right(lines, limit, key=stamp) if limit else len(lines)
        if not count:
            continue
        prefix = prefixes[at]
        found += [
            (stamp(line), f"{prefix}{line if times else line.partition(' ')[2]}\n")
            for line in lines[:count]
        ]
        del lines[:count]
    if several:
        found.sort(key=_time)
    return [line for _, line in found]


def _time(entry: tuple[str, str]) -> str:
    return entry[0]
