"""Signals by name or number, and whether a process would take notice of one."""

from __future__ import annotations

import re
import signal

from engine.errors import InvalidRequestError

_REALTIME = re.compile(r"RT(MIN|MAX)(?:([+-])(\d+))?")


def parse_signal(text: str) -> int:
    """ "SIGTERM", "term", "15" -> 15. Raises InvalidRequestError."""
    name = text.strip().upper().removeprefix("SIG")
    if name.isdigit() and 0 < int(name) <= signal.SIGRTMAX:
        return int(name)
    match = _REALTIME.fullmatch(name)
    if match:
        base = signal.SIGRTMIN if match[1] == "MIN" else signal.SIGRTMAX
        offset = int(match[3] or 0) * (-1 if match[2] == "-" else 1)
        if signal.SIGRTMIN <= base + offset <= signal.SIGRTMAX:
            return base + offset
    try:
        return int(signal.Signals[f"SIG{name}"])
    except KeyError as error:
        raise InvalidRequestError(f"invalid signal: {text}") from error


def signal_name(number: int) -> str:
    """15 -> "SIGTERM"."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def takes_notice(pid: int, number: int) -> bool:
    """Whether PID 1 of a namespace does something about a signal: catches it or blocks it to wait.

    The kernel drops what such a process leaves at its default (pid_namespaces(7)), so a grace period
    would be waited out for nothing. True if /proc does not tell.
    """
    try:
        with open(f"/proc/{pid}/status") as lines:
            fields = dict(line.split(":", 1) for line in lines if line.startswith("Sig"))
        caught = int(fields["SigCgt"], 16) | int(fields["SigBlk"], 16)
    except (OSError, KeyError, ValueError):
        return True
    return bool(caught >> (number - 1) & 1)
