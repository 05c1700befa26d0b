"""What a container has used, read from its cgroups; where v1 has no cgroup for it, from its processes.

Of v1's hierarchies a container joins only those that limit it, so the rest is summed over /proc: CPU
from the unified hierarchy's cpu.stat, memory as proportional set size. Times are nanoseconds, sizes
bytes. Sources: the kernel's cgroup-v1 and cgroup-v2, proc(5).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.runtime.cgroups import tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.runtime.spec import Cgroup

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
#: What v1 calls no limit: the largest multiple of a page below 2^63.
UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class CpuUsage:
    """CPU time; `periods`, `throttled` and `throttled_ns` are the quota's."""

    total_ns: int = 0
    user_ns: int = 0
    system_ns: int = 0
    periods: int = 0
    throttled: int = 0
    throttled_ns: int = 0


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """Bytes in use; `limit` None for none; `stats` are the kernel's own, by name."""

    usage: int = 0
    limit: int | None = None
    max_usage: int | None = None
    failures: int | None = None
    stats: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class BlockUsage:
    """One device's traffic; major and minor are 0 where it is summed over all."""

    major: int
    minor: int
    read_bytes: int
    write_bytes: int
    reads: int = 0
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """One look at a container."""

    cpu: CpuUsage
    memory: MemoryUsage
    block: tuple[BlockUsage, ...]
    pids: int
    pids_limit: int | None


def read_usage(cgroup: Cgroup) -> Usage:
    """Look once. What has ended meanwhile counts as nothing; blocks for some file reads."""
    pids = tree.processes(cgroup)
    top = tree.unified_mount(cgroup.mode)
    unified = f"{top}/{cgroup.path}" if top else ""
    if cgroup.mode == "v2":
        return Usage(
            _cpu_v2(unified), _memory_v2(unified), _block_v2(unified), _threads(pids),
            _limit(f"{unified}/pids.max"),
        )  # fmt: skip
    memory = f"{tree.MOUNT}/memory/{cgroup.path}"
    block = f"{tree.MOUNT}/blkio/{cgroup.path}"
    cpu = _cpu_v2(unified) if unified else _cpu_of_processes(pids)
    return Usage(
        _with_quota_v1(cpu, f"{tree.MOUNT}/cpu/{cgroup.path}/cpu.stat"),
        _memory_v1(memory) if os.path.exists(memory) else _memory_of_processes(pids),
        _block_v1(block) if os.path.exists(block) else _block_of_processes(pids),
        _threads(pids),
        _limit(f"{tree.MOUNT}/pids/{cgroup.path}/pids.max"),
    )


def fields_of(text: str) -> dict[str, int]:
    """A flat keyed file ("name value" a line) as a mapping."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def parse_io_stat(text: str) -> tuple[BlockUsage, ...]:
    """v2's io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." a line."""
    found = []
    for line in text.splitlines():
        device, *pairs = line.split()
        major, _, minor = device.partition(":")
        values = {key: int(value) for key, _, value in (p.partition("=") for p in pairs)}
        read, write = values.get("rbytes", 0), values.get("wbytes", 0)
        ios = values.get("rios", 0), values.get("wios", 0)
        found.append(BlockUsage(int(major), int(minor), read, write, *ios))
    return tuple(found)


def parse_throttle(sizes: str, counts: str) -> tuple[BlockUsage, ...]:
    """v1's blkio.throttle.io_service_bytes and io_serviced: "8:0 Read 4096" a line."""
    read: dict[str, dict[str, int]] = {}
    for kind, text in (("bytes", sizes), ("count", counts)):
        for line in text.splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in ("Read", "Write"):
                read.setdefault(words[0], {})[f"{words[1]} {kind}"] = int(words[2])
    return tuple(
        BlockUsage(
            *map(int, device.split(":")),
            *(
                got.get(key, 0)
                for key in ("Read bytes", "Write bytes", "Read count", "Write count")
            ),
        )
        for device, got in read.items()
    )


def _cpu_v2(folder: str) -> CpuUsage:
    got = fields_of(_read(f"{folder}/cpu.stat"))
    return CpuUsage(
        got.get("usage_usec", 0) * 1000, got.get("user_usec", 0) * 1000,
        got.get("system_usec", 0) * 1000, got.get("nr_periods", 0), got.get("nr_throttled", 0),
        got.get("throttled_usec", 0) * 1000,
    )  # fmt: skip


def _with_quota_v1(cpu: CpuUsage, path: str) -> CpuUsage:
    got = fields_of(_read(path))
    periods, throttled = got.get("nr_periods", 0), got.get("nr_throttled", 0)
    return CpuUsage(
        cpu.total_ns, cpu.user_ns, cpu.system_ns, periods, throttled, got.get("throttled_time", 0)
    )


def _cpu_of_processes(pids: Iterable[int]) -> CpuUsage:
    user = system = 0
    for pid in pids:
        values = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if len(values) > 14:
            user += int(values[11]) + int(values[13])
            system += int(values[12]) + int(values[14])
    return CpuUsage((user + system) * TICK_NS, user * TICK_NS, system * TICK_NS)


def _memory_v2(folder: str) -> MemoryUsage:
    stats = fields_of(_read(f"{folder}/memory.stat"))
    current = _read(f"{folder}/memory.current").strip() or "0"
    return MemoryUsage(int(current), _limit(f"{folder}/memory.max"), stats=tuple(stats.items()))


def _memory_v1(folder: str) -> MemoryUsage:
    stats = fields_of(_read(f"{folder}/memory.stat"))
    limit = _number(f"{folder}/memory.limit_in_bytes")
    return MemoryUsage(
        _number(f"{folder}/memory.usage_in_bytes"),
        limit if 0 < limit < UNLIMITED else None,
        _number(f"{folder}/memory.max_usage_in_bytes"),
        _number(f"{folder}/memory.failcnt"),
        tuple(stats.items()),
    )


def _memory_of_processes(pids: Iterable[int]) -> MemoryUsage:
    total = 0
    for pid in pids:
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return MemoryUsage(total)


def _block_v2(folder: str) -> tuple[BlockUsage, ...]:
    return parse_io_stat(_read(f"{folder}/io.stat"))


def _block_v1(folder: str) -> tuple[BlockUsage, ...]:
    return parse_throttle(
        _read(f"{folder}/blkio.throttle.io_service_bytes_recursive"),
        _read(f"{folder}/blkio.throttle.io_serviced_recursive"),
    )


def _block_of_processes(pids: Iterable[int]) -> tuple[BlockUsage, ...]:
    read = write = 0
    for pid in pids:
        got = dict(line.split(": ") for line in _read(f"/proc/{pid}/io").splitlines())
        read += int(got.get("read_bytes", 0))
        write += int(got.get("write_bytes", 0))
    return (BlockUsage(0, 0, read, write),) if read or write else ()


def _threads(pids: Iterable[int]) -> int:
    total = 0
    for pid in pids:
        try:
            total += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue
    return total


def _limit(path: str) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _number(path: str) -> int:
    return int(_read(path).strip() or 0)


def _read(path: str) -> str:
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return ""
