"""`docker update`: new limits and a new restart policy for a container that exists. Pure.

Source: Docker's rules for what may change (daemon/update and the HostConfig's own checks).
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from engine.containers import restart
from engine.containers.checks import SMALLEST_MEMORY, check_limits
from engine.containers.config import RestartPolicy
from engine.errors import ConflictError, InvalidRequestError

if TYPE_CHECKING:
    from engine.containers.config import HostConfig
    from engine.containers.model import Container, UpdateRequest

_POLICY = ("restart_policy_name", "restart_policy_retries")


def updated_host_config(container: Container, request: UpdateRequest) -> HostConfig:
    """What the container is to be from now on. Raises InvalidRequestError, ConflictError."""
    if container.state.status in ("removing", "dead"):
        raise ConflictError('Container is marked for removal and cannot be "update".')
    before = container.host_config
    given = {
        field.name: getattr(request, field.name)
        for field in fields(request)
        if field.name not in _POLICY and getattr(request, field.name)
    }
    if request.pids_limit is not None:
        given["pids_limit"] = request.pids_limit or -1
    after = replace(before, **given)
    _check_cpu(before, request)
    _check_memory(before, after, given)
    check_limits(after)
    return replace(after, restart_policy=_policy(before, request))


def _check_cpu(before: HostConfig, request: UpdateRequest) -> None:
    if request.nano_cpus and (before.cpu_period or before.cpu_quota):
        raise ConflictError(
            "Conflicting options: Nano CPUs cannot be updated as CPU Period/Quota has already been set"
        )
    for value, name in ((request.cpu_period, "CPU Period"), (request.cpu_quota, "CPU Quota")):
        if value and before.nano_cpus:
            raise ConflictError(
                f"Conflicting options: {name} cannot be updated as NanoCPUs has already been set"
            )


def _check_memory(before: HostConfig, after: HostConfig, given: dict[str, object]) -> None:
    if 0 < after.memory < SMALLEST_MEMORY:
        raise InvalidRequestError("Minimum memory limit allowed is 6MB")
    if after.memory_reservation and after.memory and after.memory < after.memory_reservation:
        raise InvalidRequestError(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )
    if "memory" in given and "memory_swap" not in given and 0 < before.memory_swap < after.memory:
        raise ConflictError(
            "Memory limit should be smaller than already set memoryswap limit, "
            "update the memoryswap at the same time"
        )
    if 0 < after.memory_swap < after.memory:
        raise InvalidRequestError(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if after.memory_swap > 0 and not after.memory:
        raise InvalidRequestError(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )


def _policy(before: HostConfig, request: UpdateRequest) -> RestartPolicy:
    if not request.restart_policy_name:
        return before.restart_policy
    policy = RestartPolicy(request.restart_policy_name, request.restart_policy_retries or 0)
    if before.auto_remove and policy.name != "no":
        raise ConflictError(
            "Restart policy cannot be updated because AutoRemove is enabled for the container"
        )
    restart.check(policy, auto_remove=False)
    return policy
