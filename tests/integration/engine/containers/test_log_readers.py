"""Many readers of one log at once: each gets every line, a stalled one stops nobody, the gone leave nothing."""

from __future__ import annotations

import os
import re
import resource
import selectors
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

from tests.bench.sides import import_image
from tests.own_engine import running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.own_engine import OwnEngine

pytestmark = pytest.mark.root
READERS, LINES = 1500, 3000
#: Connections that docker-py keeps for its next call.
POOLED = 2
#: Lines come as soon as there is a file, a flood of them at each.
SCRIPT = f"""
for turn in 1 2 3; do
  until [ -e /go$turn ]; do sleep 0.02; done
  i=0
  while [ $i -lt {LINES} ]; do i=$((i+1)); echo "line $turn $i {"x" * 60}"; done
done
sleep 1000
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        with running_engine(tmp_path_factory.mktemp("readers"), "10.101.128.0/20") as engine:
            import_image(engine.host)
            yield engine
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Readers:
    """Followers of one container's log, as sockets."""

    def __init__(self, engine: OwnEngine, container: str, count: int) -> None:
        ask = (
            f"GET /v1.45/containers/{container}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n"
        )
        self.sockets = []
        for _ in range(count):
            made = socket.socket(socket.AF_UNIX)
            made.connect(f"{engine.run_dir}/engine.sock")
            made.sendall(ask.encode())
            self.sockets.append(made)
        for one in self.sockets:
            assert one.recv(1000).startswith(b"HTTP/1.1 200 ")

    def read_until(self, last: bytes) -> list[bytes]:
        """What each has got when all have got the line `last`."""
        got = {one: bytearray() for one in self.sockets}
        with selectors.DefaultSelector() as selector:
            for one in self.sockets:
                selector.register(one, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(20)
                assert ready, "the lines stopped coming"
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    assert data, "the engine hung up"
                    one = got[key.fileobj]  # type: ignore[index]  # a socket, as registered
                    one += data
                    if last in one[-200 - len(data) :]:
                        selector.unregister(key.fileobj)
        return [bytes(one) for one in got.values()]

    def close(self) -> None:
        for one in self.sockets:
            one.close()


def descriptors(engine: OwnEngine) -> int:
    return len(os.listdir(f"/proc/{engine.pid}/fd"))


def resident_kib(engine: OwnEngine) -> int:
    status = Path(f"/proc/{engine.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def settled(engine: OwnEngine, expected: int) -> int:
    """The engine's descriptors once they are few again; nothing tells when."""
    deadline = time.monotonic() + 20
    while descriptors(engine) > expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return descriptors(engine)


def numbers(text: bytes, turn: int) -> list[int]:
    return [int(number) for number in re.findall(b"line %d ([0-9]+) x" % turn, text)]


def test_thousands_read_all_and_leave_nothing(engine: OwnEngine) -> None:
    with closing(docker.DockerClient(base_url=engine.host, timeout=60)) as client:
        quiet = client.api.create_host_config(network_mode="none")
        box = client.api.create_container("busybox:bench", ["sh", "-c", SCRIPT], host_config=quiet)

        def go(turn: int) -> None:
            client.api.exec_start(client.api.exec_create(box, ["touch", f"/go{turn}"]))

        client.api.start(box)
        before = descriptors(engine)
        stalled = Readers(engine, box["Id"], 1)
        some = Readers(engine, box["Id"], 200)
        go(1)
        last = b"line 1 %d " % LINES
        for text in some.read_until(last):
            assert numbers(text, 1) == list(range(1, LINES + 1))
        many = Readers(engine, box["Id"], READERS)
        # One descriptor each; the log's is shared.
        assert descriptors(engine) <= before + READERS + 200 + 2 + POOLED
        go(2)
        some.read_until(b"line 2 100 ")
        many.close()  # in the midst of what the second turn has for them
        some.close()
        assert settled(engine, before + 2 + POOLED) <= before + 2 + POOLED
        full = resident_kib(engine)
        again = Readers(engine, box["Id"], READERS)
        go(3)
        again.close()
        assert settled(engine, before + 2 + POOLED) <= before + 2 + POOLED
        assert resident_kib(engine) < 1.15 * full  # what the first ones took is used again
        (text,) = stalled.read_until(b"line 3 %d " % LINES)
        for turn in (1, 2, 3):
            assert numbers(text, turn) == list(range(1, LINES + 1))
        stalled.close()
        assert settled(engine, before + POOLED) <= before + POOLED
        client.api.remove_container(box, force=True)
