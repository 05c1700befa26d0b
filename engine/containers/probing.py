"""Health checks carried out: one task per running container that has one.

It ends with the container's process, rests while the container is paused, and goes on after a restart
of the engine where it was: the start period counts from the container's start.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from engine.containers import health
from engine.containers.model import Health

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.containers.execs import Execs
    from engine.containers.live import Live
    from engine.containers.model import Container
    from engine.containers.registry import Registry

#: Seconds between looks at whether a paused container goes on.
REST = 0.2


async def check_health(
    container_id: str,
    live: Live,
    registry: Registry,
    execs: Execs,
    changed: Callable[[Container], Awaitable[None]],
) -> None:
    """Probe until `live.scope` is cancelled; `changed` hears of every new status."""
    with live.scope:
        container = registry.get(container_id)
        check = container.config.healthcheck
        assert check is not None
        command = health.probe_command(container.config)
        began = container.state.started_ns
        usual = health.wait_before(check, Health("healthy"), 0, 0)
        due = began + (check.start_interval or usual if check.start_period else usual)
        wait, cost = 0, 0
        while True:
            state = registry.get(container_id).state.health or Health("starting")
            wait = health.wait_before(check, state, wait, cost)
            await trio.sleep(wait / 1e9)
            while registry.get(container_id).state.status == "paused":  # noqa: ASYNC110  # rare, and slow anyway
                await trio.sleep(REST)
            container = registry.get(container_id)
            started = time.time_ns()
            result = await execs.probe(container, command, health.timeout_of(check))
            now = time.time_ns()
            cost = now - started
            early = now < due
            due = due if early else now + usual
            after = health.after_probe(
                check, state, result,
                in_start_period=now - began < check.start_period, early=early,
            )  # fmt: skip
            container = registry.set_state(container_id, health=after)
            if after.status != state.status:
                await changed(container)


def at_end(state: Health | None) -> Health | None:
    """The health of what does not run any more: Docker calls it unhealthy."""
    return replace(state, status="unhealthy") if state is not None else None
