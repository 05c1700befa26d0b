"""One look at a running container: what it has used, what its network carried, what the host did meanwhile."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.runtime.cgroups.usage import TICK_NS, Usage, read_usage

if TYPE_CHECKING:
    from engine.runtime.spec import Cgroup


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface's counters, in Docker's order."""

    name: str
    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_dropped: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_dropped: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One look; times in nanoseconds."""

    taken_ns: int
    usage: Usage
    interfaces: tuple[Interface, ...]
    system_cpu_ns: int
    online_cpus: int


def take_sample(cgroup: Cgroup, pid: int) -> Sample:
    """Look now; `pid` is in the container's network namespace. Blocks: call it in a thread."""
    return Sample(
        time.time_ns(), read_usage(cgroup), parse_interfaces(_read(f"/proc/{pid}/net/dev")),
        parse_system_cpu(_read("/proc/stat")), os.cpu_count() or 1,
    )  # fmt: skip


def parse_interfaces(text: str) -> tuple[Interface, ...]:
    """/proc/PID/net/dev without the loopback."""
    found = []
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        counts = [int(word) for word in rest.split()]
        if name.strip() != "lo" and len(counts) >= 12:
            found.append(Interface(name.strip(), *counts[:4], *counts[8:12]))
    return tuple(found)


def parse_system_cpu(text: str) -> int:
    """/proc/stat's first line: what all CPUs have spent, idle time too."""
    words = text.partition("\n")[0].split()
    return sum(int(word) for word in words[1:8]) * TICK_NS


def _read(path: str) -> str:
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return ""
