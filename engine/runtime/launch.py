"""The birth of a container or an exec, seen from its monitor: prepare, release or abort.

Between prepare and release the process waits inside its namespaces, so that its network can be made
while it mounts. Nothing is left behind by a failure. Single-threaded callers only (clone3).
"""

from __future__ import annotations

import array
import errno
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc
from engine.runtime.cgroups import tree
from engine.runtime.container_init import FLAGS, run_container, run_exec

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runtime.spec import Cgroup, ContainerSpec, ExecSpec


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


def prepare(spec: ContainerSpec, stdio: Stdio) -> Prepared:
    """Make the cgroup, the namespaces and PID 1. Raises LaunchError."""
    seccomp = _read(spec.process.seccomp)
    flags = 0
    for namespace in spec.namespaces:
        if namespace.path:
            if namespace.kind == "pid":  # affects only children
                fd = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
                sc.setns(fd, sc.CLONE_NEWPID)
                os.close(fd)
        elif namespace.kind != "cgroup":
            flags |= FLAGS[namespace.kind]
    try:
        made = tree.create(spec.cgroup)
    except OSError as error:
        tree.remove(spec.cgroup)
        words = error.strerror or str(error)
        raise LaunchError(125, f"cannot make the cgroup {spec.cgroup.path}: {words}") from error
    try:
        prepared = _birth(lambda sync: run_container(spec, stdio, sync, seccomp), flags, made)
        try:
            _take_network(prepared)
        except (LaunchError, OSError):
            prepared.abort()
            os.waitpid(prepared.pid, 0)
            raise
    except (LaunchError, OSError):
        reap(spec.cgroup)
        raise
    return prepared


def enter(spec: ExecSpec, stdio: Stdio) -> Prepared:
    """Start a further process inside a running container, waiting to be released.

    Raises LaunchError if the container's first process is not the one meant any more.
    """
    seccomp = _read(spec.process.seccomp)
    try:
        pidfd = open_pid(spec.container_pid)
        same = start_time(spec.container_pid) == spec.container_start_time
    except (ProcessLookupError, FileNotFoundError) as error:
        raise LaunchError(126, "the container is not running") from error
    if not same:
        os.close(pidfd)
        raise LaunchError(126, "the container is not running")
    sc.setns(pidfd, sc.CLONE_NEWPID)
    top = tree.unified_mount(spec.cgroup.mode)
    folders = tuple(f for f in tree.folders_of(spec.cgroup) if not top or not f.startswith(top))
    unified = f"{top}/{spec.cgroup.path}" if top else ""
    made = tree.Made(unified, folders if spec.cgroup.mode != "v2" else (), ())
    try:
        return _birth(lambda sync: run_exec(spec, pidfd, stdio, sync, seccomp), 0, made)
    finally:
        os.close(pidfd)


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


def _birth(life: Callable[[socket.socket], object], flags: int, made: tree.Made) -> Prepared:
    """Clone into the cgroup and let the child live `life`; the parent gets it back, waiting."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    cgroup_fd = os.open(made.unified, os.O_PATH | os.O_CLOEXEC) if made.unified else None
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
    try:
        made.join(pid)
        ours.send(b"go")
        return Prepared(pid, pidfd, start_time(pid), made.warnings, ours)
    except OSError as error:
        ours.close()
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        raise LaunchError(125, f"cannot put the process into its cgroup: {error}") from error


def _take_network(prepared: Prepared) -> None:
    """Receive the network namespace and the DNS sockets."""
    message, fds = _receive(prepared.sync)
    if message != b"net":
        raise _error_of(message)
    prepared.netns_fd = fds[0] if fds else None
    prepared.dns_sockets = (fds[1], fds[2]) if len(fds) == 3 else None


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


def _read(path: str) -> bytes:
    if not path:
        return b""
    with open(path, "rb") as stream:
        return stream.read()


def reap(cgroup: Cgroup) -> None:
    """Kill whatever is left in a container's cgroup and remove it. Idempotent."""
    tree.kill_all(cgroup)
    tree.remove(cgroup)
