"""Two ways across a network, measured in turns: one lasting TCP stream each, and connections made anew.

Slices are some tens of milliseconds, in the order A B B A: what else the machine does falls on both
alike. Sender and receiver have a core each, the same ones on every way.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import struct
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.networking.lab import Site

CHUNK = 1 << 18


@dataclass
class Way:
    """A way from one site to a listening socket of another."""

    name: str
    source: Site
    server: socket.socket
    place: tuple[str, int]


@dataclass(frozen=True)
class Slice:
    """One measurement: how much a second, and CPU seconds of both ends for all of it."""

    rate: float
    cpu: float


@contextmanager
def stream(way: Way, size: int) -> Iterator[Callable[[], Slice]]:
    """A connection that lasts; each call carries `size` bytes across it.

    Both ends do what the bridge and the rules cost too: it is on their time that packets are carried.
    """
    own, other = socket.socketpair()
    child = os.fork()
    if child == 0:
        _pin(0)
        own.close()
        client = way.source.connect(*way.place)
        data = memoryview(bytes(CHUNK))
        while other.recv(1):
            before, left = time.process_time(), size
            while left:
                left -= client.send(data[: min(left, CHUNK)])
            other.send(struct.pack("=d", time.process_time() - before))
        os._exit(0)
    other.close()
    connection, _ = way.server.accept()
    buffer = bytearray(CHUNK)

    def carry() -> Slice:
        before, left = time.process_time(), size
        started = time.perf_counter()
        own.send(b"g")
        while left:
            left -= connection.recv_into(buffer, min(left, CHUNK))
        spent, cpu = time.perf_counter() - started, time.process_time() - before
        (sent,) = struct.unpack("=d", own.recv(8))
        return Slice(size / spent, cpu + sent)

    try:
        yield carry
    finally:
        own.close()
        connection.close()
        os.waitpid(child, 0)


@contextmanager
def dialler(way: Way, count: int) -> Iterator[Callable[[], Slice]]:
    """Each call makes so many connections, one after the other, that are accepted and closed."""
    child = os.fork()
    if child == 0:
        _pin(0)
        way.server.settimeout(None)
        while True:
            way.server.accept()[0].close()

    def dial() -> Slice:
        with way.source.entered():
            before, started = time.process_time(), time.perf_counter()
            for _ in range(count):
                with socket.create_connection(way.place, timeout=5) as one:
                    one.recv(1)
            spent = time.perf_counter() - started
            return Slice(count / spent, time.process_time() - before)

    try:
        yield dial
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@dataclass(frozen=True)
class Comparison:
    """The rounds of two ways: rates of each, and the ratios of the rates and of the CPU times."""

    first: tuple[float, ...]
    second: tuple[float, ...]
    ratios: tuple[float, ...]
    cpu_ratios: tuple[float, ...]

    def __str__(self) -> str:
        return f"{spread(self.ratios)}, CPU of both ends {spread(self.cpu_ratios)}"


def compare(
    kind: Callable[[Way, int], Any], first: Way, second: Way, size: int, rounds: int
) -> Comparison:
    """So many rounds, A B B A and B A A B in turns, after one that does not count."""
    _pin(1)
    rates: list[list[float]] = [[], []]
    ratios, cpu_ratios = [], []
    try:
        with kind(first, size) as one, kind(second, size) as two:
            for number in range(rounds + 1):
                order = (0, 1, 1, 0) if number % 2 else (1, 0, 0, 1)
                found: list[list[Slice]] = [[], []]
                for side in order:
                    found[side].append((one, two)[side]())
                if not number:
                    continue
                # Twice the same work: the harmonic mean is the rate over both slices.
                own, other = (statistics.harmonic_mean([s.rate for s in side]) for side in found)
                rates[0].append(own)
                rates[1].append(other)
                ratios.append(own / other)
                cpu_ratios.append(sum(s.cpu for s in found[0]) / sum(s.cpu for s in found[1]))
    finally:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return Comparison(tuple(rates[0]), tuple(rates[1]), tuple(ratios), tuple(cpu_ratios))


def spread(values: tuple[float, ...]) -> str:
    """The median, and the quartiles around it."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def _pin(number: int) -> None:
    """This process to a core, where there are several."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})
