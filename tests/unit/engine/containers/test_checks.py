"""Requests that make no sense are refused before anything is made, in Docker's words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.checks import (
    check_devices,
    check_environment,
    check_health,
    check_limits,
    check_modes,
    check_own_ids,
    parse_set,
)
from engine.containers.config import (
    Config,
    DeviceMapping,
    HealthConfig,
    HostConfig,
    Ulimit,
    WeightDevice,
)
from engine.containers.inputs import check_against_host
from engine.errors import InvalidRequestError, NotSupportedError
from engine.host import probe_host

MB = 1 << 20


@pytest.mark.parametrize("entry", ["=x", "=", ""])
def test_a_variable_without_a_name_is_refused(entry: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"invalid environment variable: {entry}"):
        check_environment(("A=1", "B", entry))


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (HealthConfig(interval=999_999), "Interval in Healthcheck cannot be less than 1ms"),
        (HealthConfig(timeout=1), "Timeout in"),
        (HealthConfig(start_period=-1), "StartPeriod in"),
        (HealthConfig(start_interval=1), "StartInterval in"),
        (HealthConfig(retries=-1), "Retries in Healthcheck cannot be negative"),
    ],
)
def test_health_checks_of_no_length(health: HealthConfig, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        check_health(health)
    check_health(HealthConfig(interval=1_000_000))


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (HostConfig(memory=MB), "Minimum memory limit allowed is 6MB"),
        (HostConfig(memory=-5), "not negative"),
        (HostConfig(memory=64 * MB, memory_swap=32 * MB), "Minimum memoryswap limit"),
        (HostConfig(memory_swap=32 * MB), "always set the Memory limit"),
        (HostConfig(memory=64 * MB, memory_reservation=65 * MB), "less than memory reservation"),
        (HostConfig(memory_reservation=MB), "Minimum memory reservation"),
        (HostConfig(memory_swappiness=101), "swappiness range is 0-100"),
        (HostConfig(nano_cpus=1, cpu_period=5000), "CPU Period cannot both be set"),
        (HostConfig(nano_cpus=1, cpu_quota=5000), "CPU Quota cannot both be set"),
        (HostConfig(cpu_period=999), "CPU cfs period"),
        (HostConfig(cpu_quota=999), "CPU cfs quota"),
        (HostConfig(cpu_shares=-1), "positive integer"),
        (HostConfig(cpuset_cpus="a"), "Invalid value a for cpuset cpus"),
        (HostConfig(cpuset_mems="1-0"), "Invalid value 1-0 for cpuset mems"),
        (HostConfig(blkio_weight=9), "from 10 to 1000"),
        (HostConfig(blkio_weight_device=(WeightDevice("/dev/null", 1001),)), "from 10 to 1000"),
        (HostConfig(oom_score_adj=1001), r"range for oom score adj is \[-1000, 1000\]"),
        (HostConfig(shm_size=-1), "SHM size can not be less than 0"),
        (HostConfig(ulimits=(Ulimit("nofoo", 1, 1),)), "invalid ulimit type: nofoo"),
        (HostConfig(ulimits=(Ulimit("nofile", 2, 1),)), "2 > 1"),
        (HostConfig(ulimits=(Ulimit("nofile", -1, 1),)), "-1 > 1"),
    ],
)
def test_limits(host: HostConfig, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        check_limits(host)


def test_limits_that_are_fine() -> None:
    check_limits(
        HostConfig(
            memory=64 * MB, memory_swap=-1, memory_reservation=32 * MB, memory_swappiness=-1,
            cpu_quota=-1, cpu_period=100_000, cpuset_cpus="0-3,5", blkio_weight=10,
            ulimits=(Ulimit("RLIMIT_NOFILE", 1, 2), Ulimit("core", 0, -1), Ulimit("core", -1, -1)),
        )
    )  # fmt: skip


def test_real_time_scheduling_is_refused_by_name() -> None:
    with pytest.raises(NotSupportedError, match="cpu_rt_runtime"):
        check_limits(HostConfig(cpu_realtime_runtime=95000))


@given(st.sets(st.integers(0, 4000), max_size=50))
def test_sets_of_cpus(numbers: set[int]) -> None:
    assert parse_set(",".join(str(n) for n in numbers), "cpus") == numbers


@given(st.text(alphabet="0123456789-, ax", max_size=8))
def test_a_set_is_read_or_refused(text: str) -> None:
    try:
        assert all(0 <= n < 100000 for n in parse_set(text, "cpus"))
    except InvalidRequestError:
        pass


@pytest.mark.parametrize(
    ("field", "mode", "words"),
    [
        ("pid_mode", "foo", "invalid PID mode: foo"),
        ("pid_mode", "container:", "invalid PID mode"),
        ("ipc_mode", "foo", "invalid IPC mode: foo"),
        ("uts_mode", "container:x", "invalid UTS mode"),
        ("cgroupns_mode", "foo", "invalid cgroup namespace mode: foo"),
        ("userns_mode", "keep-id", "invalid user namespace mode: keep-id"),
    ],
)
def test_modes(field: str, mode: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        check_modes(Config(), replace(HostConfig(), **{field: mode}))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (HostConfig(privileged=True), "privileged mode is incompatible"),
        (HostConfig(network_mode="container:x"), "share another container's network namespace"),
        (HostConfig(ipc_mode="host"), "share the host's ipc namespace"),
    ],
)
def test_what_cannot_go_with_a_user_namespace(asked: HostConfig, words: str) -> None:
    check_modes(Config(), HostConfig(userns_mode="auto"))
    with pytest.raises(InvalidRequestError, match=words):
        check_own_ids(asked)


def test_modes_that_exclude_an_option() -> None:
    with pytest.raises(InvalidRequestError, match="hostname and the UTS mode"):
        check_modes(Config(hostname="x"), HostConfig(uts_mode="host"))
    with pytest.raises(InvalidRequestError, match="hostname and the network mode"):
        check_modes(Config(hostname="x"), HostConfig(network_mode="container:y"))
    check_modes(Config(hostname="x"), HostConfig(network_mode="host", pid_mode="container:y"))


def test_devices() -> None:
    with pytest.raises(InvalidRequestError, match="invalid device mode: rx"):
        check_devices(HostConfig(devices=(DeviceMapping("/dev/null", "", "rx"),)))
    with pytest.raises(InvalidRequestError, match="must be absolute"):
        check_devices(HostConfig(devices=(DeviceMapping("vendor.com/gpu=0", "", ""),)))


def test_cpus_that_the_host_has_not() -> None:
    host = replace(probe_host(), cpus=2, cpu_list="0-1", memory_nodes="0")
    with pytest.raises(InvalidRequestError, match="requested 0-2, available: 0-1"):
        check_against_host(HostConfig(cpuset_cpus="0-2"), host)
    with pytest.raises(InvalidRequestError, match="memory nodes are not available"):
        check_against_host(HostConfig(cpuset_mems="1"), host)
    check_against_host(HostConfig(cpuset_cpus="1", cpuset_mems="0", nano_cpus=2 * 10**9), host)
