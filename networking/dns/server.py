"""The DNS server: one small process for all containers of an engine; it outlives the engine.

It holds each container's two sockets (bound at 127.0.0.11:53 inside) and answers from the zone, or
asks the host's resolvers. The engine speaks to it over a SEQPACKET socket in the run folder; without
an engine it goes on with what it knows. Run as `python -m networking.dns.server RUN_DIR`.
"""

from __future__ import annotations

import array
import json
import os
import random
import selectors
import signal
import socket
import struct
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from networking.dns import answer
from networking.dns.zone import Zone

if TYPE_CHECKING:
    from collections.abc import Callable

SOCKET_NAME = "dns.sock"
#: Forwarded questions that may be open at once; the oldest gives way.
PENDING_LIMIT = 4096
#: Seconds before the next upstream server is asked, and how often one is.
PATIENCE, TRIES = 2.0, 2
#: TCP connections of containers that may be open at once.
TCP_LIMIT = 256


@dataclass
class Client:
    """A container: its networks, its sockets, its own upstream servers if it has some."""

    networks: tuple[str, ...]
    udp: socket.socket
    tcp: socket.socket
    upstreams: tuple[str, ...] = ()


@dataclass
class Pending:
    """A question that was passed on."""

    reply: Callable[[bytes], None]
    query: bytes
    upstreams: tuple[str, ...]
    sent: float = 0.0
    tries: int = 0
    ids: bytes = b""


@dataclass
class Conversation:
    """A TCP connection: what has come, what must go."""

    connection: socket.socket
    client: Client
    inbox: bytearray = field(default_factory=bytearray)


