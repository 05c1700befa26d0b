"""Questions passed on: to the servers in turn, each by a socket of its own, the first answer counts.

The theory: a question is one Errand, however many ask it at the same time. It goes to the first
server; after PATIENCE without a word also to the next, and so on, round and round, until DEADLINE. A
server that refuses is passed over at once; its answer is given if no other has a better one. The
kernel picks a random port for each socket, and the socket hears only the server it is connected to;
the id is random, and the answer must repeat the question: that is what a spoofer has to guess.
"""

from __future__ import annotations

import errno
import secrets
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from networking.dns import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from networking.dns.cache import Cache
    from networking.dns.message import Question
    from networking.resident.server import Loop

#: Seconds until the next server is asked too; until a question is given up; of a TCP connection.
PATIENCE, DEADLINE, TCP_DEADLINE = 0.6, 5.0, 8.0
#: Errands open at once, in all and for one container; rounds through the servers.
ERRANDS, ERRANDS_OF_ONE, ROUNDS = 1024, 256, 3
#: Who may wait for one errand.
WAITERS = 64
PORT = 53
_BAD = (message.SERVFAIL, message.REFUSED, message.NOTIMP, message.FORMERR)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a container; `scope` tells whose answers it may share, `make_socket` where from."""

    name: str
    scope: object
    servers: tuple[str, ...]
    make_socket: Callable[[int, int], socket.socket]


@dataclass(slots=True, eq=False)
class Errand:
    """A question on its way; `waiters` are (query as it was asked, reply)."""

    asker: Asker
    query: bytes
    question: Question
    tcp: bool
    key: tuple[object, bytes, bool]
    started: float
    next_try: float
    waiters: list[tuple[bytes, Callable[[bytes], None]]] = field(default_factory=list)
    tries: int = 0
    sockets: list[socket.socket] = field(default_factory=list)
    last_resort: bytes = b""


class Forwarder:
    """All errands of the server."""

    def __init__(self, loop: Loop, cache: Cache, clock: Callable[[], float]) -> None:
        self._loop = loop
        self._cache = cache
        self._clock = clock
        self._errands: dict[tuple[object, bytes, bool], Errand] = {}
        self._of_one: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._errands)

    def ask(
        self, asker: Asker, query: bytes, question: Question, reply: Callable[[bytes], None],
        *, tcp: bool,
    ) -> None:  # fmt: skip
        """Find the answer and give it to `reply`, now or later; SERVFAIL if there is none."""
        now = self._clock()
        known = self._cache.get(asker.scope, query, question, now)
        if known is not None and (tcp or len(known) <= question.udp):
            reply(known)
            return
        key = (asker.scope, query[2:], tcp)
        errand = self._errands.get(key)
        if errand is not None and len(errand.waiters) < WAITERS:
            errand.waiters.append((query, reply))
            return
        busy = self._of_one.get(asker.name, 0)
        full = len(self._errands) >= ERRANDS or busy >= ERRANDS_OF_ONE
        if errand is not None or full or not asker.servers:
            reply(message.refuse(query, message.SERVFAIL))
            return
        ours = secrets.token_bytes(2) + query[2:]
        errand = Errand(asker, ours, question, tcp, key, now, now, [(query, reply)])
        self._errands[key] = errand
        self._of_one[asker.name] = busy + 1
        self._try_next(errand, now)

    def forget(self, name: str) -> None:
        """A container is gone: nobody waits for its answers."""
        for errand in [e for e in self._errands.values() if e.asker.name == name]:
            self._close(errand)

    def timeout(self) -> float | None:
        """Seconds until something is due; None if nothing is open."""
        if not self._errands:
            return None
        due = min(min(e.next_try, e.started + self._patience(e)) for e in self._errands.values())
        return due - self._clock()

    def tick(self) -> None:
        """Ask further servers, give up what has taken too long."""
        now = self._clock()
        for errand in list(self._errands.values()):
            if now >= errand.started + self._patience(errand):
                self._settle(errand, b"")
            elif now >= errand.next_try:
                self._try_next(errand, now)

    @staticmethod
    def _patience(errand: Errand) -> float:
        return TCP_DEADLINE if errand.tcp else DEADLINE

    def _try_next(self, errand: Errand, now: float) -> None:
        """Ask the next server; if no socket can be made for it, the one after that."""
        servers = errand.asker.servers
        while errand.tries < ROUNDS * len(servers):
            server = servers[errand.tries % len(servers)]
            errand.tries += 1
            errand.next_try = now + PATIENCE * (1 + errand.tries // len(servers))
            if self._send(errand, server):
                return
        errand.next_try = errand.started + self._patience(errand)
        if not errand.sockets:
            self._settle(errand, b"")

    def _send(self, errand: Errand, server: str) -> bool:
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        kind = socket.SOCK_STREAM if errand.tcp else socket.SOCK_DGRAM
        try:
            outside = errand.asker.make_socket(family, kind)
        except OSError:
            return False
        try:
            outside.connect((server, PORT))
            if not errand.tcp:
                outside.send(errand.query)
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                outside.close()
                return False
        errand.sockets.append(outside)
        if errand.tcp:
            stream = _Stream(self, errand, outside)
            self._loop.watch(outside, stream.read)
            self._loop.watch_writable(outside, stream.write)
        else:
            self._loop.watch(outside, lambda: self._hear(errand, outside))
        return True

    def _hear(self, errand: Errand, outside: socket.socket) -> None:
        try:
            data = outside.recv(0xFFFF)
        except BlockingIOError:
            return
        except OSError:  # nobody listens there
            self.fail(errand, outside)
            return
        self.take(errand, outside, data)

    def take(self, errand: Errand, outside: socket.socket, data: bytes) -> None:
        """An answer has come by one of an errand's sockets; a wrong one is as if it had not."""
        if not message.is_answer_to(errand.query, data):
            return
        if message.rcode(data) in _BAD and errand.tries < len(errand.asker.servers):
            errand.last_resort = data
            self.fail(errand, outside)
            return
        self._settle(errand, data)

    def fail(self, errand: Errand, outside: socket.socket) -> None:
        """A server will not answer: on to the next one."""
        self._loop.forget(outside)
        outside.close()
        if outside in errand.sockets:
            errand.sockets.remove(outside)
        if errand.tries < len(errand.asker.servers):
            self._try_next(errand, self._clock())
        elif not errand.sockets:
            self._settle(errand, b"")

    def _settle(self, errand: Errand, answer: bytes) -> None:
        answer = answer or errand.last_resort
        self._close(errand)
        if answer and message.rcode(answer) not in _BAD:
            now = self._clock()
            self._cache.put(errand.asker.scope, errand.query, errand.question, answer, now)
        for query, reply in errand.waiters:
            reply(query[:2] + answer[2:] if answer else message.refuse(query, message.SERVFAIL))

    def _close(self, errand: Errand) -> None:
        if self._errands.pop(errand.key, None) is None:
            return
        left = self._of_one.get(errand.asker.name, 1) - 1
        if left > 0:
            self._of_one[errand.asker.name] = left
        else:
            self._of_one.pop(errand.asker.name, None)
        for outside in errand.sockets:
            self._loop.forget(outside)
            outside.close()
        errand.sockets.clear()


