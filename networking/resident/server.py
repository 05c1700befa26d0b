"""The resident's side: its control socket in the run folder, and an event loop on epoll.

One datagram of JSON (with descriptors beside it) is a request, one is its answer. Whoever may enter
the run folder may speak: the engine alone. No engine need be there.
"""

from __future__ import annotations

import array
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of a request, and of an answer.
LIMIT = 1 << 20
#: Descriptors beside a request.
FD_LIMIT = 16


class Loop:
    """Sockets and what to call when they are ready. One thread, no recursion.

    For `linger` seconds after a round it stays awake, if the last ones came as quickly one after another:
    to be woken takes longer than most answers.
    """

    def __init__(self, linger: float = 0.0) -> None:
        self.running = True
        self._linger = linger
        self._hurried = False
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._writers: dict[int, Callable[[], None]] = {}

    def watch(self, source: socket.socket, read: Callable[[], None]) -> None:
        """Call `read` whenever there is something to read."""
        self._readers[source.fileno()] = read
        self._epoll.register(source.fileno(), select.EPOLLIN)

    def watch_writable(self, source: socket.socket, write: Callable[[], None] | None) -> None:
        """Call `write` whenever a watched socket takes more; None ends that."""
        fd = source.fileno()
        if write is None:
            self._writers.pop(fd, None)
        else:
            self._writers[fd] = write
        reads = select.EPOLLIN if fd in self._readers else 0
        self._epoll.modify(fd, reads | (select.EPOLLOUT if write else 0))

    def pause_reading(self, source: socket.socket, *, paused: bool) -> None:
        """Leave what comes in the kernel for a while."""
        fd = source.fileno()
        writes = select.EPOLLOUT if fd in self._writers else 0
        self._epoll.modify(fd, writes | (0 if paused else select.EPOLLIN))

    def forget(self, source: socket.socket) -> None:
        """Watch a socket no more; it may be closed then. Idempotent."""
        fd = source.fileno()
        if self._readers.pop(fd, None) is not None:
            self._writers.pop(fd, None)
            self._epoll.unregister(fd)

    def run(self, timeout: Callable[[], float | None], tick: Callable[[], None]) -> None:
        """Until `running` is false; `tick` after each round that `timeout` (seconds) ended or not."""
        readers, writers = self._readers, self._writers
        while self.running:
            for fd, mask in self._await(timeout()):
                if mask & select.EPOLLOUT and fd in writers:
                    writers[fd]()
                if mask & ~select.EPOLLOUT and fd in readers:
                    readers[fd]()
            tick()

    def _await(self, timeout: float | None) -> list[tuple[int, int]]:
        """What is ready, awaited for `timeout` seconds at most."""
        poll = self._epoll.poll
        wait = -1 if timeout is None else max(timeout, 0)
        if not self._linger:
            return poll(wait)
        began, ready = now(), []
        if self._hurried:
            while not (ready := poll(0)) and now() - began < self._linger:
                os.sched_yield()  # who is awaited may need this very core
        ready = ready or poll(wait)
        self._hurried = now() - began < 2 * self._linger
        return ready


class Control:
    """The engine's connections; `perform` takes a request and its descriptors, and answers."""

    def __init__(
        self, loop: Loop, run_dir: str, name: str,
        perform: Callable[[dict[str, Any], list[int]], dict[str, Any]],
    ) -> None:  # fmt: skip
        self._loop = loop
        self._perform = perform
        self._listener = listen(run_dir, name)
        loop.watch(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # gone again, or no descriptor left: those who are served go on being so
        self._loop.watch(connection, lambda: self._obey(connection))

    def _obey(self, connection: socket.socket) -> None:
        fds = array.array("i")
        space = socket.CMSG_LEN(FD_LIMIT * fds.itemsize)
        try:
            message, ancillary, _, _ = connection.recvmsg(LIMIT, space, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            message, ancillary = b"", []
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not message:
            self._loop.forget(connection)
            connection.close()
            return
        try:
            answer = self._perform(json.loads(message), list(fds))
        except OSError as error:
            answer = {"error": error.strerror or str(error)}
        try:
            connection.send(json.dumps(answer).encode())
        except OSError:
            pass  # the engine has gone; what it asked for is done


def listen(run_dir: str, name: str) -> socket.socket:
    """The control socket, in the place of a dead resident's."""
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        try:
            os.unlink(name, dir_fd=directory)
        except FileNotFoundError:
            pass  # the usual case
        control.bind(f"/proc/self/fd/{directory}/{name}")
        control.listen(8)
    finally:
        os.close(directory)
    control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LIMIT)
    return control


def settle_in() -> None:
    """What every resident does first: as many descriptors as it may, no signals but TERM and KILL."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def say_ready() -> None:
    """Tell whoever started us; from here on standard output leads nowhere."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)


def now() -> float:
    """Seconds of the monotonic clock."""
    return time.monotonic()
