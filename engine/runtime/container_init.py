"""What runs between the birth of a container's first process and its program: the child's side.

The order is the safety: namespaces are joined, the root is built and entered and the old one
detached, and only then is anything of the image read. After that nothing is imported, and no
program of the image runs before execve. The process is not dumpable, so that nobody inside can
reach the interpreter through /proc/PID/exe.

Messages on the sync socket, a datagram each: the child says "net" with descriptors and warnings (an
exec "born"), then "mounted" (with a terminal's master); the parent says "start"; the socket closes on
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
from engine.runtime.cgroups import tree
from engine.runtime.identity import IdentityError
from engine.runtime.pids import open_pid, start_time
from engine.runtime.program import Refusal, start_program
from engine.runtime.root import build_root
from engine.runtime.spec import ContainerSpec, ExecSpec, decode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.runtime.launch import Stdio
    from engine.runtime.spec import Process

#: namespace kind -> the flag that makes or joins it
FLAGS = {
    "mount": sc.CLONE_NEWNS, "pid": sc.CLONE_NEWPID, "net": sc.CLONE_NEWNET, "uts": sc.CLONE_NEWUTS,
    "ipc": sc.CLONE_NEWIPC, "cgroup": sc.CLONE_NEWCGROUP, "user": sc.CLONE_NEWUSER,
}  # fmt: skip
#: Where a container's DNS server listens: Docker's address, on a port of the kernel's choice. Rules
#: inside lead port 53 there, so that the container's own programs may have it.
DNS_ADDRESS = ("127.0.0.11", 0)
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1


def run_container(spec_fd: int, stdio: Stdio, sync: socket.socket) -> NoReturn:
    """The life of a container's first process up to its program. Never returns."""
    try:
        _become_child(stdio)
        spec = decode(ContainerSpec, _contents(spec_fd))
        seccomp = _filter_of(spec.process)
        made = _limit(spec)
        join_namespaces(spec)
        if _makes(spec, "cgroup"):
            sc.unshare(sc.CLONE_NEWCGROUP)
        if _makes(spec, "uts"):
            if spec.hostname:
                sc.sethostname(spec.hostname)
            if spec.domainname:
                sc.setdomainname(spec.domainname)
        _send_network(spec, sync, made.warnings)
        root = build_root(spec)
        _tell_mounted(spec.process, root, sync, console=True)
        _expect(sync, b"start")
        start_program(spec.process, root, sync, seccomp, init=spec.init)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the parent must hear of it
        _give_up(sync, error, 125)


def _limit(spec: ContainerSpec) -> tree.Made:
    """Set this process's limits, and join what carries them."""
    try:
        made = tree.create(spec.cgroup)
        made.join()
    except OSError as error:
        words = error.strerror or str(error)
        raise Refusal(125, f"cannot make the cgroup {spec.cgroup.path}: {words}") from error
    return made


def send_inside(spec_fd: int, stdio: Stdio, sync: socket.socket) -> NoReturn:
    """Join a container's namespaces, then have the exec's process born there, as our parent's child.

    It says "born <pid>" with a pidfd, in the name of that process. Never returns.
    """
    try:
        sc.prctl(sc.PR_SET_PDEATHSIG, signal.SIGKILL)
        sc.prctl(sc.PR_SET_DUMPABLE, 0)
        spec = decode(ExecSpec, _contents(spec_fd))
        seccomp = _filter_of(spec.process)
        container = _open_container(spec)
        tree.join(tree.limiting_folders(spec.cgroup))
        top = tree.unified_mount(spec.cgroup.mode)
        cgroup_fd = os.open(f"{top}/{spec.cgroup.path}", os.O_PATH | os.O_CLOEXEC) if top else None
        others = sc.CLONE_NEWNET | sc.CLONE_NEWUTS | sc.CLONE_NEWIPC | sc.CLONE_NEWCGROUP
        sc.setns(container, others | sc.CLONE_NEWPID | sc.CLONE_NEWNS)
        pid, pidfd = sc.clone3(sc.CLONE_PARENT, cgroup_fd)
        if pid == 0:
            run_exec(spec, stdio, sync, seccomp)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pidfd]))]
        sync.sendmsg([f"born {pid}".encode()], rights)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the parent must hear of it
        _give_up(sync, error, 126)


def _open_container(spec: ExecSpec) -> int:
    """A pidfd of the container's first process, if it is the one meant."""
    try:
        pidfd = open_pid(spec.container_pid)
        same = start_time(spec.container_pid) == spec.container_start_time
    except (ProcessLookupError, FileNotFoundError) as error:
        raise Refusal(126, "the container is not running") from error
    if not same:
        raise Refusal(126, "the container is not running")
    return pidfd


def run_exec(spec: ExecSpec, stdio: Stdio, sync: socket.socket, seccomp: bytes) -> NoReturn:
    """The life of an exec's process up to its program. Never returns."""
    try:
        _become_child(stdio)
        _expect(sync, b"go")  # the helper has the first word on this socket
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        _tell_mounted(spec.process, root, sync, console=False)
        _expect(sync, b"start")
        start_program(spec.process, root, sync, seccomp, init=False)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the parent must hear of it
        _give_up(sync, error, 126)


def _contents(spec_fd: int) -> bytes:
    with open(spec_fd, "rb") as stream:
        return stream.read()


def _filter_of(process: Process) -> bytes:
    if not process.seccomp:
        return b""
    with open(process.seccomp, "rb") as stream:
        return stream.read()


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


def _send_network(spec: ContainerSpec, sync: socket.socket, warnings: Iterable[str]) -> None:
    """In a new network namespace: loopback up, the DNS sockets bound, all of it handed out."""
    fds: list[int] = []
    if _makes(spec, "net"):
        fds.append(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            request = struct.pack("16sH14x", b"lo", IFF_UP)
            fcntl.ioctl(control, SIOCSIFFLAGS, request)
        if spec.dns:
            fds += [_listen(socket.SOCK_DGRAM), _listen(socket.SOCK_STREAM)]
    words = "\n".join(("net", *warnings)).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sync.sendmsg([words], rights)
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
