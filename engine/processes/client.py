"""The engine's side of fork server and monitors, on trio.

A Monitor is a handle, not a connection: every call connects anew, so a handle works as long as the
monitor lives, whichever engine made it. Descriptors that are handed out belong to the receiver.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from engine.errors import EngineError, HostLimitError
from engine.processes import messages
from engine.processes.attachment import Attachment
from engine.runtime.order import order_of
from engine.runtime.pids import is_ending, open_pid
from engine.runtime.pids import start_time as start_time_of
from engine.runtime.spec import ContainerSpec, ExecSpec, encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StartError(EngineError):
    """The program could not be started; `exit_code` is Docker's (125, 126, 127)."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.status = 400 if exit_code in (126, 127) else 500


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """How a process ended: exit code (128 + n after signal n), when, whether out of memory."""

    exit_code: int
    finished_ns: int
    oom_killed: bool = False


def read_exit(run_dir: Path) -> ExitRecord | None:
    """What a monitor left behind; None if the process still runs, or nobody recorded its end."""
    try:
        return _exit_record(json.loads((run_dir / messages.EXIT_NAME).read_bytes()))
    except FileNotFoundError:
        return None


class Monitor:
    """A handle on a running process: its monitor's socket, and of whoever started it a channel.

    The channel brings the exit record without a word to the monitor, which is then never woken.
    """

    def __init__(self, run_dir: Path, pid: int, start_time: int) -> None:
        self.run_dir = run_dir
        self.pid = pid
        self.start_time = start_time
        self._channel = -1
        self._turn = trio.Lock()
        self._record: ExitRecord | None = None

    def __del__(self) -> None:
        self._hang_up()

    def listen(self, channel: int) -> None:
        """Take over the channel of the launch."""
        self._channel = channel

    def _hang_up(self) -> None:
        if self._channel >= 0:
            os.close(self._channel)
            self._channel = -1

    async def wait_exit(self) -> ExitRecord:
        """Wait until the process has ended and its output is logged. Any number may wait."""
        async with self._turn:
            if self._channel >= 0:
                await trio.lowlevel.wait_readable(self._channel)
                answer = os.read(self._channel, messages.LIMIT)
                self._hang_up()
                self._record = _exit_record(messages.decode(answer)) if answer else None
        return self._record or await self._ask_for_exit()

    async def _ask_for_exit(self) -> ExitRecord:
        try:
            async with await self._connect() as stream:
                await stream.send_all(messages.encode(ask="wait") + b"\n")
                line = await _line(stream)
            if line:
                return _exit_record(messages.decode(line))
        except (OSError, trio.BrokenResourceError):
            pass  # it has ended already, or its monitor was killed: the record knows
        return read_exit(self.run_dir) or ExitRecord(137, 0)

    async def attach(self, *, stdin: bool, stdout: bool, stderr: bool) -> Attachment:
        """Take part in the streams from now on. Raises EngineError if the process has ended."""
        try:
            stream = await self._connect()
        except OSError as error:
            raise EngineError("the process has ended: there is nothing to attach to") from error
        request = messages.encode(ask="attach", stdin=stdin, stdout=stdout, stderr=stderr)
        await stream.send_all(request + b"\n")
        answer = messages.decode(await _line(stream) or b"{}")
        return Attachment(stream, marks=bool(answer.get("marks")))

    async def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's size; without a terminal, or after the end, it is an EngineError."""
        try:
            async with await self._connect() as stream:
                await stream.send_all(
                    messages.encode(ask="resize", rows=rows, columns=columns) + b"\n"
                )
                answer = messages.decode(await _line(stream) or b'{"error":"it has ended"}')
        except (OSError, trio.BrokenResourceError) as error:
            raise EngineError("cannot resize: the process has ended") from error
        if "error" in answer:
            known = answer["error"] == "cannot resize"
            what = " a process without a terminal" if known else f": {answer['error']}"
            raise EngineError(f"cannot resize{what}")

    def signal(self, number: int) -> None:
        """Send a signal to the process. Raises ProcessLookupError if it is gone."""
        with self._held() as pidfd:
            signal.pidfd_send_signal(pidfd, number)

    def is_ending(self) -> bool:
        """Whether the process has ended or is about to."""
        return is_ending(self.pid, self.start_time)

    def kill_group(self) -> None:
        """SIGKILL the process and all of its process group. Raises ProcessLookupError if it is gone."""
        with self._held():
            os.killpg(self.pid, signal.SIGKILL)  # it leads a group of its own from its birth

    @contextmanager
    def _held(self) -> Iterator[int]:
        """A pidfd that is surely this process's. Raises ProcessLookupError."""
        pidfd = open_pid(self.pid)
        try:
            if start_time_of(self.pid) != self.start_time:
                raise ProcessLookupError
            yield pidfd
        except FileNotFoundError as error:
            raise ProcessLookupError from error
        finally:
            os.close(pidfd)

    async def _connect(self) -> trio.SocketStream:
        return await connect(self.run_dir)


