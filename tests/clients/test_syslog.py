"""Containers that log to a syslog server over the network: it is the host's network that they use."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import docker
import pytest

if TYPE_CHECKING:
    from docker.models.containers import Container

pytestmark = pytest.mark.root
IMAGE = "busybox:bench"


def logging_to(client: docker.DockerClient, address: str) -> Container:
    """A container with a network of its own, created."""
    return client.containers.create(
        IMAGE, ["sh", "-c", "echo one; echo two"],
        log_config={"Type": "syslog", "Config": {"syslog-address": address, "tag": "t"}},
    )  # fmt: skip


def test_over_tcp_and_udp(client: docker.DockerClient) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(type=socket.SOCK_DGRAM) as datagrams,
    ):
        server.settimeout(20)
        datagrams.settimeout(20)
        datagrams.bind(("127.0.0.1", 0))
        for kind, at in (("tcp", server), ("udp", datagrams)):
            container = logging_to(client, f"{kind}://127.0.0.1:{at.getsockname()[1]}")
            container.start()
            if kind == "tcp":
                server.accept()[0].close()  # that somebody is there was tried first
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as lines:
                    said = lines.read().splitlines()
            else:
                said = [datagrams.recv(1000) for _ in range(2)]
            assert [line.split()[-1] for line in said] == [b"one", b"two"]
            assert container.wait()["StatusCode"] == 0
            assert container.logs() == b"one\ntwo\n"
            container.remove()


def test_nobody_is_there(client: docker.DockerClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    container = logging_to(client, f"tcp://127.0.0.1:{free}")
    words = (
        f"failed to initialize logging driver: syslog at tcp://127.0.0.1:{free}: Connection refused"
    )
    with pytest.raises(docker.errors.APIError, match=words):
        container.start()
    container.reload()
    assert (container.status, container.attrs["State"]["ExitCode"]) == ("created", 128)
    container.remove()
