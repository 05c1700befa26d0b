"""The monitor: the parent of one container's first process, or of one exec. A fork that never execs.

It owns the stdio, writes the log, serves attach, resize and wait on a socket of its own, and records
the exit in one atomic write. It outlives the engine. One thread, one epoll; a slow reader makes the
process wait, one that takes nothing at all is let go (see `valve`).
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import select
import signal
import socket
import struct
import termios
import time
import tty
from typing import Any, NoReturn

from engine.processes import messages
from engine.processes.log_writer import LogWriter
from engine.processes.valve import Valve
from engine.processes.visitors import Visitor
from engine.runtime import launch
from engine.runtime import syscalls as sc
from engine.runtime.cgroups import tree
from engine.runtime.order import Order, read_order

CHUNK = 1 << 16
#: Seconds that output may still come after the end of an exec, whose heirs may hold its pipes.
EXEC_DRAIN = 0.3
#: Seconds that output may still come after the end of a container: its processes are all dead.
CONTAINER_DRAIN = 5.0
#: Seconds without a byte taken after which readers of the last output are left; an exec's may pause.
FAREWELL, EXEC_FAREWELL = 10.0, 3600.0
STDOUT, STDERR = 1, 2


def run_monitor(request: dict[str, Any], spec_fd: int, channel: socket.socket) -> NoReturn:
    """The monitor's life, from the fork to its exit."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    order = read_order(request)
    sc.set_name(f"pyc-{order.id[:11]}")
    sc.prctl(sc.PR_SET_CHILD_SUBREAPER, 1)
    try:
        Monitor(order, channel).run(spec_fd)
    except launch.LaunchError as error:
        _tell(channel, failed=error.message, exit_code=error.exit_code)
    except OSError as error:
        words = str(error) if error.filename else error.strerror or str(error)
        _tell(channel, failed=f"cannot start: {words}", exit_code=125)
    os._exit(0)


def _tell(channel: socket.socket, **fields: Any) -> None:
    try:
        channel.send(messages.encode(**fields))
    except OSError:
        pass  # the engine was killed meanwhile; the next one asks by our own socket