class Prepared:
    """A process that waits inside its namespaces for `start`."""

    def __init__(
        self, monitor: Monitor, channel: trio.socket.SocketType, fds: list[int], warnings: list[str]
    ) -> None:
        self.monitor = monitor
        self.netns_fd = fds[0] if fds else None
        self.dns_sockets = (fds[1], fds[2]) if len(fds) == 3 else None
        self.warnings = tuple(warnings)
        self._channel = channel

    async def start(self) -> int:
        """Let it execute its program; returns when it has: nanoseconds since the epoch. Raises StartError."""
        try:
            await self._channel.send(messages.START)
            answer = await self._channel.recv(messages.LIMIT)
        except OSError as error:
            self._channel.close()
            raise StartError(125, f"the monitor is gone: {error}") from error
        except BaseException:
            self._channel.close()
            raise
        try:
            facts = _check(answer)
        except StartError:
            self._channel.close()
            raise
        self.monitor.listen(self._channel.detach())
        return int(facts["started"])

    async def abort(self) -> None:
        """End it before its program started; nothing of it is left. Idempotent."""
        if self._channel.fileno() < 0:
            return
        with trio.CancelScope(shield=True), trio.move_on_after(5):
            try:
                await self._channel.send(messages.ABORT)
                await self._channel.recv(messages.LIMIT)
            except OSError:
                pass  # gone already, which is what we want
        self._channel.close()


class ForkServer:
    """Starts processes; one conversation per start, any number at once."""

    def __init__(self, requests: trio.socket.SocketType) -> None:
        self._requests = requests

    async def prepare(self, spec: ContainerSpec, encoded: bytes = b"") -> Prepared:
        """Make a container up to the point where its program would start. Raises StartError.

        `encoded` is the spec as bytes, from whoever has them already.
        """
        return await self._begin(spec, encoded or encode(spec))

    async def start_exec(self, spec: ExecSpec) -> Prepared:
        """Enter a container up to the point where the program would start. Raises StartError."""
        return await self._begin(spec, encode(spec))

    async def adopt(self, run_dir: Path) -> Monitor | None:
        """The handle of a monitor that an earlier engine started; None if there is none any more."""
        try:
            async with await connect(run_dir) as stream:
                await stream.send_all(messages.encode(ask="status") + b"\n")
                facts = messages.decode(await _line(stream) or b"{}")
        except (OSError, trio.BrokenResourceError):
            return None
        return Monitor(run_dir, facts["pid"], facts["start_time"]) if "pid" in facts else None

    async def _begin(self, spec: ContainerSpec | ExecSpec, encoded: bytes) -> Prepared:
        ours, theirs = trio.socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        memory = os.memfd_create("spec", os.MFD_CLOEXEC)
        try:
            os.write(memory, encoded)
            os.lseek(memory, 0, os.SEEK_SET)
            fds = array.array("i", [memory, theirs.fileno()])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]
            await self._requests.sendmsg([messages.request(order_of(spec))], rights)
        except OSError as error:
            ours.close()
            raise HostLimitError(
                f"the fork server is gone: {error}", hint="restart the engine"
            ) from error
        finally:
            os.close(memory)
            theirs.close()
        try:
            answer, received = await _receive_with_fds(ours)
            facts = _check(answer)
        except BaseException:
            ours.close()
            raise
        monitor = Monitor(_path(spec.run_dir), facts["pid"], facts["start_time"])
        return Prepared(monitor, ours, received, facts["warnings"])


@contextmanager
def open_fork_server(channel: socket.socket) -> Iterator[ForkServer]:
    """Talk to a fork server over its channel; it ends at the end, the monitors it forked do not."""
    with trio.socket.from_stdlib_socket(channel) as requests:
        yield ForkServer(requests)


async def connect(run_dir: Path) -> trio.SocketStream:
    """A connection to the monitor in a run folder. Raises OSError if there is none."""
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    client = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        await client.connect(f"/proc/self/fd/{directory}/{messages.SOCKET_NAME}")
    except BaseException:
        client.close()
        raise
    finally:
        os.close(directory)
    return trio.SocketStream(client)


async def _receive_with_fds(channel: trio.socket.SocketType) -> tuple[bytes, list[int]]:
    fds = array.array("i")
    answer, ancillary, _, _ = await channel.recvmsg(
        messages.LIMIT, socket.CMSG_LEN(3 * fds.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return answer, list(fds)


async def _line(stream: trio.SocketStream) -> bytes:
    """One line, b"" at the end of the stream. The monitor sends nothing behind it unasked."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = await stream.receive_some(1)
        if not chunk:
            return b""
        line += chunk
    return line


def _check(answer: bytes) -> dict[str, Any]:
    if not answer:
        raise StartError(125, "the monitor died before the program started")
    facts = messages.decode(answer)
    if "failed" in facts:
        raise StartError(int(facts["exit_code"]), str(facts["failed"]))
    return facts


def _exit_record(document: dict[str, Any]) -> ExitRecord:
    return ExitRecord(document["exit_code"], document["finished_ns"], document["oom_killed"])


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)
