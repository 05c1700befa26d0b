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
    return int(_fields(pid, proc)[19])


#: Of a process that has begun to end (flags of proc(5)'s stat, include/linux/sched.h).
PF_EXITING = 0x4


def is_ending(pid: int, born: int) -> bool:
    """Whether the process that started at `born` has begun to end, waits to be reaped, or is gone."""
    try:
        fields = _fields(pid)
    except (FileNotFoundError, ProcessLookupError):
        return True
    return int(fields[19]) != born or bool(int(fields[6]) & PF_EXITING)


def _fields(pid: int, proc: int | None = None) -> list[bytes]:
    """/proc/PID/stat from field 3 on: what stands before may hold spaces. Raises FileNotFoundError."""
    path = f"{pid}/stat" if proc is not None else f"/proc/{pid}/stat"
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    try:
        return os.read(fd, 4096).rpartition(b")")[2].split()
    finally:
        os.close(fd)
