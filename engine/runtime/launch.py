"""The birth of an exec's process, seen from its launcher: enter, await, release or abort.

Three have a part in it. The launcher stays outside and holds what speaks for the engine. Whoever
enters (see container_init) comes out of it without privileges and ends with the birth. What is born
waits inside for its release, and is believed nothing: its number is read from its pidfd. Nothing is
left behind by a failure. Single-threaded callers only (clone3).
"""

from __future__ import annotations

import _socket
import array
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc
from engine.runtime.cgroups import tree
from engine.runtime.container_init import enter_container
from engine.runtime.pids import start_time
from engine.runtime.program import Refusal

if TYPE_CHECKING:
    from engine.runtime.container_init import Stdio
    from engine.runtime.spec import Cgroup


@dataclass(slots=True)
class Born:
    """A process that waits for its release; `terminal` is its master, if it has one."""

    pid: int
    pidfd: int
    start_time: int
    sync: _socket.socket
    terminal: int | None = None

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
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass


def enter(spec_fd: int, stdio: Stdio, cgroup: Cgroup) -> tuple[int, _socket.socket]:
    """Send someone into a running container: its pid, and the socket on which it tells of the birth.

    It is a child of our parent, as what it gives birth to. Raises Refusal.
    """
    top = tree.unified_mount(cgroup.mode)
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    folder = None
    try:
        if top:
            folder = os.open(f"{top}/{cgroup.path}", os.O_PATH | os.O_CLOEXEC)
        pid, pidfd = sc.clone3(sc.CLONE_PARENT, folder)
    except OSError as error:
        ours.close()
        theirs.close()
        raise Refusal(126, f"cannot enter the container: {error.strerror}") from error
    finally:
        if folder is not None:
            os.close(folder)
    if pid == 0:
        ours.close()
        enter_container(spec_fd, stdio, theirs)
    os.close(pidfd)
    theirs.close()
    return pid, ours


def await_birth(sync: _socket.socket) -> Born:
    """Wait until the process is there. Raises Refusal with the reason why it will not be."""
    master: int | None = None
    try:
        message, fds = _receive(sync)
        if message == b"terminal" and fds:
            master = fds[0]
            message, fds = _receive(sync)
        if message != b"born" or not fds:
            raise _error_of(message)
        pid = _number_of(fds[0])
        return Born(pid, fds[0], start_time(pid), sync, master)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Refusal(126, "the process died early") from error
    except OSError as error:
        raise Refusal(125, f"the process died early: {error.strerror}") from error


def _number_of(pidfd: int) -> int:
    """The pid behind a pidfd. Raises ProcessLookupError. Source: pidfd_open(2), /proc/PID/fdinfo."""
    with open(f"/proc/self/fdinfo/{pidfd}") as lines:
        pid = next((int(line.split()[1]) for line in lines if line.startswith("Pid:")), -1)
    if pid <= 0:
        raise ProcessLookupError
    return pid


def _receive(sync: _socket.socket) -> tuple[bytes, list[int]]:
    fds = array.array("i")
    message, ancillary, _, _ = sync.recvmsg(
        65536, _socket.CMSG_LEN(3 * fds.itemsize), _socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, data in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
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
