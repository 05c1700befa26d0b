"""Queries for local names: rate and median of our DNS server, beside podman's aardvark where it is there.

`python -m tests.bench.dns_speed`: one query in flight tells the median, one after the other and each
after a rest; many in flight tell the rate on one core. The asker is a process of its own in the same
kernel; its share is not ours, so the server's CPU time per query is shown too, and the floor: a process
that sends back what it gets, and sleeps in between. Needs root for the aardvark side only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from networking.dns.zone import Member, View

if TYPE_CHECKING:
    from collections.abc import Iterator

AARDVARK = "/usr/lib/podman/aardvark-dns"


@dataclass(frozen=True)
class Side:
    """A server that runs: its name, its process, where it is asked."""

    name: str
    pid: int
    address: tuple[str, int]


def query(name: str) -> bytes:
    """An A query with EDNS, as resolvers send it."""
    labels = b"".join(bytes([len(p)]) + p for p in name.encode().split(b"."))
    opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
    return b"\0\0\x01\0\0\x01\0\0\0\0\0\x01" + labels + b"\0\0\x01\0\x01" + opt


@contextmanager
def own_server(folder: Path) -> Iterator[Side]:
    """Our server with one container's sockets, on this machine's loopback."""
    udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
    udp.bind(("127.0.0.1", 0))
    tcp.bind(("127.0.0.1", 0))
    tcp.listen(8)
    process = subprocess.Popen(
        [sys.executable, "-m", "networking.dns.server", str(folder)], stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.connect(str(folder / "dns.sock"))

    def tell(*fds: int, **request: object) -> None:
        socket.send_fds(control, [json.dumps(request).encode()], list(fds))
        assert "error" not in json.loads(control.recv(1 << 20))

    view = View(("net",)).to_json()
    tell(udp.fileno(), tcp.fileno(), op="add", container="c", view=view)
    members = [
        Member(str(n), "net", f"web-{n}", (f"web-{n}", "web"), (f"10.0.0.{n}",)).to_json()
        for n in range(1, 11)
    ]
    tell(op="join", members=members)
    try:
        yield Side("pycompose", process.pid, udp.getsockname())
    finally:
        tell(op="stop")
        process.wait()
        control.close()
        udp.close()
        tcp.close()


@contextmanager
def echo() -> Iterator[Side]:
    """Who only sends back what comes: two processes that wake each other, and nothing else."""
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    pid = os.fork()
    if pid == 0:
        while True:
            udp.sendto(*udp.recvfrom(2000))
    try:
        yield Side("echo", pid, udp.getsockname())
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        udp.close()


@contextmanager
def aardvark(folder: Path) -> Iterator[Side]:
    """podman's server with a network of ten containers, at 127.0.0.253."""
    config = folder / "aardvark"
    config.mkdir()
    lines = [f"{n:064x} 10.0.0.{n}  web-{n},web" for n in range(1, 11)]
    address = "127.0.0.253"
    (config / "net").write_text(f"{address}\n" + "\n".join(lines) + "\n")
    process = subprocess.Popen(
        [AARDVARK, "--config", str(config), "--port", "15353", "run"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    side = Side("aardvark", process.pid, (address, 15353))
    try:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with socket.socket(type=socket.SOCK_DGRAM) as probe:
                probe.settimeout(0.2)
                probe.connect(side.address)
                try:
                    probe.send(query("web-3"))
                    probe.recv(2000)
                    break
                except OSError:
                    time.sleep(0.02)  # it may not listen yet: nothing tells
        else:
            raise RuntimeError("aardvark-dns does not answer")
        pid = int((config / "aardvark.pid").read_text())
        yield Side(side.name, pid, side.address)
        os.kill(pid, 15)
    finally:
        process.kill()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def one_in_flight(side: Side, seconds: float) -> tuple[float, float]:
    """(median of a query in microseconds, queries a second)."""
    times = []
    with socket.socket(type=socket.SOCK_DGRAM) as asker:
        asker.connect(side.address)
        raw, now = query("web-3"), time.perf_counter
        end = now() + seconds
        while (started := now()) < end:
            asker.send(raw)
            asker.recv(2000)
            times.append(now() - started)
    return statistics.median(times) * 1e6, len(times) / seconds


def after_a_rest(side: Side, count: int = 200) -> float:
    """Median of a query in microseconds where each comes a moment after the last: nobody is awake."""
    times = []
    with socket.socket(type=socket.SOCK_DGRAM) as asker:
        asker.connect(side.address)
        raw, now = query("web-3"), time.perf_counter
        for _ in range(count):
            time.sleep(0.002)  # the rest that is measured
            started = now()
            asker.send(raw)
            asker.recv(2000)
            times.append(now() - started)
    return statistics.median(times) * 1e6


def many_in_flight(side: Side, seconds: float, window: int = 64) -> tuple[float, float]:
    """(queries a second, the server's CPU microseconds for each), so many always on their way."""
    with socket.socket(type=socket.SOCK_DGRAM) as asker:
        asker.connect(side.address)
        asker.settimeout(1)
        raws = [query(f"web-{n}") for n in range(1, 11)] + [query("web")]
        before, count = cpu_seconds(side.pid), 0
        for number in range(window):
            asker.send(raws[number % len(raws)])
        started = time.perf_counter()
        end = started + seconds
        while time.perf_counter() < end:
            for _ in range(200):
                asker.recv(2000)
                asker.send(raws[count % len(raws)])
                count += 1
        spent = time.perf_counter() - started
    return count / spent, (cpu_seconds(side.pid) - before) / count * 1e6


def main() -> None:
    """Print a line a side and round."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.dns_speed", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycompose-dns-")))
        sides = [stack.enter_context(echo()), stack.enter_context(own_server(folder))]
        if shutil.which(AARDVARK):
            sides.append(stack.enter_context(aardvark(folder)))
        print(
            f"{'side':12}{'median us':>11}{'after a rest':>14}{'1 in flight/s':>15}"
            f"{'64 in flight/s':>16}{'CPU us':>8}"
        )
        for _ in range(options.rounds):
            for side in sides:
                rested = after_a_rest(side)
                median, rate = one_in_flight(side, options.seconds)
                most, cost = many_in_flight(side, options.seconds)
                print(
                    f"{side.name:12}{median:11.1f}{rested:14.1f}{rate:15.0f}{most:16.0f}{cost:8.1f}"
                )


if __name__ == "__main__":
    main()
