"""Two looks at a container as Docker's stats document. Pure.

`precpu_stats` is the look before: clients compute percentages from the two. Source: the Engine API,
ContainerStats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.api.times import rfc3339

if TYPE_CHECKING:
    from engine.containers.model import Container
    from engine.containers.stats import Sample
    from engine.runtime.cgroups.usage import BlockUsage, MemoryUsage

#: What Docker gives for a limit that is none (2^64 - 1).
NO_LIMIT = 0xFFFF_FFFF_FFFF_FFFF


def stats_json(
    container: Container, now: Sample | None, before: Sample | None, memory_total: int
) -> dict[str, Any]:
    """The whole document; zeros where the container does not run (`now` is None)."""
    document: dict[str, Any] = {
        "name": f"/{container.name}",
        "id": container.id,
        "read": rfc3339(now.taken_ns if now else 0),
        "preread": rfc3339(before.taken_ns if before else 0),
        "num_procs": 0,
        "pids_stats": {},
        "cpu_stats": cpu_json(now),
        "precpu_stats": cpu_json(before),
        "memory_stats": {},
        "blkio_stats": _blkio_json(()),
        "storage_stats": {},
    }
    if now is None:
        return document
    usage = now.usage
    limit = NO_LIMIT if usage.pids_limit is None else usage.pids_limit
    document["pids_stats"] = {"current": usage.pids, "limit": limit}
    document["memory_stats"] = _memory_json(usage.memory, memory_total)
    document["blkio_stats"] = _blkio_json(usage.block)
    if now.interfaces:
        document["networks"] = {
            i.name: {
                "rx_bytes": i.rx_bytes, "rx_packets": i.rx_packets, "rx_errors": i.rx_errors,
                "rx_dropped": i.rx_dropped, "tx_bytes": i.tx_bytes, "tx_packets": i.tx_packets,
                "tx_errors": i.tx_errors, "tx_dropped": i.tx_dropped,
            }
            for i in now.interfaces
        }  # fmt: skip
    return document


def cpu_json(sample: Sample | None) -> dict[str, Any]:
    """cpu_stats and precpu_stats."""
    if sample is None:
        return {
            "cpu_usage": {
                "total_usage": 0,
                "usage_in_kernelmode": 0,
                "usage_in_usermode": 0,
            },
            "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
        }
    cpu = sample.usage.cpu
    return {
        "cpu_usage": {
            "total_usage": cpu.total_ns,
            "usage_in_kernelmode": cpu.system_ns,
            "usage_in_usermode": cpu.user_ns,
        },
        "system_cpu_usage": sample.system_cpu_ns,
        "online_cpus": sample.online_cpus,
        "throttling_data": {
            "periods": cpu.periods,
            "throttled_periods": cpu.throttled,
            "throttled_time": cpu.throttled_ns,
        },
    }


def _memory_json(memory: MemoryUsage, memory_total: int) -> dict[str, Any]:
    document: dict[str, Any] = {"usage": memory.usage}
    if memory.max_usage is not None:
        document["max_usage"] = memory.max_usage
    document["stats"] = dict(memory.stats)
    if memory.failures is not None:
        document["failcnt"] = memory.failures
    document["limit"] = memory.limit or memory_total
    return document


def _blkio_json(devices: tuple[BlockUsage, ...]) -> dict[str, Any]:
    sizes, counts = [], []
    for device in devices:
        place = {"major": device.major, "minor": device.minor}
        sizes += [
            {**place, "op": "read", "value": device.read_bytes},
            {**place, "op": "write", "value": device.write_bytes},
        ]
        if device.reads or device.writes:
            counts += [
                {**place, "op": "read", "value": device.reads},
                {**place, "op": "write", "value": device.writes},
            ]
    return {
        "io_service_bytes_recursive": sizes or None,
        "io_serviced_recursive": counts or None,
        "io_queue_recursive": None,
        "io_service_time_recursive": None,
        "io_wait_time_recursive": None,
        "io_merged_recursive": None,
        "io_time_recursive": None,
        "sectors_recursive": None,
    }
