"""The birth of a container or an exec, seen from its monitor: prepare, release or abort.

Between prepare and release the process waits inside its namespaces, so that its network can be made
while it mounts. Nothing is left behind by a failure. Single-threaded callers only (clone3).
"""

from __future__ import annotations

import array
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc
from engine.runtime.cgroups import tree
from engine.runtime.container_init import FLAGS, run_container, send_inside
from engine.runtime.pids import start_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runtime.order import Order
    from engine.runtime.spec import Cgroup


class LaunchError(Exception):
    """The program did not start; `exit_code` is Docker's for the reason (125, 126, 127)."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message


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
    netns_fd: int | None = None
    dns_sockets: tuple[int, int] | None = None

    def await_root(self) -> int | None:
        """Wait until its root is made: the terminal's master, None without one. Raises LaunchError."""
        try:
            message, fds = _receive(self.sync)
        except OSError as error:
            raise LaunchError(125, f"the process died early: {error.strerror}") from error
        if message != b"mounted":
            raise _error_of(message)
        return fds[0] if fds else None

    def release(self) -> None:
        """Let it go on to execve; returns when that has happened. Raises LaunchError."""
        try:
            self.sync.send(b"start")
            last = self.sync.recv(65536)
            if last:
                raise _error_of(last)
        except OSError as error:
            raise LaunchError(
                125, f"the process died before its program started: {error.strerror}"
            ) from error
        finally:
            self.sync.close()

    def abort(self) -> None:
        """End it before its program has started; the caller reaps it."""
        self.sync.close()
        try:
            os.kill(self.pid, 9)
        except ProcessLookupError:
            pass


def prepare(order: Order, spec_fd: int, stdio: Stdio) -> Prepared:
    """Make the cgroup, the namespaces and PID 1, which reads its spec itself. Raises LaunchError."""
    flags = 0
    for kind in order.makes:
        if kind != "cgroup":  # made once its process is in all of its cgroups
            flags |= FLAGS[kind]
    if order.pid_namespace:  # affects only children
        fd = os.open(order.pid_namespace, os.O_RDONLY | os.O_CLOEXEC)
        sc.setns(fd, sc.CLONE_NEWPID)
        os.close(fd)
    try:
        unified = tree.make_unified(order.cgroup)
    except OSError as error:
        tree.remove(order.cgroup)
        words = error.strerror or str(error)
        raise LaunchError(125, f"cannot make the cgroup {order.cgroup.path}: {words}") from error
    try:
        prepared = _birth(lambda sync: run_container(spec_fd, stdio, sync), flags, unified)
        try:
            _take_network(prepared)
        except (LaunchError, OSError):
            prepared.abort()
            os.waitpid(prepared.pid, 0)
            raise
    except (LaunchError, OSError):
        reap(order.cgroup)
        raise
    return prepared


def enter(spec_fd: int, stdio: Stdio) -> Prepared:
    """Start a further process inside a running container, waiting to be released.

    A helper joins the namespaces and then has the process born, as a child of ours: nobody inside
    ever sees one of the container's processes that is still outside. Raises LaunchError if the
    container's first process is not the one meant any more.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    helper = os.fork()
    if helper == 0:
        ours.close()
        send_inside(spec_fd, stdio, theirs)
    theirs.close()
    try:
        message, fds = _receive(ours)
    finally:
        os.waitpid(helper, 0)
    if not message.startswith(b"born ") or len(fds) != 1:
        ours.close()
        raise _error_of(message)
    pid = int(message.split()[1])
    try:
        ours.send(b"go")
    except BrokenPipeError:
        pass  # it was killed already: told when it does not answer
    return Prepared(pid, fds[0], start_time(pid), (), ours)


def _birth(life: Callable[[socket.socket], object], flags: int, unified: str) -> Prepared:
    """Clone into the cgroup and let the child live `life`; the parent gets it back, waiting."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    cgroup_fd = os.open(unified, os.O_PATH | os.O_CLOEXEC) if unified else None
    try:
        pid, pidfd = sc.clone3(flags, cgroup_fd)
    except OSError as error:
        ours.close()
        theirs.close()
        raise LaunchError(
            125, f"cannot start a process in new namespaces: {error.strerror}"
        ) from error
    finally:
        if cgroup_fd is not None:
            os.close(cgroup_fd)
    if pid == 0:
        ours.close()
        life(theirs)
        os._exit(125)
    theirs.close()
    return Prepared(pid, pidfd, start_time(pid), (), ours)


def _take_network(prepared: Prepared) -> None:
    """Receive the network namespace, the DNS sockets, and warnings."""
    message, fds = _receive(prepared.sync)
    word, _, rest = message.partition(b"\n")
    if word != b"net":
        raise _error_of(message)
    prepared.netns_fd = fds[0] if fds else None
    prepared.dns_sockets = (fds[1], fds[2]) if len(fds) == 3 else None
    prepared.warnings = tuple(rest.decode().split("\n")) if rest else ()


def _receive(sync: socket.socket) -> tuple[bytes, list[int]]:
    fds = array.array("i")
    message, ancillary, _, _ = sync.recvmsg(
        65536, socket.CMSG_LEN(3 * fds.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return message, list(fds)


def _error_of(message: bytes) -> LaunchError:
    kind, _, rest = message.decode(errors="replace").partition(" ")
    code, _, words = rest.partition(" ")
    if kind != "error" or not code.isdigit():
        return LaunchError(125, "the process died before its program started")
    return LaunchError(int(code), words)


def reap(cgroup: Cgroup) -> None:
    """Kill whatever is left in a container's cgroup and remove it. Idempotent."""
    tree.kill_all(cgroup)
    tree.remove(cgroup)
