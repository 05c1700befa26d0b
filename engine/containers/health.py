"""Health checks: what to run, how a result changes the state (pure), and when the next probe is due.

Source: Docker's HEALTHCHECK. One difference, on purpose: a container that is still starting is probed
early and often (30 ms, growing to the interval), so that nobody waits an idle interval for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.containers.model import Health, HealthLog

if TYPE_CHECKING:
    from engine.containers.config import Config, HealthConfig

SECOND = 1_000_000_000
INTERVAL, TIMEOUT, RETRIES, START_INTERVAL = 30 * SECOND, 30 * SECOND, 3, 5 * SECOND
#: Nanoseconds before the first probe, and how the wait grows while the container starts.
FIRST_WAIT, GROWTH = 30 * SECOND // 1000, 1.5
LOG_LENGTH, OUTPUT_LIMIT = 5, 4096
#: How much of a probe's time may be spent probing early: its cost bounds how often it runs.
EASE = 4


def probe_command(config: Config) -> tuple[str, ...]:
    """The program to run inside, () where there is no check."""
    health = config.healthcheck
    if health is None or not health.test or health.test[0] == "NONE":
        return ()
    if health.test[0] == "CMD":
        return health.test[1:]
    if health.test[0] == "CMD-SHELL":
        return (*(config.shell or ("/bin/sh", "-c")), *health.test[1:])
    return health.test


def go_duration(seconds: float) -> str:
    """Seconds as Go writes a duration: "500ms", "30s", "1m30s"."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    head = f"{hours}h" if hours else ""
    return f"{head}{minutes}m{rest:g}s" if hours or minutes else f"{rest:g}s"


def timeout_of(health: HealthConfig) -> float:
    """Seconds after which a probe is killed."""
    return (health.timeout or TIMEOUT) / SECOND


def wait_before(health: HealthConfig, state: Health, previous: int, cost_ns: int) -> int:
    """Nanoseconds until the next probe; `previous` 0 before the first, `cost_ns` what a probe took."""
    interval = health.interval or INTERVAL
    if state.status != "starting":
        return interval
    usual = (
        min(health.start_interval or START_INTERVAL, interval) if health.start_period else interval
    )
    if previous == 0:
        return min(FIRST_WAIT, usual)
    return min(max(int(previous * GROWTH), cost_ns * EASE), usual)


def after_probe(
    health: HealthConfig, state: Health, result: HealthLog, *, in_start_period: bool, early: bool
) -> Health:
    """The state after a probe. A failure does not count while the container may still be starting.

    `early` marks a probe that Docker would not have run yet: only its success counts.
    """
    log = (*state.log, result)[-LOG_LENGTH:]
    if result.exit_code == 0:
        return Health("healthy", 0, log)
    if state.status == "starting" and (in_start_period or early):
        return replace(state, log=log)
    streak = state.failing_streak + 1
    status = "unhealthy" if streak >= (health.retries or RETRIES) else state.status
    return Health(status, streak, log)
