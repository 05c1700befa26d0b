"""Lines for a journal or a syslog: what real sockets receive, and what happens when they do not."""

from __future__ import annotations

import array
import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.processes.log_writer import LogWriter
from engine.runtime.spec import LogTarget

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "receiver")


@pytest.fixture
def receiver(place: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(place)
        server.settimeout(5)
        yield server


def test_journald(receiver: socket.socket, place: str, tmp_path: Path) -> None:
    target = LogTarget("journald", str(tmp_path / "log"), address=place, fields=(("TAG", "t"),))
    writer = LogWriter(target)
    writer.write("stdout", b"one\r\n")
    writer.write("stderr", b"half")
    writer.close()
    assert receiver.recv(4096) == b"PRIORITY=6\nTAG=t\nMESSAGE\n\x04" + bytes(7) + b"one\r\n"
    said = receiver.recv(4096)
    assert said.startswith(b"PRIORITY=3\n")
    assert b"CONTAINER_PARTIAL_MESSAGE=true\n" in said
    assert (tmp_path / "log").read_bytes().count(b"\n") == 2  # it is read back from here


def test_a_message_too_large_for_a_datagram_goes_as_a_sealed_file(
    receiver: socket.socket, place: str
) -> None:
    big = ("NOTE", "n" * 400_000)
    writer = LogWriter(LogTarget("journald", address=place, fields=(big,)))
    writer.write("stdout", b"text\n")
    writer.close()
    _, ancillary, _, _ = receiver.recvmsg(16, socket.CMSG_LEN(4))
    (fd,) = array.array("i", ancillary[0][2])
    with open(fd, "rb") as file:
        file.seek(0)
        assert b"n" * 400_000 in file.read()


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("", rb"<30>\w{3} [ \d]\d [\d:]{8} tag\[\d+\]: hello"),
        ("rfc3164", rb"<30>\w{3} [ \d]\d [\d:]{8} \S+ tag\[\d+\]: hello"),
        ("rfc5424", rb"<30>1 [\d-]{10}T[\d:]{8}Z \S+ tag \d+ tag - hello"),
        ("rfc5424micro", rb"<30>1 [\d-]{10}T[\d:]{8}\.\d{6}Z \S+ tag \d+ tag - hello"),
    ],
)
def test_syslog_forms(receiver: socket.socket, place: str, form: str, pattern: bytes) -> None:
    writer = LogWriter(LogTarget("syslog", address=f"unixgram://{place}", tag="tag", form=form))
    writer.write("stdout", b"hello\n")
    writer.close()
    assert re.fullmatch(pattern, receiver.recv(4096))


def test_syslog_over_tcp_with_a_line_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        writer = LogWriter(
            LogTarget("syslog", address=f"tcp://127.0.0.1:{port}", tag="t", facility=16)
        )
        connection, _ = server.accept()
        with connection:
            writer.write("stderr", b"a\nb\n")
            writer.close()
            connection.settimeout(5)
            said = b""
            while chunk := connection.recv(4096):
                said += chunk
    assert [line.split(b": ")[1] for line in said.splitlines()] == [b"a", b"b"]
    assert said.startswith(b"<131>")


def test_nobody_listens(place: str) -> None:
    for target in (
        LogTarget("syslog", address=f"unixgram://{place}"),
        LogTarget("journald", address=place),
    ):
        with pytest.raises(OSError, match=f"failed to initialize logging driver: {target.driver}"):
            LogWriter(target)


def test_a_receiver_that_has_gone_costs_nothing(
    receiver: socket.socket, place: str, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    writer = LogWriter(LogTarget("syslog", str(path), address=f"unixgram://{place}"))
    receiver.close()
    os.unlink(place)
    for _ in range(100):
        writer.write("stdout", b"line\n")
    writer.close()
    assert path.read_bytes().count(b"line") == 100


def test_with_a_buffer_a_stalled_receiver_is_not_waited_for(
    receiver: socket.socket, place: str
) -> None:
    writer = LogWriter(LogTarget("syslog", address=f"unixgram://{place}", tag="t", buffer=10_000))
    for number in range(5000):  # more than its queue takes
        writer.write("stdout", f"{number:06}{'x' * 60}\n".encode())
    receiver.setblocking(False)
    taken = 0
    while True:
        try:
            receiver.recv(4096)
        except BlockingIOError:
            break
        taken += 1
    writer.write("stdout", b"last\n")  # what has waited goes first
    first = receiver.recv(4096)
    assert taken < 5000
    assert b"x" * 60 in first
    writer.close()
