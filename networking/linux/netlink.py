"""rtnetlink by hand: messages encoded once and sent as one batch; dumps read back.

pyroute2 builds the same messages in ten times the CPU time (docs/decisions); tests check ours with
it. Sources: rtnetlink(7), netlink(7), linux/if_link.h. Integers are the host's byte order.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_GETROUTE = 26
#: Seconds in which the kernel must have answered; it does so before `send` returns.
PATIENCE = 30.0
CLONE_NEWNET = 0x40000000


class NetlinkError(OSError):
    """The kernel refused a message; `strerror` says what was asked."""


class Message(NamedTuple):
    """One request: RTM_ number, NLM_F_ flags, header and attributes, what it is for a person."""

    kind: int
    flags: int
    body: bytes
    what: str


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def text(kind: int, value: str) -> bytes:
    """An attribute that holds a name."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """An attribute that holds a 32-bit number."""
    return attribute(kind, struct.pack("=I", value))


def byte(kind: int, value: int) -> bytes:
    """An attribute that holds an 8-bit number."""
    return attribute(kind, struct.pack("=B", value))


def attributes(data: bytes) -> dict[int, bytes]:
    """Attributes by kind, flags taken off; the last of a kind counts."""
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[4:size]
        data = data[(size + 3) & ~3 :]
    return found


class Route:
    """A NETLINK_ROUTE socket of the network namespace it was made in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.settimeout(PATIENCE)
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, *messages: Message) -> None:
        """Send messages as one batch and wait for its answers. Raises NetlinkError at the first refusal.

        The kernel takes each for itself: those beside a refused one are in effect.
        """
        if not messages:
            return
        batch = b""
        first = self._sequence + 1
        for message in messages:
            self._sequence += 1
            batch += _envelope(message, NLM_F_ACK, self._sequence)
        self._socket.send(batch)
        failed: NetlinkError | None = None
        answered = 0
        while answered < len(messages):
            for kind, sequence, body in _messages(self._socket.recv(1 << 16)):
                if kind != NLMSG_ERROR or sequence < first:
                    continue
                answered += 1
                code = struct.unpack_from("=i", body)[0]
                if code and failed is None:
                    what = messages[sequence - first].what
                    failed = NetlinkError(-code, f"{what}: {os.strerror(-code)}")
        if failed:
            raise failed

    def dump(self, kind: int, header: bytes) -> Iterator[bytes]:
        """The body (header and attributes) of every object of a kind."""
        self._sequence += 1
        message = Message(kind, NLM_F_DUMP, header, "dump")
        self._socket.send(_envelope(message, 0, self._sequence))
        while True:
            for answer, sequence, body in _messages(self._socket.recv(1 << 20)):
                if sequence != self._sequence:
                    continue
                if answer in (NLMSG_DONE, NLMSG_ERROR):
                    return
                yield body


def _envelope(message: Message, flags: int, sequence: int) -> bytes:
    head = struct.pack(
        "=IHHII", 16 + len(message.body), message.kind,
        message.flags | flags | NLM_F_REQUEST, sequence, 0,
    )  # fmt: skip
    return head + message.body + bytes(-len(message.body) % 4)


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    while len(data) >= 16:
        size, kind, _, sequence, _ = struct.unpack_from("=IHHII", data)
        yield kind, sequence, data[16:size]
        data = data[(size + 3) & ~3 :]


@contextmanager
def inside(netns_fd: int) -> Iterator[Route]:
    """A Route socket of another network namespace. Single-threaded processes only."""
    with entered(netns_fd):
        route = Route()
        try:
            yield route
        finally:
            route.close()


@contextmanager
def entered(netns_fd: int) -> Iterator[None]:
    """This thread in another network namespace: sockets made here stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(netns_fd)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


@cache
def _libc() -> Any:
    """Opened by who needs it first, and kept: it is asked for at every endpoint."""
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _setns(fd: int) -> None:
    if _libc().setns(fd, CLONE_NEWNET) != 0:
        import ctypes

        code = ctypes.get_errno()
        raise OSError(code, f"cannot enter the network namespace: {os.strerror(code)}")
