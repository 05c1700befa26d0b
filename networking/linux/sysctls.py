"""The kernel's network settings, through a /proc of the worker's own that is replaced now and then.

Why: the kernel keeps each name it has looked up below /proc/sys/net, one for every network namespace,
in one list: a look-up by the host's /proc takes the longer the more containers there have been (1 ms
with 1,000). Sources: ip-sysctl.rst; proc_sys_compare in the kernel's fs/proc/proc_sysctl.c.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

#: Values set before another /proc is taken: to give one back makes the kernel wait for a grace period.
RENEWAL = 128
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the same on every architecture (Linux 5.2)
_CLOEXEC, _CREATE = 1, 6
_PLACE = "/proc"


class Sysctls:
    """Reads and sets values of the network namespace that this thread is in."""

    def __init__(self) -> None:
        self._proc = -1
        self._uses = 0

    def read(self, name: str) -> str:
        """A value below net/; "" if the kernel has none of that name."""
        try:
            with open(self._path(name)) as stream:
                return stream.read().strip()
        except OSError:
            return ""

    def write(self, name: str, value: str, called: str = "") -> None:
        """Set a value below net/. Raises OSError that names it, as it is `called` by who asks for it."""
        try:
            fd = os.open(self._path(name), os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, value.encode())
            finally:
                os.close(fd)
        except OSError as error:
            words = f"cannot set the sysctl {called or f'net/{name}'} to {value}: {error.strerror}"
            raise OSError(error.errno, words) from error

    def names(self, folder: str) -> list[str]:
        """What is in a folder below net/."""
        return os.listdir(self._path(folder))

    def close(self) -> None:
        """Give the /proc back. Idempotent."""
        if self._proc >= 0:
            os.close(self._proc)
            self._proc = -1

    def _path(self, name: str) -> str:
        if self._uses % RENEWAL == 0:
            self.close()
            self._proc = _new_proc()
        self._uses += 1
        top = _PLACE if self._proc < 0 else f"/proc/self/fd/{self._proc}"
        return f"{top}/sys/net/{name}"


def _new_proc() -> int:
    """A detached mount of a new /proc; -1 where we may not make one: then the host's own is used."""
    system = _libc().syscall
    context = system(_FSOPEN, b"proc", _CLOEXEC)
    if context < 0:
        return -1
    try:
        if system(_FSCONFIG, context, _CREATE, None, None, 0) < 0:
            return -1
        return int(system(_FSMOUNT, context, _CLOEXEC, 0))
    finally:
        os.close(context)


@cache
def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)
