"""The process that containers are forked from: single-threaded, preloaded, its heap frozen.

It imports what a start needs once, so that a start costs a fork and what the kernel charges. It ends
when its engine does; the monitors it forked do not, and the kernel reaps them for it.
Run as `python -m engine.processes.fork_server FD`.
"""

from __future__ import annotations

import array
import gc
import os
import signal
import socket
import sys

from engine.processes import messages
from engine.processes.keeper import Kept, Ways, keep
from engine.processes.launcher import enter_pids, live_first, make_cgroup, run_launcher
from engine.processes.monitor import run_monitor
from engine.processes.rehearsal import fill_gaps, rehearse
from engine.runtime import syscalls as sc

__all__ = ["fork_or_refuse", "serve"]


def serve(requests: socket.socket) -> None:
    """Fork a monitor for each request until the engine closes its end."""
    sc.set_name("pycompose-forks")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for realtime in range(32, signal.NSIG):  # real-time ones that whoever started us ignores
        sc.default_signal(realtime)
    os.chdir("/")
    os.umask(0o022)  # what is made inside a root must not depend on who started the engine
    rehearse()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ways = Ways(
        live=live_first, launch=run_launcher, take_over=run_monitor, make_cgroup=make_cgroup,
        enter_pids=enter_pids, clone3=sc.Clone3(),
    )  # fmt: skip
    gc.collect()
    _kept = fill_gaps()
    gc.freeze()
    gc.disable()
    while True:
        fds = array.array("i")
        try:
            message, ancillary, _, _ = requests.recvmsg(
                messages.LIMIT, socket.CMSG_LEN(2 * fds.itemsize), socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:
            return  # the engine was killed
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not message:
            return
        kept = fork_or_refuse(message, fds[1])
        if kept is not None:
            requests.close()
            try:
                keep(kept, fds[0], ways)
            finally:
                os._exit(1)
        for fd in fds:
            os.close(fd)


def fork_or_refuse(request: bytes, channel: int) -> Kept | None:
    """In the new monitor what it has to begin with; in the fork server None.

    Where the host has no room for a process, or no descriptor is left, whoever asked hears it.
    """
    kept: Kept | None = None
    try:
        kept = Kept(request, channel)
        if os.fork() == 0:
            return kept
    except OSError as error:
        words = f"cannot fork a monitor: {error.strerror}"
        try:
            os.write(channel, messages.encode(failed=words, exit_code=125))
        except OSError:
            pass  # whoever asked has gone
    if kept is not None:
        kept.let_go()
    return None


if __name__ == "__main__":
    sc.close_all_but(int(sys.argv[1]))
    serve(socket.socket(fileno=int(sys.argv[1])))