class Server:
    """Everything the process holds."""

    def __init__(self, run_dir: str) -> None:
        self.selector = selectors.DefaultSelector()
        self.zone = Zone()
        self.clients: dict[str, Client] = {}
        self.pending: OrderedDict[int, Pending] = OrderedDict()
        self.upstreams: tuple[str, ...] = ()
        self.turn = 0
        self.conversations: set[int] = set()
        self.running = True
        self.outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.control = self._listen(run_dir)
        self._watch(self.outside, self.take_upstream)
        self._watch(self.control, self.accept)

    def run(self) -> None:
        """Serve until told to stop."""
        while self.running:
            for key, _ in self.selector.select(0.5 if self.pending else None):
                key.data()
            if self.pending:
                self.retry()

    def accept(self) -> None:
        """An engine connects."""
        connection, _ = self.control.accept()
        self._watch(connection, lambda: self.obey(connection))

    def obey(self, connection: socket.socket) -> None:
        """One request of the engine."""
        fds = array.array("i")
        try:
            message, ancillary, _, _ = connection.recvmsg(
                1 << 20, socket.CMSG_LEN(2 * fds.itemsize)
            )
        except OSError:
            message, ancillary = b"", []
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not message:
            self.selector.unregister(connection)
            connection.close()
            return
        request = json.loads(message)
        result = self.perform(request, list(fds))
        try:
            connection.send(json.dumps(result).encode())
        except OSError:
            pass  # the engine has gone; what it asked for is done

    def perform(self, request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        """add, remove, zone, list, stop."""
        op = request["op"]
        if op == "add":
            self.remove(request["container"])
            udp, tcp = (socket.socket(fileno=fd) for fd in fds)
            client = Client(tuple(request["networks"]), udp, tcp, tuple(request["upstreams"]))
            self.clients[request["container"]] = client
            self._watch(udp, lambda: self.take_udp(client))
            self._watch(tcp, lambda: self.take_tcp(client))
        elif op == "networks" and request["container"] in self.clients:
            self.clients[request["container"]].networks = tuple(request["networks"])
        elif op == "remove":
            self.remove(request["container"])
        elif op == "zone":
            self.zone = Zone.from_json(request["zone"])
            self.upstreams = tuple(request["upstreams"])
        elif op == "stop":
            self.running = False
        return {"clients": sorted(self.clients)}

    def remove(self, container: str) -> None:
        """A container is gone."""
        client = self.clients.pop(container, None)
        for one in (client.udp, client.tcp) if client else ():
            self.selector.unregister(one)
            one.close()

    def take_udp(self, client: Client) -> None:
        """Questions by UDP: all that wait, up to a bound."""
        for _ in range(64):
            try:
                query, address = client.udp.recvfrom(4096)
            except OSError:
                return

            def reply(data: bytes, to: Any = address) -> None:
                try:
                    client.udp.sendto(data, to)
                except OSError:
                    pass  # the asker, or its whole namespace, has gone

            self.resolve(query, client, reply)

    def take_tcp(self, client: Client) -> None:
        """A connection by TCP."""
        try:
            connection, _ = client.tcp.accept()
        except OSError:
            return
        if len(self.conversations) >= TCP_LIMIT:
            connection.close()
            return
        connection.setblocking(False)  # the method takes it so
        talk = Conversation(connection, client)
        self.conversations.add(connection.fileno())
        self._watch(connection, lambda: self.listen(talk))

    def listen(self, talk: Conversation) -> None:
        """More bytes of a TCP conversation."""
        try:
            data = talk.connection.recv(4096)
        except OSError:
            data = b""
        talk.inbox += data
        if not data or len(talk.inbox) > 1 << 16:
            self.conversations.discard(talk.connection.fileno())
            self.selector.unregister(talk.connection)
            talk.connection.close()
            return
        while len(talk.inbox) >= 2:
            (length,) = struct.unpack_from(">H", talk.inbox)
            if len(talk.inbox) < 2 + length:
                return
            query = bytes(talk.inbox[2 : 2 + length])
            del talk.inbox[: 2 + length]

            def reply(data: bytes) -> None:
                try:
                    talk.connection.send(struct.pack(">H", len(data)) + data)
                except OSError:
                    pass  # the asker has hung up

            self.resolve(query, talk.client, reply)

    def resolve(self, query: bytes, client: Client, reply: Callable[[bytes], None]) -> None:
        """From the zone, or passed on."""
        self.turn += 1
        try:
            found = answer.answer_locally(query, self.zone, client.networks, self.turn)
        except answer.MalformedQueryError:
            reply(answer.refuse(query, answer.FORMERR))
            return
        if found is not None:
            reply(found)
            return
        upstreams = client.upstreams or self.upstreams
        if not upstreams:
            reply(answer.refuse(query, answer.SERVFAIL))
            return
        number = random.SystemRandom().getrandbits(16)
        while number in self.pending:
            number = random.SystemRandom().getrandbits(16)
        while len(self.pending) >= PENDING_LIMIT:
            self.pending.popitem(last=False)
        self.pending[number] = Pending(reply, query, upstreams, ids=query[:2])
        self.ask(number, self.pending[number])

    def ask(self, number: int, pending: Pending) -> None:
        """Ask the next upstream server."""
        server = pending.upstreams[pending.tries % len(pending.upstreams)]
        pending.sent = time.monotonic()
        pending.tries += 1
        try:
            self.outside.sendto(struct.pack(">H", number) + pending.query[2:], (server, 53))
        except OSError:
            pass  # unreachable for now; the retry asks another one

    def take_upstream(self) -> None:
        """Answers from outside; only of a server that was asked, to a question that is open."""
        for _ in range(64):
            try:
                data, (address, port) = self.outside.recvfrom(8192)
            except OSError:
                return
            if len(data) < 12:
                continue
            pending = self.pending.get(struct.unpack_from(">H", data)[0])
            if pending is None or address not in pending.upstreams or port != 53:
                continue
            if not same_question(pending.query, data):
                continue
            del self.pending[struct.unpack_from(">H", data)[0]]
            pending.reply(pending.ids + data[2:])

    def retry(self) -> None:
        """Ask again what has waited long enough; give up in the end."""
        now = time.monotonic()
        for number, pending in list(self.pending.items()):
            if now - pending.sent < PATIENCE:
                continue
            if pending.tries >= TRIES * len(pending.upstreams):
                del self.pending[number]
                pending.reply(answer.refuse(pending.query, answer.SERVFAIL))
            else:
                self.ask(number, pending)

    def _listen(self, run_dir: str) -> socket.socket:
        directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            try:
                os.unlink(SOCKET_NAME, dir_fd=directory)
            except FileNotFoundError:
                pass  # the usual case
            control.bind(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
            control.listen(8)
        finally:
            os.close(directory)
        return control

    def _watch(self, source: socket.socket, call: Callable[[], None]) -> None:
        self.selector.register(source, selectors.EVENT_READ, call)


def same_question(query: bytes, data: bytes) -> bool:
    """Whether an answer repeats the question, letter case aside."""
    try:
        name, kind, _ = answer.parse_question(query)
        echoed, echoed_kind, _ = answer.parse_question(data[:2] + b"\0" + data[3:])
    except answer.MalformedQueryError:
        return False
    return (name.lower(), kind) == (echoed.lower(), echoed_kind)


def main() -> None:
    """The process."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    server = Server(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    server.run()


if __name__ == "__main__":
    main()
