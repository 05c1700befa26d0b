"""New limits for a container that exists: in range, and not at odds with what it has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.containers.config import Config, HostConfig, RestartPolicy
from engine.containers.model import Container, UpdateRequest
from engine.containers.update import updated_host_config
from engine.errors import ConflictError, EngineError

MB = 1 << 20


def container(**host: object) -> Container:
    return Container("c" * 64, "one", 0, "i", Config(), HostConfig(**host))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "asked", "words"),
    [
        ({}, {"blkio_weight": 5}, "Range of blkio weight is from 10 to 1000"),
        ({}, {"cpu_period": 10}, "CPU cfs period can not be less than 1ms"),
        ({}, {"cpu_quota": 10}, "CPU cfs quota can not be less than 1ms"),
        ({}, {"cpu_shares": -1}, "the value must be a positive integer"),
        ({}, {"cpuset_cpus": "x"}, "Invalid value x for cpuset cpus"),
        ({}, {"memory": MB}, "Minimum memory limit allowed is 6MB"),
        ({}, {"memory_reservation": MB}, "Minimum memory reservation allowed is 6MB"),
        ({}, {"memory_swap": 64 * MB}, "You should always set the Memory limit"),
        ({"memory": 64 * MB}, {"memory_reservation": 128 * MB}, "less than memory reservation limit"),
        ({"memory": 64 * MB, "memory_swap": 64 * MB}, {"memory": 128 * MB}, "update the memoryswap"),
        ({"nano_cpus": 10**9}, {"cpu_quota": 20000}, "CPU Quota cannot be updated as NanoCPUs"),
        ({"cpu_quota": 20000}, {"nano_cpus": 10**9}, "Nano CPUs cannot be updated as CPU Period"),
        ({}, {"restart_policy_name": "sometimes"}, "unknown policy 'sometimes'"),
        ({"auto_remove": True}, {"restart_policy_name": "always"}, "AutoRemove is enabled"),
    ],
)  # fmt: skip
def test_what_is_out_of_range_or_at_odds_is_refused(
    before: dict[str, object], asked: dict[str, object], words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        updated_host_config(container(**before), UpdateRequest(**asked))  # type: ignore[arg-type]


def test_only_what_is_given_changes() -> None:
    made = container(memory=64 * MB, cpu_shares=512, pids_limit=7, cpuset_cpus="0")
    after = updated_host_config(made, UpdateRequest(memory=128 * MB, pids_limit=0))
    assert (after.memory, after.cpu_shares, after.pids_limit, after.cpuset_cpus) == (
        128 * MB, 512, -1, "0",
    )  # fmt: skip
    policy = UpdateRequest(restart_policy_name="on-failure", restart_policy_retries=3)
    assert updated_host_config(made, policy).restart_policy == RestartPolicy("on-failure", 3)


def test_what_is_being_removed_is_not_updated() -> None:
    made = container()
    made = replace(made, state=replace(made.state, status="removing"))
    with pytest.raises(ConflictError, match="marked for removal"):
        updated_host_config(made, UpdateRequest(memory=64 * MB))
