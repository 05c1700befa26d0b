"""What runs between the birth of a container's first process and its program: the child's side.

The order is the safety: namespaces are joined, the root is built and entered and the old one
detached, and only then is anything of the image read. After that nothing is imported, and no
program of the image runs before execve. The process is not dumpable, so that nobody inside can
reach the interpreter through /proc/PID/exe.

An exec comes into a container where others live already, perhaps with CAP_SYS_PTRACE. So whoever
enters stays outside of its pid namespace, seen by nobody, until it has given up all that the program
may not have: privileges, descriptors. Only then is the program's process born inside.

The socket to whoever waits (monitor or launcher) closes on execve: so they know. Before that an exec
says "terminal" (with its master), then "born" (with a pidfd), and hears "start". A failure is one
datagram: "failed <exit code> <message>".
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C part of signal, which the stubs leave out
import _socket
import array
import fcntl
import os
import signal
import struct
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from engine.runtime import syscalls as sc
from engine.runtime import terminal
from engine.runtime.cgroups import tree
from engine.runtime.filter_verdict import lets_through
from engine.runtime.identity import IdentityError
from engine.runtime.pids import open_pid, start_time
from engine.runtime.privileges import drop_to
from engine.runtime.program import Refusal, make_ready, run_program, start_program
from engine.runtime.root import build_root
from engine.runtime.spec import ContainerSpec, ExecSpec, decode
from engine.runtime.user_namespace import ids_of, make_namespaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runtime.program import Ready
    from engine.runtime.spec import Process
    from engine.runtime.user_namespace import Ids

#: namespace kind -> the flag that makes or joins it
FLAGS = {
    "mount": sc.CLONE_NEWNS, "pid": sc.CLONE_NEWPID, "net": sc.CLONE_NEWNET, "uts": sc.CLONE_NEWUTS,
    "ipc": sc.CLONE_NEWIPC, "cgroup": sc.CLONE_NEWCGROUP, "user": sc.CLONE_NEWUSER,
}  # fmt: skip
#: Where a container's DNS server listens: Docker's address, on a port of the kernel's choice. Rules
#: inside lead port 53 there, so that the container's own programs may have it.
DNS_ADDRESS = ("127.0.0.11", 0)
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1


@dataclass(frozen=True, slots=True)
class Stdio:
    """The child's ends: three descriptors. A terminal replaces them once the child has made one."""

    stdin: int
    stdout: int
    stderr: int


@dataclass(frozen=True, slots=True)
class Talk:
    """Whom the first process talks to: the monitor over the link, the engine through two calls."""

    link: _socket.socket
    size: tuple[int, int] | None  # of its terminal: rows, columns
    tell_prepared: Callable[[list[int], tuple[str, ...]], None]
    wait_for_start: Callable[[], None]


def read_spec(spec_fd: int) -> ContainerSpec:
    """A container's spec from the descriptor that the engine has sent. Raises OSError, ValueError."""
    return decode(ContainerSpec, _contents(spec_fd))


def run_container(spec: ContainerSpec, stdio: Stdio, talk: Talk) -> NoReturn:
    """The life of a container's first process up to its program. Raises all that can go wrong."""
    _become_child(stdio)
    seccomp = _filter_of(spec.process)
    made = _limit(spec)
    join_namespaces(spec)
    ids = _take_ids(spec)
    if _makes(spec, "cgroup") and not ids:
        sc.unshare(sc.CLONE_NEWCGROUP)
    if _makes(spec, "uts"):
        if spec.hostname:
            sc.sethostname(spec.hostname)
        if spec.domainname:
            sc.setdomainname(spec.domainname)
    fds = _open_network(spec)
    talk.tell_prepared(fds, made.warnings)
    for fd in fds:
        os.close(fd)
    try:
        root = build_root(spec, ids)
        master = _take_terminal(spec.process, root)
    except BaseException:
        talk.wait_for_start()  # who attaches first must not find nobody there
        raise
    if master is not None:
        hand_over_terminal(talk.link, master, talk.size)
    talk.wait_for_start()
    start_program(spec.process, root, talk.link, seccomp, ids, init=spec.init)


def _limit(spec: ContainerSpec) -> tree.Made:
    """Set this process's limits, and join what carries them."""
    try:
        made = tree.create(spec.cgroup)
        made.join()
    except OSError as error:
        words = error.strerror or str(error)
        raise Refusal(125, f"cannot make the cgroup {spec.cgroup.path}: {words}") from error
    return made


def _take_ids(spec: ContainerSpec) -> Ids | None:
    """The container's own user namespace and what belongs to it, where it has one."""
    try:
        return make_namespaces(spec)
    except OSError as error:
        words = f"cannot make the user namespace of userns_mode auto: {error.strerror or error}"
        raise Refusal(125, words) from error


@dataclass(frozen=True, slots=True)
class Inside:
    """All that an exec's process takes from outside: it is born inside."""

    spec: ExecSpec
    seccomp: bytes
    ids: Ids | None


