"""The DNS server as a process: crowds, floods and broken clients, on loopback sockets."""

from __future__ import annotations

import json
import random
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.message
import pytest

from networking.dns import conversation
from networking.dns.zone import Member, View

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root


@dataclass
class Process:
    """A server with one client's sockets."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    udp: socket.socket
    tcp: socket.socket

    def tell(self, *fds: int, **request: Any) -> dict[str, Any]:
        socket.send_fds(self.control, [json.dumps(request).encode()], list(fds))
        return dict(json.loads(self.control.recv(1 << 20)))

    def ask(self, name: str = "web", *, tcp: bool = False) -> list[str]:
        query = dns.message.make_query(name, "A", use_edns=0)
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        with socket.socket(type=kind) as asker:
            asker.settimeout(5)
            asker.connect((self.tcp if tcp else self.udp).getsockname())
            if tcp:
                return ask_tcp(asker, query)
            asker.send(query.to_wire())
            return records(asker.recv(4000))

    def kilobytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if "VmRSS" in line))

    def sleeps(self) -> int:
        """How often it has waited so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("voluntary"))
        return int(line.split()[1])

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def records(raw: bytes) -> list[str]:
    return [str(r) for rrset in dns.message.from_wire(raw).answer for r in rrset]


def ask_tcp(asker: socket.socket, query: dns.message.Message) -> list[str]:
    raw = query.to_wire()
    asker.sendall(struct.pack(">H", len(raw)) + raw)
    (length,) = struct.unpack(">H", asker.recv(2, socket.MSG_WAITALL))
    return records(asker.recv(length, socket.MSG_WAITALL))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("")
    process = subprocess.Popen(
        [sys.executable, "-m", "networking.dns.server", str(tmp_path), str(resolv_conf)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.connect(str(tmp_path / "dns.sock"))
    udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    for one in (udp, tcp):
        one.bind(("127.0.0.1", 0))
    tcp.listen(1024)
    made = Process(process, control, udp, tcp)
    made.tell(udp.fileno(), tcp.fileno(), op="add", container="c", view=View(("net",)).to_json())
    members = [Member("1", "net", "web-1", ("web",), ("10.0.0.1",)).to_json()]
    made.tell(op="join", members=members)
    try:
        yield made
    finally:
        made.tell(op="stop")
        process.wait(10)
        process.stdout.close()
        for one in (control, udp, tcp):
            one.close()


def test_it_stays_awake_for_who_asks_again_at_once_and_no_longer(server: Process) -> None:
    raw = dns.message.make_query("web", "A").to_wire()
    with socket.socket(type=socket.SOCK_DGRAM) as asker:
        asker.settimeout(5)
        asker.connect(server.udp.getsockname())
        before = server.sleeps()
        for _ in range(2000):
            asker.send(raw)
            asker.recv(4000)
        assert server.sleeps() - before < 1500  # asleep after each answer, it would be 2000
    busy = f"/proc/{server.process.pid}/schedstat"
    before = int(Path(busy).read_text().split()[0])
    time.sleep(0.2)  # nothing to await: nothing is to happen
    assert int(Path(busy).read_text().split()[0]) - before < 20_000_000  # nanoseconds of its CPU


def test_five_thousand_askers_at_once_are_all_answered(server: Process) -> None:
    before = server.kilobytes()
    askers = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(5000)]
    try:
        raw = dns.message.make_query("web", "A").to_wire()
        for number, asker in enumerate(askers):
            asker.settimeout(5)
            asker.connect(server.udp.getsockname())
            asker.send(struct.pack(">H", number) + raw[2:])
        for number, asker in enumerate(askers):
            answer = asker.recv(2000)
            assert answer[:2] == struct.pack(">H", number)
            assert records(answer) == ["10.0.0.1"]
    finally:
        for asker in askers:
            asker.close()
    assert server.kilobytes() - before < 4000


def test_a_crowd_of_silent_connections_keeps_nobody_out(server: Process) -> None:
    crowd = []
    try:
        for _ in range(conversation.PLACES + 200):
            crowd.append(socket.create_connection(server.tcp.getsockname(), timeout=5))  # noqa: PERF401  # closed if one fails
        assert server.ask(tcp=True) == ["10.0.0.1"]
        assert server.descriptors() < conversation.PLACES + 40
    finally:
        for one in crowd:
            one.close()
    assert server.ask() == ["10.0.0.1"]


def test_who_asks_and_does_not_listen_is_hung_up_on(server: Process) -> None:
    raw = dns.message.make_query("web", "A").to_wire()
    message = struct.pack(">H", len(raw)) + raw
    before = server.kilobytes()
    with socket.create_connection(server.tcp.getsockname(), timeout=5) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises((ConnectionError, TimeoutError)):
            deaf.sendall(message * 400_000)
    assert server.ask() == ["10.0.0.1"]
    assert server.kilobytes() - before < 8000


def test_queries_in_pieces_and_in_rows_by_tcp(server: Process) -> None:
    query = dns.message.make_query("web", "A")
    raw = struct.pack(">H", len(query.to_wire())) + query.to_wire()
    with socket.create_connection(server.tcp.getsockname(), timeout=5) as asker:
        for piece in raw[:1], raw[1:9], raw[9:]:
            asker.sendall(piece)
            time.sleep(0.01)  # so that each is read by itself; nothing tells when it is
        asker.sendall(raw * 2)
        for _ in range(3):
            (length,) = struct.unpack(">H", asker.recv(2, socket.MSG_WAITALL))
            assert records(asker.recv(length, socket.MSG_WAITALL)) == ["10.0.0.1"]


def test_noise_of_all_kinds_leaves_it_answering(server: Process) -> None:
    chance = random.Random(7)
    good = dns.message.make_query("web", "A", use_edns=0).to_wire()
    before = server.kilobytes()
    with socket.socket(type=socket.SOCK_DGRAM) as asker:
        asker.connect(server.udp.getsockname())
        for number in range(20000):
            noise = bytearray(good if number % 2 else chance.randbytes(chance.randrange(80)))
            for _ in range(3):
                if noise:
                    noise[chance.randrange(len(noise))] = chance.randrange(256)
            asker.send(noise)
            if number % 200 == 0:  # so that none is lost on the way
                assert server.ask() == ["10.0.0.1"]
    assert server.ask(tcp=True) == ["10.0.0.1"]
    assert server.ask() == ["10.0.0.1"]
    assert server.kilobytes() - before < 4000


def test_an_answer_is_never_answered(server: Process) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as asker:
        asker.connect(server.udp.getsockname())
        asker.settimeout(0.1)
        answer = bytearray(dns.message.make_query("web", "A").to_wire())
        answer[2] |= 0x80
        asker.send(answer)
        with pytest.raises(TimeoutError):
            asker.recv(100)


def test_a_zone_is_replaced_whole_while_it_answers(server: Process) -> None:
    server.tell(op="begin")
    for start in (0, 500):
        members = [
            Member(str(n), "net", "x", ("web", f"n{n}"), (f"10.1.{n // 250}.{n % 250}",)).to_json()
            for n in range(start, start + 500)
        ]
        server.tell(op="stage", members=members)
        assert server.ask() == ["10.0.0.1"]
    server.tell(op="commit")
    assert server.ask("n777") == ["10.1.3.27"]
    assert len(server.ask("web", tcp=True)) == 1000
    assert server.tell(op="list") == {"clients": ["c"]}
    server.tell(op="remove", container="c")
    assert server.tell(op="list") == {"clients": []}
