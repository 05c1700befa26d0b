"""A connection to a monitor: its requests, and a backlog of what it has not taken yet (see `valve`)."""

from __future__ import annotations

import select
import struct
import time
from typing import TYPE_CHECKING, Any

from engine.processes import messages

if TYPE_CHECKING:
    import socket


class Visitor:
    """One client of a monitor; every call is non-blocking."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.backlog = bytearray()
        self.rest = b""
        self.attached = False
        self.waiting = False
        self.finished = False  # it sends no more
        self.stdin = False
        self.progress = time.monotonic()  # when it last had nothing to take, or took something
        self._streams: set[int] = set()

    def attach(self, request: dict[str, Any]) -> None:
        """From now on frames go out and raw stdin comes in."""
        self.attached = True
        self.stdin = bool(request.get("stdin"))
        self._streams = {n for n, name in ((1, "stdout"), (2, "stderr")) if request.get(name)}
        self.send(messages.encode(ok=True, marks=True) + b"\n")

    def wants(self, stream: int) -> bool:
        """Whether output of this stream goes to this visitor."""
        return stream in self._streams

    def requests(self, data: bytes) -> list[dict[str, Any]]:
        """The whole request lines so far; after an attach the rest is stdin (in `rest`).

        Raises ValueError for what is no request, or has no end.
        """
        self.rest += data
        found: list[dict[str, Any]] = []
        while b"\n" in self.rest and len(found) < 64:
            line, _, self.rest = self.rest.partition(b"\n")
            found.append(messages.decode(line))
            if found[-1].get("ask") == "attach":
                return found
        if len(self.rest) > messages.LIMIT:
            raise ValueError("a request without an end")
        return found

    def receive(self) -> bytes:
        """What has come; b"" at the end. Raises BlockingIOError, OSError if it is broken."""
        return self.connection.recv(1 << 16)

    def half_close(self, events: int) -> bool:
        """After b"" was received: True if the visitor still listens."""
        self.finished = True
        return not events & (select.EPOLLHUP | select.EPOLLERR)

    def send_output(self, stream: int, data: bytes) -> bool:
        """Queue a frame; False if the connection is broken."""
        self.backlog += struct.pack(">BxxxI", stream, len(data))
        return self.send(data)

    def send(self, data: bytes) -> bool:
        """Queue bytes and send what can be sent; False if the connection is broken."""
        self.backlog += data
        return self.flush()

    def flush(self) -> bool:
        """Send what can be sent now; False if the connection is broken."""
        while self.backlog:
            try:
                sent = self.connection.send(self.backlog)
            except BlockingIOError:
                return True
            except OSError:
                return False
            del self.backlog[:sent]
            self.progress = time.monotonic()
        self.progress = time.monotonic()
        return True