class _Stream:
    """A question by TCP: two bytes of length before each message (RFC 1035 section 4.2.2)."""

    def __init__(self, forwarder: Forwarder, errand: Errand, outside: socket.socket) -> None:
        self._forwarder = forwarder
        self._errand = errand
        self._socket = outside
        self._outbox = struct.pack(">H", len(errand.query)) + errand.query
        self._inbox = bytearray()

    def write(self) -> None:
        """It is connected, or has room for more."""
        try:
            sent = self._socket.send(self._outbox)
        except BlockingIOError:
            return
        except OSError:
            self._forwarder.fail(self._errand, self._socket)
            return
        self._outbox = self._outbox[sent:]
        if not self._outbox:
            self._forwarder._loop.watch_writable(self._socket, None)  # noqa: SLF001  # its own part

    def read(self) -> None:
        """More of the answer, or the end."""
        try:
            data = self._socket.recv(0xFFFF)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._inbox += data
        if len(self._inbox) >= 2:
            (length,) = struct.unpack_from(">H", self._inbox)
            if len(self._inbox) >= 2 + length:
                answer = bytes(self._inbox[2 : 2 + length])
                self._forwarder.take(self._errand, self._socket, answer)
                return
        if not data:
            self._forwarder.fail(self._errand, self._socket)
