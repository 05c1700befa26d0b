"""Attach, exec and their ends, as real clients see them: nothing lost, and the end known when it is told."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection

from networking.wire.stdstream import FrameDecoder

if TYPE_CHECKING:
    import docker

    from tests.own_engine import OwnEngine

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"


class Raw:
    """A connection to the engine without any client in between."""

    def __init__(self, engine: OwnEngine) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        folder = os.open(engine.run_dir, os.O_PATH)
        self.socket.connect(f"/proc/self/fd/{folder}/engine.sock")
        os.close(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def upgrade(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """Ask for the raw connection; what came behind the head."""
        lines = {"Host": "engine", "Content-Length": str(len(body)), "Connection": "Upgrade"}
        lines |= {"Upgrade": "tcp", **{k.replace("_", "-"): v for k, v in headers.items()}}
        head = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.socket.recv(1)
        assert got.startswith(b"HTTP/1.1 101"), got
        return got

    def until(self, words: bytes) -> bytes:
        """Read on until these words have come."""
        got = b""
        while words not in got:
            chunk = self.socket.recv(4096)
            assert chunk, got
            got += chunk
        return got

    def rest(self) -> bytes:
        """Read to the end."""
        got = b""
        while chunk := self.socket.recv(65536):
            got += chunk
        return got


def test_an_execs_end_is_known_when_its_stream_ends(client: docker.DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sleep", "1000"], detach=True)

    def once(number: int) -> int | None:
        return container.exec_run(["sh", "-c", f"echo out; exit {number % 7}"]).exit_code

    with ThreadPoolExecutor(8) as crowd:
        assert list(crowd.map(once, range(80))) == [number % 7 for number in range(80)]
    container.remove(force=True)


def test_a_containers_end_is_known_when_its_attach_ends(
    client: docker.DockerClient, own_engine: OwnEngine
) -> None:
    for number in range(12):
        container = client.containers.create(IMAGE, ["sh", "-c", f"echo done; exit {number}"])
        with Raw(own_engine) as raw:
            raw.upgrade("POST", f"/containers/{container.id}/attach?stream=1&stdout=1&stderr=1")
            container.start()
            assert b"done" in raw.rest()
        container.reload()
        assert (container.status, container.attrs["State"]["ExitCode"]) == ("exited", number)
        container.remove()


def test_stdin_ends_by_a_half_close_and_output_goes_on(
    client: docker.DockerClient, own_engine: OwnEngine
) -> None:
    script = "cat; echo end; echo err >&2"
    container = client.containers.create(IMAGE, ["sh", "-c", script], stdin_open=True)
    with Raw(own_engine) as raw:
        path = f"/containers/{container.id}/attach?stream=1&stdin=1&stdout=1&stderr=1"
        raw.upgrade("POST", path)
        container.start()
        raw.socket.sendall(b"typed\n")
        raw.socket.shutdown(socket.SHUT_WR)
        frames = FrameDecoder().feed(raw.rest())
    # How the kernel hands over what was written is its own business: one frame or two.
    said = {stream: b"".join(data for one, data in frames if one == stream) for stream in (1, 2)}
    assert said == {1: b"typed\nend\n", 2: b"err\n"}
    assert container.wait()["StatusCode"] == 0
    container.remove()


def test_detach_keys_leave_a_terminal_and_the_program_runs_on(
    client: docker.DockerClient, own_engine: OwnEngine
) -> None:
    container = client.containers.run(
        IMAGE, ["sh"], tty=True, stdin_open=True, detach=True, name="tests-terminal"
    )
    with Raw(own_engine) as raw:
        path = f"/containers/{container.id}/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,d"
        raw.upgrade("POST", path)
        raw.socket.sendall(b'echo he""re\n')
        raw.until(b"here\r\n")
        raw.socket.sendall(b"\1")
        raw.socket.sendall(b"d")
        raw.rest()
    made = client.api.exec_create(container.id, ["cat"], tty=True, stdin=True)
    with Raw(own_engine) as raw:
        body = json.dumps({"Tty": True}).encode()
        raw.upgrade("POST", f"/exec/{made['Id']}/start", body, Content_Type="application/json")
        raw.socket.sendall(b"abc\n")
        raw.until(b"abc")
        raw.socket.sendall(b"\x10\x11")
        raw.rest()
    assert client.api.exec_inspect(made["Id"])["Running"]
    container.reload()
    assert container.status == "running"
    actions = [
        event["Action"]
        for event in client.events(
            decode=True, since=int(time.time()) - 60, until=int(time.time()) + 1,
            filters={"container": container.id},
        )
    ]  # fmt: skip
    assert "detach" in actions
    assert "exec_detach" in actions
    container.remove(force=True)


def test_attach_over_a_websocket(client: docker.DockerClient, own_engine: OwnEngine) -> None:
    container = client.containers.run(IMAGE, ["cat"], stdin_open=True, detach=True)
    speaker = Connection(ConnectionType.CLIENT)
    with Raw(own_engine) as raw:
        head = raw.upgrade(
            "GET",
            f"/v1.47/containers/{container.id}/attach/ws?stream=1&stdin=1&stdout=1",
            Upgrade="websocket",
            Sec_WebSocket_Key=base64.b64encode(b"0123456789abcdef").decode(),
            Sec_WebSocket_Version="13",
        )
        assert b"Sec-WebSocket-Accept: BACScCJPNqyz+UBoqMH89VmURoA=" in head
        raw.socket.sendall(speaker.send(BytesMessage(data=b"over\n")))
        got = b""
        while got != b"over\n":
            speaker.receive_data(raw.socket.recv(4096))
            got += b"".join(e.data for e in speaker.events() if isinstance(e, BytesMessage))
        container.kill()
        speaker.receive_data(raw.rest())
        assert any(isinstance(event, CloseConnection) for event in speaker.events())
    container.remove(force=True)
    plain = Raw(own_engine)
    with plain:
        plain.socket.sendall(b"GET /containers/x/attach/ws HTTP/1.1\r\nHost: e\r\n\r\n")
        assert plain.socket.recv(4096).startswith(b"HTTP/1.1 404")


SIZE = 24 << 20
FLOOD = f"busybox dd if=/dev/zero bs=1M count={SIZE >> 20} 2>/dev/null"


def test_a_slow_reader_misses_nothing_of_an_exec(
    client: docker.DockerClient, own_engine: OwnEngine
) -> None:
    container = client.containers.run(IMAGE, ["sleep", "1000"], detach=True)
    made = client.api.exec_create(container.id, ["sh", "-c", FLOOD], tty=False)
    with Raw(own_engine) as raw:
        raw.upgrade("POST", f"/exec/{made['Id']}/start", b"{}", Content_Type="application/json")
        time.sleep(1)  # everything between us is full by now
        assert client.api.exec_inspect(made["Id"])["Running"]
        size, frames = 0, raw.socket.makefile("rb")
        while head := frames.read(8):
            size += len(frames.read(int.from_bytes(head[4:], "big")))
        frames.close()
    assert size == SIZE
    assert client.api.exec_inspect(made["Id"])["ExitCode"] == 0
    container.remove(force=True)


def test_a_reader_that_takes_nothing_is_let_go_and_told(
    client: docker.DockerClient, own_engine: OwnEngine
) -> None:
    container = client.containers.create(IMAGE, ["sh", "-c", f"{FLOOD}; exec sleep 1000"])
    with Raw(own_engine) as raw:
        raw.upgrade("POST", f"/containers/{container.id}/attach?stream=1&stdout=1&stderr=1")
        container.start()
        deadline = time.monotonic() + 40
        while container.top()["Processes"][0][-1] != "sleep 1000":
            assert time.monotonic() < deadline  # it goes on after some seconds
            time.sleep(0.1)  # what a program inside is at is told by nothing
        assert raw.rest().endswith(b"the logs have all of it)\r\n")
    container.remove(force=True)
