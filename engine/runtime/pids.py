"""Who a process is: a pid alone is no identity, a pid and its start time are. Source: proc_pid_stat(5)."""

from __future__ import annotations

import errno
import os


def open_pid(pid: int) -> int:
    """pidfd_open(2). Raises ProcessLookupError for a process that is gone."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno == errno.EINVAL:  # gone, but its group or session is not (before Linux 6.15)
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from error
        raise


def start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat, clock ticks since boot. Raises FileNotFoundError."""
    with open(f"/proc/{pid}/stat", "rb") as stream:
        return int(stream.read().rpartition(b")")[2].split()[19])
