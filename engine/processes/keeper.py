"""A monitor as long as nothing happens: it waits, and becomes the whole monitor when something does.

Rules: the kernel copies each page that a fork touches, and even a glance at an object touches it. So
what runs here uses few objects and plain descriptors: no JSON, of ctypes one call made beforehand,
nothing of the socket or signal modules but their C parts. The work of a start is done by others: by
the container's first process itself, and for an exec by a launcher, a fork of its own.

Messages on the link, a datagram each: "here <pid> <start time>" with descriptors (the monitor's
socket, stdout, stderr, perhaps stdin); from a launcher also the pid of who went in to have the process
born, which is at its end, and before the descriptors the process's pidfd;
"terminal" with its master; "failed <exit code> <message>". Its end is the program's start.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C part of signal, which the stubs leave out
import _socket
import os
import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Room for the descriptors of one message (CMSG_SPACE of five integers).
RIGHTS = 64


class Ways:
    """What a monitor's processes become, and what it needs for that; made before any fork.

    `live` is the life of a container's first process, `launch` of an exec's launcher (order, spec,
    channel, link), `take_over` of the whole monitor: none of them returns. `make_cgroup` gives the
    descriptor of a fresh cgroup, `enter_pids` joins a pid namespace for the next child.
    """

    __slots__ = ("clone3", "enter_pids", "launch", "live", "make_cgroup", "take_over")

    def __init__(  # one for each way
        self,
        *,
        live: Callable[[bytes, int, int, int], None],
        launch: Callable[[bytes, int, int, int], None],
        take_over: Callable[[Kept, bytes], None],
        make_cgroup: Callable[[bytes, bytes], int],
        enter_pids: Callable[[bytes], None],
        clone3: Callable[[int, int], tuple[int, int]],
    ) -> None:
        self.live, self.launch, self.take_over = live, launch, take_over
        self.make_cgroup, self.enter_pids, self.clone3 = make_cgroup, enter_pids, clone3


class Kept:
    """What a monitor knows while it waits; descriptors are -1 while there is none.

    Made by whoever forks the monitor, before the fork: what is made there is no page of the monitor's
    own. `theirs` is the other end of the link, for the process to be born.
    """

    __slots__ = (
        "cgroup", "channel", "epoll", "flags", "launcher", "link", "name", "order", "pid",
        "pid_namespace", "pidfd", "server", "start_time", "stderr", "stdin", "stdout", "terminal",
        "theirs",
    )  # fmt: skip

    def __init__(self, request: bytes, channel: int) -> None:
        """Raises OSError where the host has no descriptors left."""
        self.name, flags, self.cgroup, self.pid_namespace, self.order = request.split(b"\0", 4)
        self.flags = int(flags or b"0")
        self.channel = channel
        self.link, self.theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self.epoll = select.epoll()
        self.epoll.register(self.link, select.EPOLLIN)
        self.launcher = self.pid = self.start_time = 0
        self.pidfd = self.server = self.stdin = self.stdout = self.stderr = self.terminal = -1

    def let_go(self) -> None:
        """Close what has been made, after the fork: the monitor has its own."""
        self.link.close()
        self.theirs.close()
        self.epoll.close()

    def hear(self) -> bytes:
        """The launcher's next message; its descriptors are taken. b"" once it has gone."""
        try:
            message, ancillary, _, _ = self.link.recvmsg(1 << 16, RIGHTS, _socket.MSG_CMSG_CLOEXEC)
        except OSError:
            message, ancillary = b"", []
        fds = [
            int.from_bytes(data[at : at + 4], "little")
            for _, _, data in ancillary
            for at in range(0, len(data), 4)
        ]
        if message == b"terminal":
            self.terminal = fds[0]
        elif message[:5] == b"here ":
            self.pid, self.start_time, *entered = map(int, message.split()[1:])
            if self.launcher:
                os.waitpid(entered[0], 0)
                self.pidfd, *fds = fds
            self.server, self.stdout, self.stderr, self.stdin = (*fds, -1, -1, -1)[:4]
        elif not message and self.pid in (0, self.launcher):
            return b"failed 126 the container ended before the program could start"
        return message

    def end_launch(self) -> None:
        """The link has ended without a failure: the program runs."""
        self.link.close()
        if self.launcher:
            os.waitpid(self.launcher, 0)
            self.launcher = 0
        try:
            os.write(self.channel, b'{"started":%d}' % time.time_ns())
        except OSError:
            pass  # the engine was killed meanwhile; the next one asks by our own socket


def keep(kept: Kept, spec_fd: int, ways: Ways) -> None:
    """The monitor's life. Returns when it must not go on."""
    os.setsid()
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    comm = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    os.write(comm, kept.name)
    os.close(comm)
    try:
        if kept.flags:
            if kept.pid_namespace:
                ways.enter_pids(kept.pid_namespace)
            folder = ways.make_cgroup(kept.order, kept.cgroup) if kept.cgroup else -1
            child, kept.pidfd = ways.clone3(kept.flags, folder)
            kept.pid = child
            if folder >= 0:
                os.close(folder)
        else:
            kept.launcher = child = os.fork()
    except OSError as error:
        ways.take_over(kept, f"failed 125 cannot start a process: {error.strerror}".encode())
        return
    if child == 0:
        kept.link.close()
        life = ways.live if kept.flags else ways.launch
        life(kept.order, spec_fd, kept.channel, kept.theirs.detach())
        return
    kept.theirs.close()
    os.close(spec_fd)
    ways.take_over(kept, wait_for_work(kept))


def wait_for_work(kept: Kept) -> bytes:
    """Until there is more to do than to note the steps of the start: the message that tells, or b""."""
    link = kept.link.fileno()
    while True:
        for fd, _ in kept.epoll.poll():
            if fd != link:
                return b""
            message = kept.hear()
            if message[:5] == b"here ":
                for ready in (kept.server, kept.stdout, kept.stderr):
                    if ready >= 0:
                        kept.epoll.register(ready, select.EPOLLIN)
            elif message == b"terminal":
                kept.epoll.register(kept.terminal, select.EPOLLIN)
            elif message:
                return message
            else:
                link = -1
                kept.end_launch()
                kept.epoll.register(kept.pidfd, select.EPOLLIN)
