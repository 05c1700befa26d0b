"""Log lines to a systemd journal or a syslog server, a message each.

Rules: a slow receiver is waited for (PATIENCE seconds, then the message is dropped), or, with a buffer,
never: what it cannot take at once waits in the buffer, the oldest is dropped. One that has gone is
connected to anew. Whatever happens here, the log file has the line. Sources: systemd's native journal
protocol, RFC 3164, RFC 5424.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.runtime.spec import LogTarget

JOURNAL = "/run/systemd/journal/socket"
#: Seconds that a container's output may wait for a receiver.
PATIENCE = 2.0
INFO, ERROR = 6, 3


class Outlet(ABC):
    """A socket that messages go to; connected at the first unless `strict`: then OSError tells."""

    def __init__(self, target: LogTarget, *, strict: bool) -> None:
        self._target = target
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._retry = 0.0
        self._socket: socket.socket | None = self._connect() if strict else None

    def send(self, stream: str, part: bytes) -> None:
        """One line, or a part of one, that has no newline."""
        message = self.encode(ERROR if stream == "stderr" else INFO, part)
        self._queue.append(message)
        self._queued += len(message)
        self._flush()
        while self._queue and self._queued > self._target.buffer:
            self._queued -= len(self._queue.popleft())

    def close(self) -> None:
        """Send what can be sent, and close."""
        self._flush()
        if self._socket is not None:
            self._socket.close()

    @abstractmethod
    def encode(self, priority: int, part: bytes) -> bytes:
        """The message for a line."""

    @abstractmethod
    def _connect(self) -> socket.socket:
        """A connection to where it goes. Raises OSError."""

    def _flush(self) -> None:
        while self._queue:
            try:
                if self._socket is None:
                    if time.monotonic() < self._retry:
                        return
                    self._socket = self._connect()
                left = self._transmit(self._socket, self._queue[0])
            except BlockingIOError:
                return
            except OSError:  # it has gone, or takes nothing in all its time
                if self._socket is not None:
                    self._socket.close()
                self._socket, self._retry = None, time.monotonic() + 1
                return
            self._queued -= len(self._queue[0]) - len(left)
            if left:
                self._queue[0] = left
            else:
                self._queue.popleft()

    def _transmit(self, connection: socket.socket, message: bytes) -> bytes:
        """Send; what is left of it."""
        return message[connection.send(message) :]

    def _settle(self, connection: socket.socket) -> socket.socket:
        connection.settimeout(0 if self._target.buffer else PATIENCE)
        return connection


class JournalOutlet(Outlet):
    """The host's systemd journal."""

    def encode(self, priority: int, part: bytes) -> bytes:
        """Fields a line each; MESSAGE with its length, since it may contain anything."""
        text = part.removesuffix(b"\n")
        fields = [("PRIORITY", str(priority)), *self._target.fields]
        if not part.endswith(b"\n"):
            fields.append(("CONTAINER_PARTIAL_MESSAGE", "true"))
        return b"".join(_field(name, value.encode()) for name, value in fields) + _field(
            "MESSAGE", text, binary=True
        )

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            connection.connect(self._target.address or JOURNAL)
        except OSError:
            connection.close()
            raise
        return self._settle(connection)

    def _transmit(self, connection: socket.socket, message: bytes) -> bytes:
        try:
            connection.send(message)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:  # such a one goes as a sealed file
                raise
            file = os.memfd_create("entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            try:
                os.write(file, message)
                seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
                fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals | fcntl.F_SEAL_WRITE)
                rights = array.array("i", [file])
                connection.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            finally:
                os.close(file)
        return b""


class SyslogOutlet(Outlet):
    """A syslog server: local, or over UDP or TCP."""

    def encode(self, priority: int, part: bytes) -> bytes:
        """The message in the form asked for."""
        target = self._target
        value = target.facility << 3 | priority
        now = time.time()
        text = part.removesuffix(b"\n")
        if target.form.startswith("rfc5424"):
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
            if target.form == "rfc5424micro":
                moment += f".{int(now % 1 * 1_000_000):06d}"
            head = f"<{value}>1 {moment}Z {os.uname().nodename} {target.tag} {os.getpid()} {target.tag} - "
        else:
            moment = time.strftime("%b %e %H:%M:%S", time.localtime(now))
            host = f"{os.uname().nodename} " if target.form == "rfc3164" else ""
            head = f"<{value}>{moment} {host}{target.tag}[{os.getpid()}]: "
        end = b"\n" if self._is_stream() else b""
        return head.encode() + text + end

    def _is_stream(self) -> bool:
        return self._target.address.partition("://")[0] in ("tcp", "unix")

    def _connect(self) -> socket.socket:
        scheme, _, place = self._target.address.partition("://")
        kind = socket.SOCK_STREAM if self._is_stream() else socket.SOCK_DGRAM
        family, address = socket.AF_UNIX, place
        if scheme in ("tcp", "udp"):
            host, _, port = place.rpartition(":")
            found = socket.getaddrinfo(host.strip("[]").encode(), int(port), type=kind)[0]
            family, address = found[0], found[4]  # type: ignore[assignment]  # as the family has it
        connection = socket.socket(family, kind)
        try:
            connection.settimeout(PATIENCE)
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return self._settle(connection)


def open_outlet(target: LogTarget, *, strict: bool) -> Outlet | None:
    """The outlet of a journald or syslog target. Raises OSError where nobody listens, if `strict`."""
    kinds: dict[str, type[Outlet]] = {"journald": JournalOutlet, "syslog": SyslogOutlet}
    kind = kinds.get(target.driver)
    try:
        return kind(target, strict=strict) if kind else None
    except OSError as error:
        where = target.address or JOURNAL
        words = f"failed to initialize logging driver: {target.driver} at {where}: {error.strerror}"
        raise OSError(error.errno, words) from error


def is_networked(target: LogTarget) -> bool:
    """Whether it is reached through a network, and so by the host's processes alone. Pure."""
    return target.address.startswith(("tcp://", "udp://"))


def check_receiver(target: LogTarget) -> None:
    """Raises OSError where nobody takes what goes there. Blocks, for PATIENCE seconds at most."""
    outlet = open_outlet(target, strict=True)
    if outlet is not None:
        outlet.close()


def _field(name: str, value: bytes, *, binary: bool = False) -> bytes:
    if binary or b"\n" in value:
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name.encode() + b"=" + value + b"\n"
