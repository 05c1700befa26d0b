"""What runs between the birth of a container's first process and its program: the child's side.

The order is the safety: namespaces are joined, the root is built and entered and the old one
detached, and only then is anything of the image read. After that nothing is imported, and no
program of the image runs before execve. The process is not dumpable, so that nobody inside can
reach the interpreter through /proc/PID/exe.

Messages on the sync socket, a datagram each: the parent sends "go" when the cgroup is joined; the
child answers "net" with descriptors, then "mounted" (with a terminal's master); the parent sends "start"; the socket closes on
execve. A failure is one datagram: "error <exit code> <message>".
"""

from __future__ import annotations

import array
import fcntl
import os
import signal
import socket
import struct
import termios
from typing import TYPE_CHECKING, NoReturn

from engine.runtime import syscalls as sc
from engine.runtime import terminal
from engine.runtime.identity import IdentityError
from engine.runtime.program import Refusal, start_program
from engine.runtime.root import build_root

if TYPE_CHECKING:
    from engine.runtime.launch import Stdio
    from engine.runtime.spec import ContainerSpec, ExecSpec, Process

#: namespace kind -> the flag that makes or joins it
FLAGS = {
    "mount": sc.CLONE_NEWNS, "pid": sc.CLONE_NEWPID, "net": sc.CLONE_NEWNET, "uts": sc.CLONE_NEWUTS,
    "ipc": sc.CLONE_NEWIPC, "cgroup": sc.CLONE_NEWCGROUP, "user": sc.CLONE_NEWUSER,
}  # fmt: skip
#: Where a container finds its DNS server: Docker's address.
DNS_ADDRESS = ("127.0.0.11", 53)
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1


def run_container(
    spec: ContainerSpec, stdio: Stdio, sync: socket.socket, seccomp: bytes
) -> NoReturn:
    """The life of a container's first process up to its program. Never returns."""
    try:
        _become_child(stdio)
        _expect(sync, b"go")
        join_namespaces(spec)
        if _makes(spec, "cgroup"):
            sc.unshare(sc.CLONE_NEWCGROUP)
        if _makes(spec, "uts"):
            sc.sethostname(spec.hostname)
            if spec.domainname:
                sc.setdomainname(spec.domainname)
        _send_network(spec, sync)
        root = build_root(spec)
        _tell_mounted(spec.process, root, sync, console=True)
        _expect(sync, b"start")
        start_program(spec.process, root, sync, seccomp, init=spec.init)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the parent must hear of it
        _give_up(sync, error, 125)


def run_exec(
    spec: ExecSpec, pidfd: int, stdio: Stdio, sync: socket.socket, seccomp: bytes
) -> NoReturn:
    """The life of an exec's process up to its program. Never returns."""
    try:
        _become_child(stdio)
        _expect(sync, b"go")
        flags = sc.CLONE_NEWNET | sc.CLONE_NEWUTS | sc.CLONE_NEWIPC | sc.CLONE_NEWCGROUP
        sc.setns(pidfd, flags | sc.CLONE_NEWNS)
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        _tell_mounted(spec.process, root, sync, console=False)
        _expect(sync, b"start")
        start_program(spec.process, root, sync, seccomp, init=False)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the parent must hear of it
        _give_up(sync, error, 126)


def join_namespaces(spec: ContainerSpec) -> None:
    """Join the namespaces that the spec names by path (but for pid, which the parent joined)."""
    for namespace in spec.namespaces:
        if namespace.path and namespace.kind != "pid":
            fd = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                sc.setns(fd, FLAGS[namespace.kind])
            finally:
                os.close(fd)


def _makes(spec: ContainerSpec, kind: str) -> bool:
    return any(n.kind == kind and not n.path for n in spec.namespaces)


def _become_child(stdio: Stdio) -> None:
    """An own session with the given stdio; signals as a fresh program expects them."""
    sc.prctl(sc.PR_SET_PDEATHSIG, signal.SIGKILL)
    sc.prctl(sc.PR_SET_DUMPABLE, 0)
    os.setsid()
    for number, fd in enumerate((stdio.stdin, stdio.stdout, stdio.stderr)):
        os.dup2(fd, number, inheritable=True)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _send_network(spec: ContainerSpec, sync: socket.socket) -> None:
    """In a new network namespace: loopback up, the DNS sockets bound, all of it handed out."""
    fds: list[int] = []
    if _makes(spec, "net"):
        fds.append(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            request = struct.pack("16sH14x", b"lo", IFF_UP)
            fcntl.ioctl(control, SIOCSIFFLAGS, request)
        if spec.dns:
            fds += [_listen(socket.SOCK_DGRAM), _listen(socket.SOCK_STREAM)]
    sync.sendmsg(
        [b"net"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    )
    for fd in fds:
        os.close(fd)


def _tell_mounted(process: Process, root: int, sync: socket.socket, *, console: bool) -> None:
    """Say that the root is there; with a terminal its master goes along, its slave becomes stdio."""
    if not process.terminal:
        sync.send(b"mounted")
        return
    master, slave = terminal.open_terminal(root)
    if console:
        terminal.bind_console(root, slave)
    for number in (0, 1, 2):
        os.dup2(slave, number, inheritable=True)
    os.close(slave)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    rights = array.array("i", [master])
    sync.sendmsg([b"mounted"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    os.close(master)


def _listen(kind: socket.SocketKind) -> int:
    server = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    server.bind(DNS_ADDRESS)
    if kind == socket.SOCK_STREAM:
        server.listen(64)
    return server.detach()


def _expect(sync: socket.socket, word: bytes) -> None:
    if sync.recv(64) != word:  # the parent gave up, or died
        os._exit(1)


def _give_up(sync: socket.socket, error: BaseException, default: int) -> NoReturn:
    if isinstance(error, Refusal):
        code, words = error.exit_code, str(error)
    elif isinstance(error, OSError):
        code, words = default, error.strerror or str(error)
        if error.filename and str(error.filename) not in words:
            words += f": {error.filename}"
    elif isinstance(error, IdentityError):
        code, words = 126, str(error)
    else:
        code, words = default, f"internal error: {type(error).__name__}: {error}"
    try:
        sync.send(f"error {code} {words}".encode()[:60000])
    finally:
        os._exit(code)
