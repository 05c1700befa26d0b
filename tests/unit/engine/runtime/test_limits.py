"""Docker's limits in the kernel's files, for both kinds of cgroup."""

from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.cgroups.limits import (
    Write,
    io_weight_of,
    missing_limits,
    weight_of,
    writes_v1,
    writes_v2,
)
from engine.runtime.spec import Limits

MB = 1 << 20
ALL = Limits(
    memory=64 * MB, memory_swap=96 * MB, memory_reservation=32 * MB, memory_swappiness=10,
    oom_kill_disable=True, cpu_shares=512, cpu_quota=50_000, cpu_period=100_000, cpuset_cpus="0",
    cpuset_mems="0", pids=7, blkio_weight=500, weight_devices=((8, 0, 100),),
    read_bps=((8, 0, 1000),), write_iops=((8, 0, 5),),
)  # fmt: skip


def as_text(writes: tuple[Write, ...]) -> list[str]:
    return [f"{write.file}={write.value}" for write in writes]


def test_v1() -> None:
    assert as_text(writes_v1(ALL)) == [
        f"memory.limit_in_bytes={64 * MB}",
        f"memory.memsw.limit_in_bytes={96 * MB}",
        f"memory.soft_limit_in_bytes={32 * MB}",
        "memory.swappiness=10",
        "memory.oom_control=1",
        "cpu.shares=512",
        "cpu.cfs_period_us=100000",
        "cpu.cfs_quota_us=50000",
        "cpuset.cpus=0",
        "cpuset.mems=0",
        "pids.max=7",
        "blkio.bfq.weight=500",
        "blkio.bfq.weight_device=8:0 100",
        "blkio.throttle.read_bps_device=8:0 1000",
        "blkio.throttle.write_iops_device=8:0 5",
    ]


def test_v2() -> None:
    assert as_text(writes_v2(ALL)) == [
        f"memory.max={64 * MB}",
        f"memory.swap.max={32 * MB}",
        f"memory.low={32 * MB}",
        "cpu.weight=20",
        "cpu.max=50000 100000",
        "cpuset.cpus=0",
        "cpuset.mems=0",
        "pids.max=7",
        "io.bfq.weight=500",
        "io.bfq.weight=8:0 100",
        "io.max=8:0 rbps=1000",
        "io.max=8:0 wiops=5",
    ]
    assert writes_v2(Limits(memory=MB, memory_swap=-1))[1].value == "max"
    assert as_text(writes_v2(Limits(cpu_quota=-1))) == ["cpu.max=max 100000"]


def test_no_limit_is_no_write() -> None:
    assert writes_v1(Limits()) == writes_v2(Limits()) == ()
    assert as_text(writes_v2(Limits(pids=-1))) == ["pids.max=max"]


@given(st.integers(2, 262144), st.integers(10, 1000))
def test_weights_stay_in_the_kernels_range(shares: int, weight: int) -> None:
    assert 1 <= (weight_of(shares) or 0) <= 10000
    assert 1 <= io_weight_of(weight) <= 10000


def test_what_the_host_cannot_limit_is_said() -> None:
    writes = writes_v2(Limits(memory=MB, blkio_weight=10))
    assert missing_limits(writes, frozenset()) == ()  # unknown
    assert missing_limits(writes, {"memory.max", "io.weight"}) == ()
    (said,) = missing_limits(writes, {"io.bfq.weight"})
    assert said.startswith("this host cannot limit memory: it has no memory.max.")
