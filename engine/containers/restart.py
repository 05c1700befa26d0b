"""Whether and when a container that ended is started again. Pure.

Source: Docker's restart policies; 100 ms doubling to a minute, reset by ten seconds of running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from engine.containers.config import RestartPolicy

FIRST_DELAY, LONGEST_DELAY = 0.1, 60.0
GOOD_RUN_NS = 10_000_000_000
NAMES = ("", "no", "always", "on-failure", "unless-stopped")


def check(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Raises InvalidRequestError for a policy that cannot be."""
    if policy.name not in NAMES:
        raise InvalidRequestError(
            f"invalid restart policy: unknown policy '{policy.name}'; use one of 'no', 'always', "
            "'on-failure', or 'unless-stopped'"
        )
    if policy.maximum_retry_count and policy.name != "on-failure":
        raise InvalidRequestError(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        )
    if auto_remove and policy.name not in ("", "no"):
        raise InvalidRequestError("can't create 'AutoRemove' container with restart policy")


def next_delay(previous: float, ran_ns: int) -> float:
    """Seconds to wait before the next start; `previous` 0 is the first time."""
    if ran_ns >= GOOD_RUN_NS or previous == 0:
        return FIRST_DELAY
    return min(previous * 2, LONGEST_DELAY)


def wants_restart(
    policy: RestartPolicy, exit_code: int, restarts: int, *, stopped_by_user: bool
) -> bool:
    """Whether a container that has just ended is to be started again."""
    if stopped_by_user:
        return False
    if policy.name in ("always", "unless-stopped"):
        return True
    if policy.name == "on-failure" and exit_code != 0:
        return not policy.maximum_retry_count or restarts < policy.maximum_retry_count
    return False


def wants_start_at_boot(
    policy: RestartPolicy, *, started_before: bool, stopped_by_user: bool
) -> bool:
    """Whether a container that did not run when the engine went is to be started with the engine.

    `always` brings back what was stopped by hand, `unless-stopped` does not; what `on-failure` has
    given up stays down.
    """
    if not started_before:
        return False
    return policy.name == "always" or (policy.name == "unless-stopped" and not stopped_by_user)
