"""The birth of an exec's process, seen from its launcher: enter, release or abort.

Between enter and release the process waits inside the container's namespaces. Nothing is left behind
by a failure. Single-threaded callers only (clone3).
"""

from __future__ import annotations

import array
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc
from engine.runtime.cgroups import tree
from engine.runtime.container_init import join_container, run_exec
from engine.runtime.pids import start_time
from engine.runtime.program import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runtime.spec import Cgroup


@dataclass(frozen=True, slots=True)
class Stdio:
    """The child's ends: three descriptors. A terminal replaces them once the child has made one."""

    stdin: int
    stdout: int
    stderr: int


@dataclass(slots=True)
class Prepared:
    """A process that waits for its release."""

    pid: int
    pidfd: int
    start_time: int
    warnings: tuple[str, ...]
    sync: socket.socket

    def await_root(self) -> int | None:
        """Wait until its root is made: the terminal's master, None without one. Raises Refusal."""
        try:
            message, fds = _receive(self.sync)
        except OSError as error:
            raise Refusal(125, f"the process died early: {error.strerror}") from error
        if message != b"mounted":
            raise _error_of(message)
        return fds[0] if fds else None

    def release(self) -> None:
        """Let it go on to execve; returns when that has happened. Raises Refusal."""
        try:
            self.sync.send(b"start")
            last = self.sync.recv(65536)
            if last:
                raise _error_of(last)
        except OSError as error:
            raise Refusal(
                125, f"the process died before its program started: {error.strerror}"
            ) from error
        finally:
            self.sync.close()

    def abort(self) -> None:
        """End it before its program has started; its parent, the monitor, reaps it."""
        self.sync.close()
        try:
            os.kill(self.pid, 9)
        except ProcessLookupError:
            pass


def enter(spec_fd: int, stdio: Stdio) -> Prepared:
    """Start a further process inside a running container, waiting to be released.

    We join the namespaces for good and then have the process born, as a child of our parent: nobody
    inside ever sees one of the container's processes that is still outside. Raises Refusal if the
    container's first process is not the one meant any more.
    """
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # ours: there are others
    try:
        inside = join_container(spec_fd)
        return _birth(lambda sync: run_exec(inside, stdio, sync), inside.cgroup_fd, proc)
    except OSError as error:
        raise Refusal(126, f"cannot enter the container: {error.strerror}") from error
    finally:
        os.close(proc)


def _birth(life: Callable[[socket.socket], object], cgroup_fd: int | None, proc: int) -> Prepared:
    """Clone into the cgroup and let the child live `life`; the caller gets it back, waiting."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        pid, pidfd = sc.clone3(sc.CLONE_PARENT, cgroup_fd)
    except OSError as error:
        ours.close()
        theirs.close()
        raise Refusal(125, f"cannot start a process: {error.strerror}") from error
    finally:
        if cgroup_fd is not None:
            os.close(cgroup_fd)
    if pid == 0:
        ours.close()
        life(theirs)
        os._exit(125)
    theirs.close()
    return Prepared(pid, pidfd, start_time(pid, proc), (), ours)


def _receive(sync: socket.socket) -> tuple[bytes, list[int]]:
    fds = array.array("i")
    message, ancillary, _, _ = sync.recvmsg(
        65536, socket.CMSG_LEN(3 * fds.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return message, list(fds)


def _error_of(message: bytes) -> Refusal:
    kind, _, rest = message.decode(errors="replace").partition(" ")
    code, _, words = rest.partition(" ")
    if kind != "failed" or not code.isdigit():
        return Refusal(125, "the process died before its program started")
    return Refusal(int(code), words)


def reap(cgroup: Cgroup) -> None:
    """Kill whatever is left in a container's cgroup and remove it. Idempotent."""
    tree.kill_all(cgroup)
    tree.remove(cgroup)
