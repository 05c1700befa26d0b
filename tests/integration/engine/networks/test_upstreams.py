"""A host whose name server is on its loopback (systemd-resolved, dnsmasq): containers find it all the same."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import pytest

from tests.integration.engine.networks.test_names import upstream
from tests.integration.engine.networks.town import Town, open_town

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    conf = "nameserver 127.0.0.77\nnameserver ::1\nsearch home.example\noptions timeout:2\n"
    folder = tmp_path_factory.mktemp("home")
    with open_town(folder, "10.104.0.0/16", resolv_conf=conf) as town:
        yield town


@pytest.fixture
def town(home: Town) -> Iterator[Town]:
    try:
        yield home
    finally:
        home.clear()


def test_it_is_asked_from_the_hosts_namespace_on_every_network(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    boxes = [town.run("box", "net"), town.run("plain")]
    server = town.host.listen("127.0.0.77", 53, socket.SOCK_DGRAM)
    for number, box in enumerate(boxes):
        thread = upstream(server, f"192.0.2.{number}")
        assert box.ask(f"n{number}.example.com") == [f"192.0.2.{number}"]
        thread.join()
        text = box.container.exec_run(["cat", "/etc/resolv.conf"]).output.decode()
        for line in ("nameserver 127.0.0.11", "search home.example", "options timeout:2 ndots:0"):
            assert line in text.splitlines()
    server.close()
    assert boxes[1].ask("box") == []  # no names on the default bridge, and nobody else to ask


def test_an_answer_is_remembered_as_long_as_it_says(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    box = town.run("box", "net")
    server = town.host.listen("127.0.0.77", 53, socket.SOCK_DGRAM)
    thread = upstream(server, "192.0.2.9")
    assert box.ask("kept.example.com") == ["192.0.2.9"]
    thread.join()
    server.close()
    assert box.ask("kept.example.com") == ["192.0.2.9"]
    assert town.run("other", "net").ask("KEPT.example.com") == ["192.0.2.9"]


def test_the_second_server_is_asked_where_the_first_is_silent(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    box = town.run("box", "net")
    silent = town.host.listen("127.0.0.77", 53, socket.SOCK_DGRAM)
    thread = upstream(town.host.listen("::1", 53, socket.SOCK_DGRAM), "192.0.2.10")
    assert box.ask("second.example.com") == ["192.0.2.10"]
    thread.join()
    assert silent


def test_what_is_cut_by_udp_is_whole_by_tcp(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    box = town.run("box", "net")
    udp = town.host.listen("127.0.0.77", 53, socket.SOCK_DGRAM)
    tcp = town.host.listen("127.0.0.77", 53)

    def serve() -> None:
        data, peer = udp.recvfrom(2000)
        cut = dns.message.make_response(dns.message.from_wire(data))
        cut.flags |= dns.flags.TC
        udp.sendto(cut.to_wire(), peer)
        connection, _ = tcp.accept()
        connection.settimeout(5)
        (length,) = struct.unpack(">H", connection.recv(2, socket.MSG_WAITALL))
        query = dns.message.from_wire(connection.recv(length, socket.MSG_WAITALL))
        whole = dns.message.make_response(query)
        addresses = [f"192.0.2.{n}" for n in range(200)]
        whole.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", *addresses))
        raw = whole.to_wire()
        connection.sendall(struct.pack(">H", len(raw)) + raw)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert box.query("big.example.com").flags & dns.flags.TC
    answer = box.query("big.example.com", tcp=True)
    thread.join()
    assert len(answer.answer[0]) == 200


def test_no_server_is_a_quick_failure(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    box = town.run("box", "net")
    assert box.query("nobody.example.com").rcode() == 2
