"""The relay as a process: crowds of clients, and more of them than it has descriptors."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., "Relayed"]

pytestmark = pytest.mark.root


class Relayed:
    """A relay with one port, an echo server behind it in a thread, what a test asks of them."""

    def __init__(self, folder: Path, descriptors: int) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = min(descriptors, hard)
        self.process = subprocess.Popen(
            ["prlimit", f"--nofile={limit}:{limit}", sys.executable, "-m", "networking.relay.server", folder],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"
        self.path = folder / "relay.sock"
        self.control = self.dial()
        self.behind = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.near = socket.create_server(("127.0.0.1", 0), backlog=4096)
        place = self.behind.getsockname()
        self.tell(self.near.fileno(), op="open", key="tcp ::1 80", address=place[0], port=place[1])
        self.echo = threading.Thread(target=self._echo)
        self.echo.start()

    def dial(self) -> socket.socket:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.settimeout(5)
        control.connect(str(self.path))
        return control

    def tell(self, *fds: int, **request: Any) -> dict[str, Any]:
        socket.send_fds(self.control, [json.dumps(request).encode()], list(fds))
        return dict(json.loads(self.control.recv(1 << 20)))

    def client(self) -> socket.socket:
        return socket.create_connection(self.near.getsockname(), timeout=20)

    def facts(self) -> tuple[int, float]:
        """Kilobytes, and seconds of CPU so far."""
        place = Path(f"/proc/{self.process.pid}")
        status = (place / "status").read_text().splitlines()
        memory = int(next(line.split()[1] for line in status if "VmRSS" in line))
        return memory, int((place / "schedstat").read_text().split()[0]) / 1e9

    def close(self) -> None:
        self.tell(op="stop")
        self.process.wait(10)
        self.behind.shutdown(socket.SHUT_RDWR)
        self.echo.join()
        for one in (self.control, self.behind, self.near):
            one.close()
        assert self.process.stdout
        self.process.stdout.close()

    def _echo(self) -> None:
        """Whoever says a byte hears it back, and is left then."""
        import select

        poll = select.epoll()
        poll.register(self.behind, select.EPOLLIN)
        held: dict[int, socket.socket] = {}
        with closing(poll):
            while True:
                for fd, mask in poll.poll():
                    if fd == self.behind.fileno():
                        try:
                            taken, _ = self.behind.accept()
                        except OSError:
                            return
                        held[taken.fileno()] = taken
                        poll.register(taken, select.EPOLLIN)
                    elif mask:
                        with held.pop(fd) as one:
                            poll.unregister(fd)
                            one.sendall(one.recv(1))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Relayed] = []

    def begin(descriptors: int) -> Relayed:
        made.append(Relayed(tmp_path, descriptors))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def test_five_thousand_clients_at_once_are_all_served_in_little_memory(start: Start) -> None:
    relay = start(20_000)
    before, _ = relay.facts()
    clients = [relay.client() for _ in range(5000)]
    try:
        for client in clients:
            client.sendall(b"x")
        assert {client.recv(1) for client in clients} == {b"x"}
        after, _ = relay.facts()
    finally:
        for client in clients:
            client.close()
    assert after - before < 60_000  # kB, for 10,000 sockets


def test_clients_beyond_its_descriptors_wait_their_turn_and_it_is_idle_meanwhile(
    start: Start,
) -> None:
    relay = start(200)
    clients = [relay.client() for _ in range(300)]
    try:
        clients[0].sendall(b"x")  # it has taken as many as it can by the time of the answer
        assert clients[0].recv(1) == b"x"
        with relay.dial() as another_engine:  # which comes back while the crowd is there
            another_engine.send(b'{"op": "list"}')
            assert json.loads(another_engine.recv(1000)) == {"ports": ["tcp ::1 80"]}
        _, spent = relay.facts()
        for client in clients[1:]:
            client.sendall(b"x")
        for client in clients[1:]:
            assert client.recv(1) == b"x"
            client.close()
        _, in_all = relay.facts()
        assert in_all - spent < 1.0, "it ran in circles"
        assert len(os.listdir(f"/proc/{relay.process.pid}/fd")) < 200
    finally:
        for client in clients:
            client.close()
