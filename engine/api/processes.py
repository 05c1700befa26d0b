"""A process as a row of `docker top`, from /proc."""

from __future__ import annotations

import os
import pwd
import time


def process_row(pid: int) -> list[str] | None:
    """UID, PID, PPID, C, STIME, TTY, TIME, CMD; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            head, _, rest = stream.read().rpartition(")")
        with open(f"/proc/{pid}/cmdline", "rb") as raw:
            words = raw.read().replace(b"\0", b" ").decode(errors="replace").strip()
        owner = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    values = rest.split()
    ticks = os.sysconf("SC_CLK_TCK")
    seconds = (int(values[11]) + int(values[12])) // ticks
    with open("/proc/uptime") as stream:
        started = time.time() - float(stream.read().split()[0]) + int(values[19]) / ticks
    shown = time.strftime("%H:%M", time.localtime(started))
    spent = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    command = words or f"[{head.partition('(')[2]}]"
    return [_user_name(owner), str(pid), values[1], "0", shown, "?", spent, command]


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
