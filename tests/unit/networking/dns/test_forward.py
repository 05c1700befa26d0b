"""Questions passed on: servers in turn, spoofers in vain, and a bound on everything that waits."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import dns.message
import dns.rrset
import pytest

from networking.dns import forward
from networking.dns.cache import Cache
from networking.dns.forward import Asker, Forwarder
from networking.dns.message import parse_query
from networking.dns.server import open_socket
from networking.resident.server import Loop

if TYPE_CHECKING:
    from collections.abc import Iterator


class World:
    """A forwarder, name servers on loopback addresses, a clock that the test turns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.loop = Loop()
        self.cache = Cache()
        self.forwarder = Forwarder(self.loop, self.cache, lambda: self.now)
        self.opened: list[socket.socket] = []
        self.replies: list[bytes] = []
        first = self.server("127.0.0.2", 0)
        self.port = first.getsockname()[1]
        self.servers = [first]
        monkeypatch.setattr(forward, "PORT", self.port)

    def server(self, address: str, port: int, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.bind((address, port))
        made.settimeout(2)
        if kind == socket.SOCK_STREAM:
            made.listen(8)
        self.opened.append(made)
        return made

    def more(self) -> None:
        """A second and a third server."""
        self.servers += [self.server(f"127.0.0.{n}", self.port) for n in (3, 4)]

    def asker(self, name: str = "box", scope: object = None) -> Asker:
        addresses = tuple(s.getsockname()[0] for s in self.servers)
        return Asker(name, scope, addresses, open_socket)

    def ask(self, name: str = "web.example", *, tcp: bool = False, who: str = "box") -> bytes:
        raw = dns.message.make_query(name, "A").to_wire()
        self.forwarder.ask(self.asker(who), raw, parse_query(raw), self.replies.append, tcp=tcp)
        return raw

    def turn(self, seconds: float = 0.0) -> None:
        """Let the forwarder hear what is there, `seconds` later."""
        self.now += seconds
        self.loop.running = True

        def stop() -> None:
            self.forwarder.tick()
            self.loop.running = False

        self.loop.run(lambda: 0.05, stop)


def answer(raw: bytes, address: str = "192.0.2.1", rcode: int = 0) -> bytes:
    query = dns.message.from_wire(raw)
    made = dns.message.make_response(query)
    made.set_rcode(rcode)
    if rcode == 0:
        name = query.question[0].name
        made.answer.append(dns.rrset.from_text(name, 60, "IN", "A", address))
    return made.to_wire()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(monkeypatch)
    try:
        yield made
    finally:
        made.forwarder.forget("box")
        for one in made.opened:
            one.close()


def test_an_answer_comes_back_under_the_askers_id_and_is_remembered(world: World) -> None:
    raw = world.ask()
    data, peer = world.servers[0].recvfrom(2000)
    assert data[2:] == raw[2:]
    world.servers[0].sendto(answer(data), peer)
    world.turn()
    assert world.replies[0][:2] == raw[:2]
    assert "192.0.2.1" in str(dns.message.from_wire(world.replies[0]))
    again = world.ask()
    assert world.replies[1][:2] == again[:2]
    assert len(world.forwarder) == 0


def test_ids_and_ports_are_never_the_same_for_long(world: World) -> None:
    seen = set()
    for number in range(40):
        world.ask(f"n{number}.example")
        data, peer = world.servers[0].recvfrom(2000)
        seen.add((data[:2], peer[1]))
    assert len({ident for ident, _ in seen}) > 35
    assert len({port for _, port in seen}) > 35


@pytest.mark.parametrize("forgery", ["id", "question", "address", "no-answer", "noise"])
def test_forged_answers_are_as_if_they_had_not_come(world: World, forgery: str) -> None:
    world.ask()
    data, peer = world.servers[0].recvfrom(2000)
    server = world.servers[0]
    forged = answer(data, "6.6.6.6")
    if forgery == "id":
        forged = bytes([forged[0] ^ 1]) + forged[1:]
    elif forgery == "question":
        forged = forged.replace(b"\x03web", b"\x03wob")
    elif forgery == "address":
        server = world.server("127.0.0.9", world.port)
    elif forgery == "no-answer":
        forged = data
    else:
        forged = b"\xff" * 40
    server.sendto(forged, peer)
    world.turn()
    assert world.replies == []
    world.servers[0].sendto(answer(data), peer)
    world.turn()
    assert "192.0.2.1" in str(dns.message.from_wire(world.replies[0]))


def test_a_silent_server_is_followed_by_the_next_and_the_first_answer_counts(
    world: World,
) -> None:
    world.more()
    world.ask()
    first, peer_of_first = world.servers[0].recvfrom(2000)
    world.turn(forward.PATIENCE + 0.1)
    second, peer = world.servers[1].recvfrom(2000)
    world.servers[1].sendto(answer(second, "192.0.2.2"), peer)
    world.turn()
    assert "192.0.2.2" in str(dns.message.from_wire(world.replies[0]))
    world.servers[0].sendto(answer(first), peer_of_first)
    world.turn()
    assert len(world.replies) == 1


def test_a_server_that_refuses_or_is_not_there_is_passed_over_at_once(world: World) -> None:
    world.more()
    asker = world.asker()
    world.servers[1].close()  # its port answers with an ICMP error
    raw = dns.message.make_query("web.example", "A").to_wire()
    world.forwarder.ask(asker, raw, parse_query(raw), world.replies.append, tcp=False)
    data, peer = world.servers[0].recvfrom(2000)
    world.servers[0].sendto(answer(data, rcode=2), peer)
    for _ in range(3):
        world.turn()
    data, peer = world.servers[2].recvfrom(2000)  # no time has passed
    world.servers[2].sendto(answer(data, "192.0.2.4"), peer)
    world.turn()
    assert "192.0.2.4" in str(dns.message.from_wire(world.replies[0]))


def test_when_all_refuse_the_refusal_is_the_answer(world: World) -> None:
    world.ask()
    data, peer = world.servers[0].recvfrom(2000)
    world.servers[0].sendto(answer(data, rcode=5), peer)
    world.turn()
    assert dns.message.from_wire(world.replies[0]).rcode() == 5
    assert len(world.cache) == 0


def test_silence_is_servfail_in_the_end(world: World) -> None:
    raw = world.ask()
    for _ in range(30):
        world.turn(0.5)
    assert [dns.message.from_wire(r).rcode() for r in world.replies] == [2]
    assert world.replies[0][:2] == raw[:2]
    assert len(world.forwarder) == 0
    assert world.forwarder.timeout() is None


def test_the_same_question_of_many_is_asked_once(world: World) -> None:
    raws = [world.ask() for _ in range(5)]
    data, peer = world.servers[0].recvfrom(2000)
    world.servers[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        world.servers[0].recvfrom(2000)
    world.servers[0].sendto(answer(data), peer)
    world.turn()
    assert [reply[:2] for reply in world.replies] == [raw[:2] for raw in raws]


def test_a_flood_is_bounded_for_one_and_for_all(world: World) -> None:
    for number in range(forward.ERRANDS_OF_ONE + 50):
        world.ask(f"n{number}.example")
    assert len(world.forwarder) == forward.ERRANDS_OF_ONE
    assert len(world.replies) == 50
    assert {dns.message.from_wire(r).rcode() for r in world.replies} == {2}
    world.ask("other.example", who="other")
    assert len(world.forwarder) == forward.ERRANDS_OF_ONE + 1
    world.forwarder.forget("box")
    assert len(world.forwarder) == 1
    world.forwarder.forget("other")


def test_without_servers_there_is_no_waiting(world: World) -> None:
    world.servers.clear()
    world.ask()
    assert dns.message.from_wire(world.replies[0]).rcode() == 2


def test_by_tcp_the_server_is_asked_by_tcp(world: World) -> None:
    listener = world.server("127.0.0.2", world.port, socket.SOCK_STREAM)
    raw = world.ask(tcp=True)
    connection, _ = listener.accept()
    world.opened.append(connection)
    connection.settimeout(2)
    world.turn()
    data = connection.recv(2000)
    assert struct.unpack_from(">H", data)[0] == len(raw)
    big = answer(data[2:])
    connection.sendall(struct.pack(">H", len(big)) + big[:20])
    world.turn()
    assert world.replies == []
    connection.sendall(big[20:])
    world.turn()
    assert "192.0.2.1" in str(dns.message.from_wire(world.replies[0]))


def test_a_cut_answer_is_passed_on_as_it_is_and_not_remembered(world: World) -> None:
    world.ask()
    data, peer = world.servers[0].recvfrom(2000)
    cut = answer(data)
    world.servers[0].sendto(cut[:2] + bytes([cut[2] | 2]) + cut[3:], peer)
    world.turn()
    assert dns.message.from_wire(world.replies[0]).flags & 0x200
    assert len(world.cache) == 0
