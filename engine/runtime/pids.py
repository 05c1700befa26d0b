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


def start_time(pid: int, proc: int | None = None) -> int:
    """Field 22 of /proc/PID/stat, clock ticks since boot; `proc` is another /proc's descriptor.

    Raises FileNotFoundError.
    """
    path = f"{pid}/stat" if proc is not None else f"/proc/{pid}/stat"
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    try:
        return int(os.read(fd, 4096).rpartition(b")")[2].split()[19])
    finally:
        os.close(fd)
