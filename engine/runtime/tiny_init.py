"""PID 1 of a container with `init: true`: starts the program, forwards signals, reaps orphans.

It becomes a program of its own (`init_program`), or, where that cannot be executed, stays this
interpreter: not dumpable, so /proc/1/exe leads nowhere for those inside without CAP_SYS_PTRACE. A
program of the host is never mounted into the container. Its exit status is the program's.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from engine.runtime import init_program

if TYPE_CHECKING:
    import _socket

#: Signals that mean this process itself, or that nobody can catch.
OWN = {signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP, signal.SIGTTIN, signal.SIGTTOU}


def supervise(
    sync: _socket.socket, args: tuple[str, ...] = (), environment: dict[str, str] | None = None
) -> None:
    """Returns in the child, which goes on to execute the program; the parent never returns.

    `args` and `environment` are the program's, for those who look at PID 1.

    The child's copy of the sync socket closes on execve, so a failed execve is still reported.
    """
    watched = signal.valid_signals() - OWN
    signal.pthread_sigmask(signal.SIG_BLOCK, watched | {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _take_terminal()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        return
    sync.close()
    for fd in (0, 1, 2):
        os.close(fd)
    if os.uname().machine == init_program.MACHINE:
        _become_program(child, watched | {signal.SIGCHLD}, args, environment or {})
    while True:
        information = signal.sigwaitinfo(watched | {signal.SIGCHLD})
        if information.si_signo != signal.SIGCHLD:
            _forward(child, information.si_signo)
            continue
        status = _reap(child)
        if status is not None:
            os._exit(
                os.waitstatus_to_exitcode(status)
                if os.WIFEXITED(status)
                else 128 + os.WTERMSIG(status)
            )


def _become_program(
    child: int, watched: set[int], args: tuple[str, ...], environment: dict[str, str]
) -> None:
    """Returns only where a filter of system calls, or the kernel's settings, refuse it."""
    mask = sum(1 << (number - 1) for number in watched)
    try:
        fd = init_program.sealed(init_program.program(child, mask))
        os.execve(fd, [init_program.NAME, "--", *args], environment)  # noqa: S606  # our own file
    except OSError:
        return


def _take_terminal() -> None:
    """Where there is a terminal, the program's group is its foreground group."""
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        os.tcsetpgrp(0, os.getpgrp())
    except OSError:
        pass  # no terminal


def _forward(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except ProcessLookupError:
        pass  # it has just ended; SIGCHLD follows


def _reap(child: int) -> int | None:
    """Reap whoever has ended; the program's wait status once it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = status