class Monitor:
    """One process, its streams and its visitors."""

    def __init__(self, order: Order, channel: socket.socket) -> None:
        self.order = order
        self.channel = channel
        self.epoll = select.epoll()
        self.visitors: dict[int, Visitor] = {}
        self.outputs: dict[int, int] = {}  # descriptor -> STDOUT or STDERR
        self.valve = Valve(self.epoll, self.outputs, patient=not order.container)
        self.terminal = -1
        self.size: tuple[int, int] | None = None  # rows, columns
        self.stdin = -1
        self.pending_stdin: list[bytes] = []
        self.stdin_closing = False
        os.makedirs(order.run_dir, 0o700, exist_ok=True)
        self.log = LogWriter(order.log) if order.log else None

    def run(self, spec_fd: int) -> None:
        """Prepare, wait for the engine's word, start, serve until the end. Raises LaunchError."""
        stdio = self._open_stdio()
        if self.order.container:
            prepared = launch.prepare(self.order, spec_fd, stdio)
        else:
            prepared = launch.enter(spec_fd, stdio)
        for fd in {stdio.stdin, stdio.stdout, stdio.stderr, spec_fd}:
            os.close(fd)
        self.prepared = prepared
        try:
            self.server = messages.bind_socket(self.order.run_dir)
            self._tell_prepared()
            self.epoll.register(self.server, select.EPOLLIN)
            self._wait_for_start()
            master = prepared.await_root()
            if master is not None:
                self._take_terminal(master)
            prepared.release()
        except (launch.LaunchError, OSError):
            prepared.abort()
            os.waitpid(prepared.pid, 0)
            self._sweep()
            raise
        _tell(self.channel, started=True)
        self.channel.close()
        self._serve()

    def _wait_for_start(self) -> None:
        """Visitors may attach before the start, so that they miss nothing. Raises LaunchError."""
        while True:
            ready, _, _ = select.select([self.channel, self.server, *self._connections()], [], [])
            for source in ready:
                if source is self.server:
                    self._welcome()
                elif source is not self.channel:
                    self._attend(self.visitors[source.fileno()], select.EPOLLIN)
            if self.channel in ready:
                if self.channel.recv(64) != messages.START:
                    raise launch.LaunchError(125, "start was called off")
                return

    def _connections(self) -> list[socket.socket]:
        return [v.connection for v in self.visitors.values() if self._listens_to(v)]

    def _listens_to(self, visitor: Visitor) -> bool:
        """Not once it has said all, nor while the process has not taken what it sent before."""
        return not (visitor.finished or (self.pending_stdin and visitor.stdin))

    def _open_stdio(self) -> launch.Stdio:
        if self.order.terminal:  # it comes from inside, once there is an inside
            self.size = self.order.size
            nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
            return launch.Stdio(nothing, nothing, nothing)
        if self.order.stdin_open:
            stdin, self.stdin = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self.stdin, False)
        else:
            stdin = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        ends = []
        for stream in (STDOUT, STDERR):
            ours, theirs = os.pipe2(os.O_CLOEXEC)
            self._watch_output(ours, stream)
            ends.append(theirs)
        return launch.Stdio(stdin, ends[0], ends[1])

    def _take_terminal(self, master: int) -> None:
        """The terminal is there: its size, its output, and what was typed before."""
        self.terminal = self.stdin = self.valve.terminal = master
        if self.size:
            self._resize(*self.size)
        self._watch_output(master, STDOUT)
        self._feed_stdin()

    def _watch_output(self, fd: int, stream: int) -> None:
        os.set_blocking(fd, False)
        self.outputs[fd] = stream
        self.epoll.register(fd, select.EPOLLIN)

    def _tell_prepared(self) -> None:
        prepared = self.prepared
        fds = [prepared.netns_fd] if prepared.netns_fd is not None else []
        fds += prepared.dns_sockets or ()
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        facts = messages.encode(
            pid=prepared.pid, start_time=prepared.start_time, warnings=prepared.warnings
        )
        self.channel.sendmsg([facts], ancillary)
        for fd in fds:
            os.close(fd)
        prepared.netns_fd = prepared.dns_sockets = None

    def _serve(self) -> None:
        """Move bytes until the process has ended and its output is drained; then say goodbye."""
        pidfd = self.prepared.pidfd
        self.epoll.register(pidfd, select.EPOLLIN)
        status: int | None = None
        deadline = 0.0
        while status is None or (self.outputs and time.monotonic() < deadline):
            if self.valve.closed:  # what has been written already is still to come
                deadline = max(deadline, time.monotonic() + EXEC_DRAIN)
            wait = -1 if status is None else max(deadline - time.monotonic(), 0)
            for fd, events in self.epoll.poll(self.valve.wait(wait)):
                if fd == pidfd:
                    self.epoll.unregister(pidfd)
                    status = os.waitpid(self.prepared.pid, 0)[1]
                    deadline = time.monotonic() + self._after_exit()
                else:
                    self._handle(fd, events)
            while late := self.valve.check(self.visitors.values()):
                for visitor in late:
                    self._dismiss(visitor)
        assert status is not None
        code = os.waitstatus_to_exitcode(status)
        self._finish(code if code >= 0 else 128 - code)

    def _after_exit(self) -> float:
        if not self.order.container:
            return EXEC_DRAIN
        tree.kill_all(self.order.cgroup)
        return CONTAINER_DRAIN

    def _handle(self, fd: int, events: int) -> None:
        if fd == self.stdin and events & ~select.EPOLLIN:  # a terminal is an output as well
            self._feed_stdin()
        if fd in self.outputs:
            if events & ~select.EPOLLOUT:
                self._pump(fd)
        elif fd == self.server.fileno():
            self._welcome()
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

    def _welcome(self) -> None:
        try:
            connection, _ = self.server.accept()
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
            facts = {"pid": self.prepared.pid, "start_time": self.prepared.start_time}
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
        size = struct.pack("HHHH", rows, columns, 0, 0)
        if self._awaits_terminal():
            self.size = (rows, columns)
        else:
            fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)

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
        for visitor in self.visitors.values():
            if visitor.waiting:
                visitor.send(messages.encode(**record) + b"\n")
            elif visitor.attached:
                visitor.send_output(messages.END_MARK, b"")
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        os.unlink(f"{self.order.run_dir}/{messages.SOCKET_NAME}")
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
