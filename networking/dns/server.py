"""The DNS server: one small process for all containers of an engine; it outlives the engine.

It holds each container's two sockets (bound at 127.0.0.11:53 inside) and answers from the zone, or
asks the host's resolvers from the host's namespace, so that those on its loopback work; a container's
own servers are asked from the container's. Run as `python -m networking.dns.server RUN_DIR`.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from networking.dns import message
from networking.dns.answer import answer_locally
from networking.dns.cache import Cache
from networking.dns.conversation import Conversations
from networking.dns.forward import Asker, Forwarder
from networking.dns.resolvers import RESOLV_CONF, HostResolvers
from networking.dns.zone import Member, View, Zone
from networking.linux.netlink import entered
from networking.resident.server import Control, Loop, now, say_ready, settle_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from networking.dns.message import Question

SOCKET_NAME = "dns.sock"
#: Local answers kept ready for one container; rotations of one answer.
READY, ROTATIONS = 512, 16
#: Datagrams taken from one container before it is the next one's turn.
BURST = 32
#: Seconds to stay awake for who asks again at once: about what it takes them to read an answer.
LINGER = 60e-6


@dataclass(slots=True, eq=False)
class Client:
    """A container: its sockets, what it sees, its namespace if it has servers of its own.

    `ready` are local answers by query (without its id), as they rotate; each zone change empties it.
    """

    name: str
    view: View
    udp: socket.socket
    tcp: socket.socket
    netns: int | None = None
    ready: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    turn: int = 0
    burst: int = 1


class Server:
    """Everything the process holds."""

    def __init__(self, run_dir: str, resolv_conf: str = RESOLV_CONF) -> None:
        self.loop = Loop(LINGER)
        self.zone = Zone()
        self.staged: Zone | None = None
        self.clients: dict[str, Client] = {}
        cache = Cache()
        self.forwarder = Forwarder(self.loop, cache, now)
        self.resolvers = HostResolvers(now, cache.clear, resolv_conf)
        self.conversations: Conversations[Client] = Conversations(self.loop, now, self.resolve)
        self.control = Control(self.loop, run_dir, SOCKET_NAME, self.perform)

    def run(self) -> None:
        """Serve until told to stop."""
        self.loop.run(self._timeout, self._tick)

    def _timeout(self) -> float | None:
        waits = (self.forwarder.timeout(), self.conversations.timeout())
        return min((wait for wait in waits if wait is not None), default=None)

    def _tick(self) -> None:
        if self.forwarder:
            self.forwarder.tick()
        self.conversations.tick()

    def perform(self, request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        """One request of the engine; that for a `list` is answered with who is served."""
        op = request["op"]
        if op == "add":
            self._add(request["container"], View.from_json(request["view"]), fds)
            if request.get("members"):
                self._change_zone("join", request)
        elif op == "see" and request["container"] in self.clients:
            client = self.clients[request["container"]]
            client.view = View.from_json(request["view"])
            client.ready.clear()
        elif op == "remove":
            self._remove(request["container"])
        elif op == "stop":
            self.loop.running = False
        elif op in ("join", "leave", "begin", "stage", "commit"):
            self._change_zone(op, request)
        return {"clients": sorted(self.clients)} if op == "list" else {}

    def _change_zone(self, op: str, request: dict[str, Any]) -> None:
        if op == "begin":
            self.staged = Zone()
            return
        if op == "stage" and self.staged is not None:
            for document in request["members"]:
                self.staged.join(Member.from_json(document))
            return
        if op == "commit" and self.staged is not None:
            self.zone, self.staged = self.staged, None
        for document in request.get("members", ()):
            self.zone.join(Member.from_json(document))
        for member_id in request.get("ids", ()):
            self.zone.leave(member_id)
        for client in self.clients.values():
            client.ready.clear()

    def _add(self, name: str, view: View, fds: list[int]) -> None:
        self._remove(name)
        udp, tcp = (socket.socket(fileno=fd) for fd in fds[:2])
        udp.setblocking(False)
        tcp.setblocking(False)
        client = Client(name, view, udp, tcp, fds[2] if len(fds) > 2 else None)
        self.clients[name] = client
        self.loop.watch(udp, lambda: self._take_udp(client))
        self.loop.watch(tcp, lambda: self.conversations.accept(client.tcp, client))

    def _remove(self, name: str) -> None:
        client = self.clients.pop(name, None)
        if client is None:
            return
        for one in (client.udp, client.tcp):
            self.loop.forget(one)
            one.close()
        if client.netns is not None:
            os.close(client.netns)
        self.conversations.close_all_of(client)
        self.forwarder.forget(name)

    def _take_udp(self, client: Client) -> None:
        """Questions by UDP. As many at once as came the last time, for a look in vain costs time."""
        receive, send, ready = client.udp.recvfrom, client.udp.sendto, client.ready
        for number in range(client.burst):
            try:
                query, address = receive(4096)
            except OSError:
                client.burst = max(number, 1)
                return
            answers = ready.get(query[2:])
            try:
                if answers is not None:
                    client.turn += 1
                    send(query[:2] + answers[client.turn % len(answers)], address)
                else:
                    self.resolve(query, client, self._reply(client, address), tcp=False)
            except OSError:
                pass  # the asker, or its whole namespace, has gone
        client.burst = min(client.burst * 2, BURST)

    @staticmethod
    def _reply(client: Client, address: Any) -> Callable[[bytes], None]:
        def reply(data: bytes) -> None:
            try:
                client.udp.sendto(data, address)
            except OSError:
                pass  # the asker, or its whole namespace, has gone

        return reply

    def resolve(
        self, query: bytes, client: Client, reply: Callable[[bytes], None], *, tcp: bool
    ) -> None:
        """From the zone, or passed on."""
        if len(query) < 12 or query[2] & 0x80:
            return  # no query: to answer would start an endless talk with another server
        if message.opcode(query):
            reply(message.refuse(query, message.NOTIMP))
            return
        try:
            question = message.parse_query(query)
        except message.MalformedError:
            reply(message.refuse(query, message.FORMERR))
            return
        answers = answer_locally(query, question, self.zone, client.view, udp=not tcp)
        if answers is None:
            self._forward(query, question, client, reply, tcp=tcp)
            return
        client.turn += 1
        if not tcp and len(answers) <= ROTATIONS:
            if len(client.ready) >= READY:
                client.ready.clear()
            client.ready[query[2:]] = tuple(answers.at(n)[2:] for n in range(len(answers)))
        reply(answers.at(client.turn))

    def _forward(
        self, query: bytes, question: Question, client: Client,
        reply: Callable[[bytes], None], *, tcp: bool,
    ) -> None:  # fmt: skip
        if not client.view.forward:
            reply(message.refuse(query, message.SERVFAIL))
            return
        own = client.view.upstreams
        if own and client.netns is not None:
            netns = client.netns

            def inside(family: int, kind: int) -> socket.socket:
                with entered(netns):
                    return open_socket(family, kind)

            asker = Asker(client.name, client.name, own, inside)
        else:
            asker = Asker(client.name, None, self.resolvers.servers(), open_socket)
        self.forwarder.ask(asker, query, question, reply, tcp=tcp)


def open_socket(family: int, kind: int) -> socket.socket:
    """A socket of the namespace this thread is in, that does not block."""
    return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


def main() -> None:
    """The process."""
    settle_in()
    server = Server(*sys.argv[1:])
    say_ready()
    server.run()


if __name__ == "__main__":
    main()
