"""The monitor: the parent of one container's first process, or of one exec. A fork that never execs.

It owns the stdio, writes the log, serves attach, resize and wait on a socket of its own, and records
the exit in one atomic write. It outlives the engine. One thread, one epoll; a slow reader makes the
process wait, one that takes nothing at all is let go (see `valve`).
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import termios
import time
import tty
from typing import TYPE_CHECKING, Any, NoReturn

from engine.processes import messages
from engine.processes.log_writer import LogWriter
from engine.processes.valve import Valve
from engine.processes.visitors import Visitor
from engine.runtime import launch
from engine.runtime.cgroups import tree
from engine.runtime.order import read_order

if TYPE_CHECKING:
    from engine.processes.keeper import Kept

CHUNK = 1 << 16
#: Seconds that output may still come after the end of an exec, whose heirs may hold its pipes.
EXEC_DRAIN = 0.3
#: Seconds that output may still come after the end of a container: its processes are all dead.
CONTAINER_DRAIN = 5.0
#: Seconds without a byte taken after which readers of the last output are left; an exec's may pause.
FAREWELL, EXEC_FAREWELL = 10.0, 3600.0
STDOUT, STDERR = 1, 2


def run_monitor(kept: Kept, message: bytes) -> NoReturn:
    """What a monitor does from the first event on to its exit; `message` came over the link, if any."""
    monitor = Monitor(kept)
    if message:
        monitor.obey_link(message)
    monitor.serve()
    os._exit(0)


class Monitor:
    """One process, its streams and its visitors."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.order = read_order(messages.decode(kept.order))
        self.channel = socket.socket(fileno=kept.channel)
        self.epoll = kept.epoll
        self.visitors: dict[int, Visitor] = {}
        self.outputs: dict[int, int] = {}  # descriptor -> STDOUT or STDERR
        self.valve = Valve(self.epoll, self.outputs, patient=not self.order.container)
        self.terminal = self.valve.terminal = kept.terminal
        self.size: tuple[int, int] | None = None  # rows, columns, asked for before it is there
        self.stdin = kept.stdin
        self.pending_stdin: list[bytes] = []
        self.stdin_closing = False
        self.link = kept.link.fileno()  # -1 once the program runs
        self.server: socket.socket | None = None
        try:
            self.log = LogWriter(self.order.log, strict=False) if self.order.log else None
        except OSError:  # it could be opened a moment ago: a full disk must not stop the container
            self.log = None
        self._take_descriptors()
        if kept.terminal >= 0:
            self.stdin = kept.terminal
            self.outputs[kept.terminal] = STDOUT

    def _take_descriptors(self) -> None:
        """What the process has been born with is watched already."""
        if self.kept.server >= 0 and self.server is None:
            self.server = socket.socket(fileno=self.kept.server)
            self.server.setblocking(False)
            for fd, stream in ((self.kept.stdout, STDOUT), (self.kept.stderr, STDERR)):
                if fd >= 0:
                    self.outputs[fd] = stream
            self.stdin = self.kept.stdin

    def obey_link(self, message: bytes) -> None:
        """Take the next step of the launch."""
        word, _, rest = message.partition(b" ")
        if word == b"here":
            self._take_descriptors()
            assert self.server
            for fd in (self.server.fileno(), *self.outputs):
                self.epoll.register(fd, select.EPOLLIN)
        elif word == b"terminal":
            self._take_terminal(self.kept.terminal)
        elif word == b"failed":
            code, _, words = rest.decode(errors="replace").partition(" ")
            self._fail(int(code), words)
        else:
            self.link = -1
            self.kept.end_launch()
            self.epoll.register(self.kept.pidfd, select.EPOLLIN)

    def _fail(self, code: int, words: str) -> None:
        """The program did not start: leave nothing behind, say so, end."""
        if self.kept.pidfd >= 0:
            self._kill()
        while True:  # a launcher, too
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        self._sweep()
        self._tell(failed=words, exit_code=code)
        for visitor in self.visitors.values():
            if visitor.attached:  # nothing was left out: there was nothing
                visitor.send_output(messages.END_MARK, b"")
        os._exit(0)

    def _kill(self) -> None:
        try:
            signal.pidfd_send_signal(self.kept.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass  # dead already

    def _tell(self, **fields: Any) -> None:
        try:
            self.channel.send(messages.encode(**fields), socket.MSG_DONTWAIT)
        except OSError:
            pass  # the engine was killed meanwhile; the next one asks by our own socket

    def _listens_to(self, visitor: Visitor) -> bool:
        """Not once it has said all, nor while the process has not taken what it sent before."""
        return not (visitor.finished or (self.pending_stdin and visitor.stdin))

    def _take_terminal(self, master: int) -> None:
        """The terminal is there: its size, its output, and what was typed before."""
        self.terminal = self.stdin = self.valve.terminal = master
        if self.size:
            self._resize(*self.size)
        self.outputs[master] = STDOUT
        self.epoll.register(master, select.EPOLLIN)
        self._feed_stdin()

    def serve(self) -> None:
        """Move bytes until the process has ended and its output is drained; then say goodbye."""
        pidfd = self.kept.pidfd
        status: int | None = None
        deadline = 0.0
        while status is None or (self.outputs and time.monotonic() < deadline):
            if self.valve.closed:  # what has been written already is still to come
                deadline = max(deadline, time.monotonic() + EXEC_DRAIN)
            wait = -1 if status is None else max(deadline - time.monotonic(), 0)
            for fd, events in self.epoll.poll(self.valve.wait(wait)):
                if fd == pidfd:
                    self.epoll.unregister(pidfd)
                    status = os.waitpid(self.kept.pid, 0)[1]
                    deadline = time.monotonic() + self._after_exit()
                elif fd == self.link:
                    self.obey_link(self.kept.hear())
                    pidfd = self.kept.pidfd
                else:
                    self._handle(fd, events)
            while late := self.valve.check(self.visitors.values()):
                for visitor in late:
                    self._dismiss(visitor)
        assert status is not None
        self._drain()
        code = os.waitstatus_to_exitcode(status)
        self._finish(code if code >= 0 else 128 - code)

    def _after_exit(self) -> float:
        if not self.order.container:
            return EXEC_DRAIN
        tree.kill_all(self.order.cgroup)
        return CONTAINER_DRAIN

    def _drain(self) -> None:
        """Take what is in the pipes already: on a busy machine the time is up before we had our turn."""
        for fd in list(self.outputs):
            left = messages.readable(fd)
            while left > 0 and fd in self.outputs:
                self._pump(fd)
                left -= CHUNK

    def _handle(self, fd: int, events: int) -> None:
        if fd == self.stdin and events & ~select.EPOLLIN:  # a terminal is an output as well
            self._feed_stdin()
        if fd in self.outputs:
            if events & ~select.EPOLLOUT:
                self._pump(fd)
        elif self.server and fd == self.server.fileno():
            self._welcome(self.server)
        elif fd in self.visitors:
            self._attend(self.visitors[fd], events)

    def _pump(self, fd: int) -> None:
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:  # a terminal whose last process has ended answers EIO
            data = b""
        if not data:
            self.epoll.unregister(fd)
            self.outputs.pop(fd)
            return
        stream = self.outputs[fd]
        if self.log:
            try:
                self.log.write("stdout" if stream == STDOUT else "stderr", data)
            except OSError:
                pass  # a full disk must not stop the container
        for visitor in list(self.visitors.values()):
            if visitor.wants(stream) and not visitor.send_output(stream, data):
                self._dismiss(visitor)
            else:
                self._watch(visitor)

    def _welcome(self, server: socket.socket) -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        connection.setblocking(False)  # the method takes it so
        visitor = Visitor(connection)
        self.visitors[connection.fileno()] = visitor
        self.epoll.register(connection, select.EPOLLIN)

    def _watch(self, visitor: Visitor) -> None:
        events = (select.EPOLLIN if self._listens_to(visitor) else 0) | (
            select.EPOLLOUT if visitor.backlog else 0
        )
        self.epoll.modify(visitor.connection, events)

    def _attend(self, visitor: Visitor, events: int) -> None:
        if events & select.EPOLLOUT and not visitor.flush():
            self._dismiss(visitor)
            return
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            try:
                self._listen(visitor, visitor.receive(), events)
            except BlockingIOError:
                pass  # the event was meant for one who had this descriptor before
            except (OSError, ValueError, KeyError):  # it broke off, or talks nonsense
                self._dismiss(visitor)
        if visitor.connection.fileno() in self.visitors:
            self._watch(visitor)

    def _listen(self, visitor: Visitor, data: bytes, events: int) -> None:
        """Raises ValueError or KeyError for a request that is none."""
        if not data:
            if not visitor.half_close(events):
                self._dismiss(visitor)
            elif visitor.stdin:
                self._close_stdin()
        elif visitor.attached:
            self._take_stdin(visitor, data)
        else:
            for request in visitor.requests(data):
                self._answer(visitor, request)

    def _answer(self, visitor: Visitor, request: dict[str, Any]) -> None:
        kind = request.get("ask")
        if kind == "attach":
            visitor.attach(request)
            early = visitor.rest
            visitor.rest = b""
            if early:
                self._take_stdin(visitor, early)
        elif kind == "resize" and self.order.terminal:
            try:
                self._resize(int(request["rows"]), int(request["columns"]))
                visitor.send(messages.encode(ok=True) + b"\n")
            except struct.error:
                visitor.send(messages.encode(error="a size is 0 to 65535") + b"\n")
        elif kind == "wait":
            visitor.waiting = True
        elif kind == "status":
            facts = {"pid": self.kept.pid, "start_time": self.kept.start_time}
            visitor.send(messages.encode(protocol=messages.PROTOCOL, **facts) + b"\n")
        else:
            visitor.send(messages.encode(error=f"cannot {kind}") + b"\n")

    def _take_stdin(self, visitor: Visitor, data: bytes) -> None:
        if visitor.stdin and self._has_stdin():
            self.pending_stdin.append(data)
            self._feed_stdin()

    def _has_stdin(self) -> bool:
        """Whether there is one, or will be: a terminal comes with the container's root."""
        return self.stdin >= 0 or self._awaits_terminal()

    def _awaits_terminal(self) -> bool:
        return self.order.terminal and self.terminal < 0

    def _feed_stdin(self) -> None:
        if self.stdin < 0:
            return
        while self.pending_stdin:
            try:
                written = os.write(self.stdin, self.pending_stdin[0])
            except BlockingIOError:
                self._watch_stdin(writing=True)
                return
            except OSError:  # the process has closed its end
                self.pending_stdin.clear()
                break
            self.pending_stdin[0] = self.pending_stdin[0][written:]
            if not self.pending_stdin[0]:
                self.pending_stdin.pop(0)
        self._watch_stdin(writing=False)
        if self.stdin_closing:
            self._close_stdin()
        for visitor in self.visitors.values():
            self._watch(visitor)

    def _watch_stdin(self, *, writing: bool) -> None:
        if self.stdin in self.outputs:  # a terminal: one descriptor for both directions
            self.epoll.modify(self.stdin, select.EPOLLIN | (select.EPOLLOUT if writing else 0))
            return
        try:
            self.epoll.register(self.stdin, select.EPOLLOUT) if writing else self.epoll.unregister(
                self.stdin
            )
        except (FileExistsError, FileNotFoundError):
            pass  # as wanted already

    def _close_stdin(self) -> None:
        if not self._has_stdin():
            return
        if self.pending_stdin or self.stdin < 0:
            self.stdin_closing = True
        elif self.stdin == self.terminal:
            try:
                os.write(self.terminal, _end_of_file(self.terminal))
            except OSError:
                pass  # nobody has the terminal open any more, or its input is full
        else:
            os.close(self.stdin)
            self.stdin = -1

    def _resize(self, rows: int, columns: int) -> None:
        """Raises struct.error for a size that is none."""
        if not self._awaits_terminal():
            messages.set_size(self.terminal, rows, columns)
        elif min(rows, columns) >= 0 and max(rows, columns) < 1 << 16:
            self.size = (rows, columns)
        else:
            raise struct.error("no size")

    def _dismiss(self, visitor: Visitor) -> None:
        fd = visitor.connection.fileno()
        if self.visitors.pop(fd, None):
            self.epoll.unregister(fd)
            visitor.connection.close()

    def _finish(self, code: int) -> None:
        if self.log:
            try:
                self.log.close()
            except OSError:
                pass  # a full disk; what is written is written
        oom = self.order.container and tree.oom_kills(self.order.cgroup) > 0
        self._sweep()
        record = {"exit_code": code, "finished_ns": time.time_ns(), "oom_killed": oom}
        path = f"{self.order.run_dir}/{messages.EXIT_NAME}"
        with open(f"{path}.tmp", "w") as stream:
            json.dump(record, stream)
        os.replace(f"{path}.tmp", path)
        self._tell(**record)
        for visitor in self.visitors.values():
            if visitor.waiting:
                visitor.send(messages.encode(**record) + b"\n")
            elif visitor.attached:
                visitor.send_output(messages.END_MARK, b"")
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        try:
            os.unlink(f"{self.order.run_dir}/{messages.SOCKET_NAME}")
        except FileNotFoundError:
            pass  # the engine has heard of the end, and cleared away; readers may still be at it
        if self.server:
            self.server.close()
        patience = FAREWELL if self.order.container else EXEC_FAREWELL
        while True:
            since = time.monotonic() - patience
            late = [v for v in self.visitors.values() if v.backlog and v.progress > since]
            if not late:
                return
            for visitor in select.select([], [v.connection for v in late], [], FAREWELL)[1]:
                if not self.visitors[visitor.fileno()].flush():
                    self._dismiss(self.visitors[visitor.fileno()])

    def _sweep(self) -> None:
        if self.order.container:
            launch.reap(self.order.cgroup)


def _end_of_file(terminal: int) -> bytes:
    """The character that means end of file on this terminal (usually Ctrl-D)."""
    character = termios.tcgetattr(terminal)[tty.CC][termios.VEOF]
    return character if isinstance(character, bytes) else b"\x04"
