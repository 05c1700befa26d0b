"""How a process comes to life: a container's first one by itself, an exec's by a launcher.

Both talk to the engine over the launch channel until the program runs, and tell the monitor over the
link (see keeper). The launcher is a fork that joins the container, has the process born there as the
monitor's child, and is gone then.
"""

from __future__ import annotations

import _socket
import os
import signal
from typing import TYPE_CHECKING, NoReturn

from engine.processes import messages
from engine.processes.log_outlet import is_networked
from engine.processes.log_writer import LogWriter
from engine.runtime import launch
from engine.runtime import syscalls as sc
from engine.runtime.cgroups import tree
from engine.runtime.container_init import (
    Stdio,
    Talk,
    confine_child,
    give_up,
    hand_over_terminal,
    read_spec,
    run_container,
    send_with_fds,
)
from engine.runtime.order import order_of, read_order
from engine.runtime.pids import start_time
from engine.runtime.program import Refusal

if TYPE_CHECKING:
    from engine.runtime.order import Order


def live_first(request: bytes, spec_fd: int, channel_fd: int, link_fd: int) -> NoReturn:
    """The life of a container's first process up to its program."""
    del request  # all of it is in the spec
    link = _socket.socket(fileno=link_fd)
    try:
        confine_child()
        channel = _open_channel(channel_fd)
        spec = read_spec(spec_fd)
        order = order_of(spec)  # what the monitor has as well, read once
        stdio, ours, server = set_up(order)
        pid = int(os.readlink("/proc/self"))  # the host's /proc tells the host's number
        born = start_time(pid)
        send_with_fds(link, f"here {pid} {born}".encode(), [server.fileno(), *ours])
        for fd in (server.detach(), *ours):
            os.close(fd)

        def tell_prepared(fds: list[int], warnings: tuple[str, ...]) -> None:
            facts = messages.encode(pid=pid, start_time=born, warnings=warnings)
            send_with_fds(channel, facts, fds)

        def wait_for_start() -> None:
            _wait_for_start(channel)
            channel.close()

        run_container(spec, stdio, Talk(link, order.size, tell_prepared, wait_for_start))
    except BaseException as error:  # noqa: BLE001  # whatever it is, the monitor must hear of it
        give_up(link, error, 125)


def run_launcher(request: bytes, spec_fd: int, channel_fd: int, link_fd: int) -> NoReturn:
    """The launcher's life. Where nothing can be born it stands in itself, until the start is asked for."""
    link = _socket.socket(fileno=link_fd)
    try:
        sc.prctl(sc.PR_SET_PDEATHSIG, signal.SIGKILL)
        channel = _open_channel(channel_fd)
        order = read_order(messages.decode(request))
        stdio, ours, server = set_up(order)
        entering, sync = launch.enter(spec_fd, stdio, order.cgroup)
        born, refusal = _await_birth(sync)
        try:
            here = f"here {born.pid} {born.start_time} {entering}".encode()
            send_with_fds(link, here, [born.pidfd, server.fileno(), *ours])
            facts = messages.encode(pid=born.pid, start_time=born.start_time, warnings=())
            channel.send(facts)
            _wait_for_start(channel)
            if born.terminal is not None:
                hand_over_terminal(link, born.terminal, order.size)
            if not refusal:
                born.release()
        except BaseException:
            if not refusal:
                born.abort()
            raise
        if refusal:
            give_up(link, refusal, 126)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001  # whatever it is, the monitor must hear of it
        give_up(link, error, 126)


def _await_birth(sync: _socket.socket) -> tuple[launch.Born, Refusal | None]:
    """What is born; where nothing is, this process itself and the reason."""
    try:
        return launch.await_birth(sync), None
    except Refusal as refusal:
        own = os.getpid()
        return launch.Born(own, os.pidfd_open(own), start_time(own), sync), refusal


def make_cgroup(request: bytes, folder: bytes) -> int:
    """A descriptor of a container's new cgroup in the unified hierarchy. Raises OSError.

    Almost always a mkdir does, in a parent that is there.
    """
    try:
        os.mkdir(folder, 0o755)
    except (FileNotFoundError, FileExistsError):
        tree.make_unified(read_order(messages.decode(request)).cgroup)
    return os.open(folder, os.O_PATH | os.O_CLOEXEC)


def enter_pids(path: bytes) -> None:
    """Join a pid namespace, by its nsfs path, for the next child. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    sc.setns(fd, sc.CLONE_NEWPID)
    os.close(fd)


def _open_channel(fd: int) -> _socket.socket:
    channel = _socket.socket(fileno=fd)
    channel.setblocking(True)  # the engine made it for trio
    return channel


def set_up(order: Order) -> tuple[Stdio, list[int], _socket.socket]:
    """The child's stdio, the monitor's ends, and the monitor's socket. Raises OSError."""
    if not os.access(order.run_dir, os.F_OK):
        os.makedirs(order.run_dir, 0o700)
    if order.log:
        # A target that cannot be opened is told now. This process has no network yet: the engine
        # has tried a target beyond one.
        LogWriter(order.log, strict=not is_networked(order.log)).close()
    stdio, ours = _open_stdio(order)
    return stdio, ours, messages.bind_socket(order.run_dir)


def _wait_for_start(channel: _socket.socket) -> None:
    if channel.recv(64) != messages.START:  # called off, or the engine was killed
        raise Refusal(125, "start was called off")


def _open_stdio(order: Order) -> tuple[Stdio, list[int]]:
    """The child's ends, and the monitor's: stdout, stderr, perhaps stdin."""
    if order.terminal:  # it comes from inside, once there is an inside
        nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        return Stdio(nothing, nothing, nothing), []
    outputs = [os.pipe2(os.O_CLOEXEC) for _ in ("stdout", "stderr")]
    ours = [end for end, _ in outputs]
    if order.stdin_open:
        stdin, end = os.pipe2(os.O_CLOEXEC)
        ours.append(end)
    else:
        stdin = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    for end in ours:
        os.set_blocking(end, False)
    return Stdio(stdin, outputs[0][1], outputs[1][1]), ours
