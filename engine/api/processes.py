"""Processes as rows of `docker top`: from /proc, or out of what the host's ps says."""

from __future__ import annotations

import os
import pwd
import time
from typing import TYPE_CHECKING

from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

DAY = 86400
#: Major numbers of unix98 terminals' slaves (the kernel's devices.txt).
PTS_MAJORS = range(136, 144)


def process_rows(pids: Iterable[int]) -> list[list[str]]:
    """`ps -ef`'s rows of those that are there still."""
    return [row for row in map(process_row, pids) if row]


def process_row(pid: int) -> list[str] | None:
    """UID, PID, PPID, C, STIME, TTY, TIME, CMD; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            head, _, rest = stream.read().rpartition(")")
        with open(f"/proc/{pid}/cmdline", "rb") as raw:
            words = raw.read().replace(b"\0", b" ").decode(errors="replace").strip()
        with open("/proc/uptime") as stream:
            uptime = float(stream.read().split()[0])
        owner = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    values = rest.split()
    ticks = os.sysconf("SC_CLK_TCK")
    seconds = (int(values[11]) + int(values[12])) / ticks
    age = max(uptime - int(values[19]) / ticks, 0.01)
    started = time.time() - age
    shown = time.strftime("%H:%M" if age < DAY else "%b%d", time.localtime(started))
    whole = int(seconds)
    spent = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    command = words or f"[{head.partition('(')[2]}]"
    share = str(int(seconds * 100 / age))
    return [
        _user_name(owner), str(pid), values[1], share, shown, _terminal(int(values[4])), spent, command,
    ]  # fmt: skip


def parse_ps(text: str, pids: Collection[int]) -> tuple[list[str], list[list[str]]]:
    """(the titles, the rows of these processes) of ps's output. Raises InvalidRequestError.

    The last column takes what is left of a line, as Docker has it.
    """
    lines = text.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidRequestError("Couldn't find PID field in ps output")
    place = titles.index("PID")
    rows = []
    for line in lines[1:]:
        words = line.split(None, len(titles) - 1)
        if len(words) > place and words[place].isdigit() and int(words[place]) in pids:
            rows.append(words)
    return titles, rows


def _terminal(number: int) -> str:
    major, minor = os.major(number), os.minor(number)
    if major in PTS_MAJORS:
        return f"pts/{minor + (major - PTS_MAJORS.start) * 256}"
    return f"tty{minor}" if major == 4 else "?"


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