def join_container(spec_fd: int) -> Inside:
    """Join a container's cgroups and namespaces, this process for good. Raises Refusal, OSError.

    Its pid namespace gets only the next child, whose root is the container's from birth.
    """
    spec = decode(ExecSpec, _contents(spec_fd))
    seccomp = _filter_of(spec.process)
    container = _open_container(spec)
    tree.join(tree.limiting_folders(spec.cgroup))
    ids = ids_of(spec.container_pid)
    others = sc.CLONE_NEWNET | sc.CLONE_NEWUTS | sc.CLONE_NEWIPC | sc.CLONE_NEWCGROUP
    sc.setns(container, others | sc.CLONE_NEWPID | sc.CLONE_NEWNS)
    os.close(container)
    return Inside(spec, seccomp, ids)


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


def enter_container(spec_fd: int, stdio: Stdio, sync: _socket.socket) -> NoReturn:
    """Enter a container, give up what an exec's program may not have, have it born. Never returns."""
    try:
        confine_child()
        proc = os.open(
            "/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        )  # the container has its own
        inside = join_container(spec_fd)
        process = inside.spec.process
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        _take_stdio(stdio)
        if process.terminal:
            master, slave = terminal.open_terminal(root)
            _take_stdio_of(slave)
            send_with_fds(sync, b"terminal", [master])
        ready = make_ready(process, root, inside.ids, proc, first=False)
        sc.close_all_but(sync.fileno())
        # A filter that refuses a birth can only come after it, and with it all that it needs.
        late = not lets_through(inside.seccomp)
        if not late:
            drop_to(process, ready.who, inside.seccomp)
        pid, pidfd = sc.clone_sibling()
        if pid == 0:
            _run_born(inside, ready, sync, late=late)
        send_with_fds(sync, b"born", [pidfd])
        os._exit(0)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the launcher must hear of it
        give_up(sync, error, 126)


def _run_born(inside: Inside, ready: Ready, sync: _socket.socket, *, late: bool) -> NoReturn:
    """The life of an exec's process from its birth inside up to its program. Raises."""
    process = inside.spec.process
    os.setsid()
    if process.terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if late:
        drop_to(process, ready.who, inside.seccomp)
    if sync.recv(64) != b"start":  # the launcher gave up, or died
        os._exit(1)
    run_program(process, ready, sync, init=False)


def _contents(fd: int) -> bytes:
    """All of a file's, which is closed: room for no more is taken, for each page of it is a new one."""
    try:
        return b"".join(iter(lambda: os.read(fd, os.fstat(fd).st_size + 1), b""))
    finally:
        os.close(fd)


def _filter_of(process: Process) -> bytes:
    if not process.seccomp:
        return b""
    return _contents(os.open(process.seccomp, os.O_RDONLY | os.O_CLOEXEC))


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


def confine_child() -> None:
    """Before anything else: no life without the monitor, and out of reach of those inside."""
    sc.prctl(sc.PR_SET_PDEATHSIG, signal.SIGKILL)
    sc.prctl(sc.PR_SET_DUMPABLE, 0)


def _become_child(stdio: Stdio) -> None:
    """An own session with the given stdio; signals as a fresh program expects them."""
    os.setsid()
    _take_stdio(stdio)


def _take_stdio(stdio: Stdio) -> None:
    for number, fd in enumerate((stdio.stdin, stdio.stdout, stdio.stderr)):
        os.dup2(fd, number, inheritable=True)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def _take_stdio_of(slave: int) -> None:
    for number in (0, 1, 2):
        os.dup2(slave, number, inheritable=True)
    os.close(slave)


def _open_network(spec: ContainerSpec) -> list[int]:
    """In a new network namespace: loopback up; its descriptor and those of the DNS sockets."""
    if not _makes(spec, "net"):
        return []
    fds = [os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)]
    control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    control.close()
    if spec.dns:
        fds += [_listen(_socket.SOCK_DGRAM), _listen(_socket.SOCK_STREAM)]
    return fds


def _take_terminal(process: Process, root: int) -> int | None:
    """Where one is asked for: stdio is its slave from now on; its master."""
    if not process.terminal:
        return None
    master, slave = terminal.open_terminal(root)
    terminal.bind_console(root, slave)
    _take_stdio_of(slave)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    return master


def hand_over_terminal(link: _socket.socket, master: int, size: tuple[int, int] | None) -> None:
    """The master, of the size asked for, is the monitor's."""
    if size:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    os.set_blocking(master, False)
    send_with_fds(link, b"terminal", [master])
    os.close(master)


def send_with_fds(to: _socket.socket, message: bytes, fds: list[int]) -> None:
    """One datagram with descriptors, which stay open here."""
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    to.sendmsg([message], rights)


def _listen(kind: int) -> int:
    server = _socket.socket(_socket.AF_INET, kind | _socket.SOCK_NONBLOCK)
    server.bind(DNS_ADDRESS)
    if kind == _socket.SOCK_STREAM:
        server.listen(64)
    return server.detach()


def give_up(to: _socket.socket, error: BaseException, default: int) -> NoReturn:
    """Say what went wrong, with Docker's exit code for it, and end."""
    if isinstance(error, Refusal):
        code, words = error.exit_code, str(error)
    elif isinstance(error, OSError):
        code, words = default, error.strerror or str(error)
        if error.filename and str(error.filename) not in words:
            words += f": {error.filename}"
    elif isinstance(error, IdentityError):
        code, words = default, str(error)
    else:
        code, words = default, f"internal error: {type(error).__name__}: {error}"
    try:
        to.send(f"failed {code} {words}".encode()[:60000])
    finally:
        os._exit(code)
