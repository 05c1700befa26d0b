"""Limits as the kernel's files: what to write where, for cgroup v1 and v2. Pure.

Sources: the kernel's admin-guide/cgroup-v1 and cgroup-v2; the conversion of cpu shares to weight
and of memory+swap to swap are runc's, so that limits mean what they mean under Docker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from engine.runtime.spec import Limits

DEFAULT_PERIOD = 100_000


@dataclass(frozen=True, slots=True)
class Write:
    """One value for one file of one controller; where it is not there, `instead` (file, value)."""

    controller: str
    file: str
    value: str
    instead: tuple[str, str] | None = None


def writes_v1(limits: Limits) -> tuple[Write, ...]:
    """The writes for cgroup v1, in the order the kernel accepts them on a fresh cgroup."""
    out: list[Write] = []

    def put(controller: str, file: str, value: object) -> None:
        if value is not None and value != "":
            out.append(Write(controller, file, str(value)))

    put("memory", "memory.limit_in_bytes", limits.memory)
    put("memory", "memory.memsw.limit_in_bytes", limits.memory_swap)
    put("memory", "memory.soft_limit_in_bytes", limits.memory_reservation)
    put("memory", "memory.swappiness", limits.memory_swappiness)
    put("memory", "memory.oom_control", 1 if limits.oom_kill_disable else None)
    put("cpu", "cpu.shares", limits.cpu_shares)
    put("cpu", "cpu.cfs_period_us", limits.cpu_period)
    put("cpu", "cpu.cfs_quota_us", limits.cpu_quota)
    put("cpuset", "cpuset.cpus", limits.cpuset_cpus)
    put("cpuset", "cpuset.mems", limits.cpuset_mems)
    put("pids", "pids.max", _pids(limits))
    put("blkio", "blkio.bfq.weight", limits.blkio_weight)
    for major, minor, weight in limits.weight_devices:
        put("blkio", "blkio.bfq.weight_device", f"{major}:{minor} {weight}")
    for file, entries in (
        ("blkio.throttle.read_bps_device", limits.read_bps),
        ("blkio.throttle.write_bps_device", limits.write_bps),
        ("blkio.throttle.read_iops_device", limits.read_iops),
        ("blkio.throttle.write_iops_device", limits.write_iops),
    ):
        for major, minor, value in entries:
            put("blkio", file, f"{major}:{minor} {value}")
    return tuple(out)


def writes_v2(limits: Limits) -> tuple[Write, ...]:
    """The writes for cgroup v2."""
    out: list[Write] = []

    def put(controller: str, file: str, value: object) -> None:
        if value is not None and value != "":
            out.append(Write(controller, file, str(value)))

    put("memory", "memory.max", _limit(limits.memory))
    put("memory", "memory.swap.max", swap_of(limits))
    put("memory", "memory.low", limits.memory_reservation)
    put("cpu", "cpu.weight", weight_of(limits.cpu_shares))
    if limits.cpu_quota is not None or limits.cpu_period is not None:
        quota = limits.cpu_quota if limits.cpu_quota and limits.cpu_quota > 0 else "max"
        put("cpu", "cpu.max", f"{quota} {limits.cpu_period or DEFAULT_PERIOD}")
    put("cpuset", "cpuset.cpus", limits.cpuset_cpus)
    put("cpuset", "cpuset.mems", limits.cpuset_mems)
    put("pids", "pids.max", _pids(limits))
    if limits.blkio_weight:
        weight = str(limits.blkio_weight)
        plain = ("io.weight", str(io_weight_of(limits.blkio_weight)))
        out.append(Write("io", "io.bfq.weight", weight, plain))
    for major, minor, value in limits.weight_devices:
        plain = ("io.weight", f"{major}:{minor} {io_weight_of(value)}")
        out.append(Write("io", "io.bfq.weight", f"{major}:{minor} {value}", plain))
    for key, entries in (
        ("rbps", limits.read_bps),
        ("wbps", limits.write_bps),
        ("riops", limits.read_iops),
        ("wiops", limits.write_iops),
    ):
        for major, minor, value in entries:
            put("io", "io.max", f"{major}:{minor} {key}={value}")
    return tuple(out)


def weight_of(shares: int | None) -> int | None:
    """cpu.shares (2..262144) as cpu.weight (1..10000); None and 0 leave the default."""
    if not shares:
        return None
    clamped = min(max(shares, 2), 262144)
    return 1 + (clamped - 2) * 9999 // 262142


def io_weight_of(weight: int) -> int:
    """blkio's weight (10..1000) as io.weight (1..10000)."""
    return 1 + (min(max(weight, 10), 1000) - 10) * 9999 // 990


def swap_of(limits: Limits) -> str | None:
    """memory.swap.max: Docker's value counts memory and swap together, the kernel's swap alone."""
    if limits.memory_swap is None:
        return None
    if limits.memory_swap < 0:
        return "max"
    return str(max(limits.memory_swap - max(limits.memory or 0, 0), 0))


def missing_limits(writes: Iterable[Write], files: Collection[str]) -> tuple[str, ...]:
    """What of the limits this host cannot set, as warnings; none where `files` is unknown (empty)."""
    absent = [
        write
        for write in writes
        if write.file not in files and (write.instead is None or write.instead[0] not in files)
    ]
    return tuple(
        f"this host cannot limit {write.controller}: it has no {write.file}. "
        f"The limit {write.value} is discarded."
        for write in (absent if files else ())
    )


def _limit(value: int | None) -> str | None:
    return None if value is None else "max" if value < 0 else str(value)


def _pids(limits: Limits) -> str | None:
    if limits.pids is None or limits.pids == 0:
        return None
    return "max" if limits.pids < 0 else str(limits.pids)
