"""deploy.update_config on one host: how many of a service's containers are replaced at a time. Pure.

Source: the Compose Specification, deploy, update_config. Without it all are replaced at once, as
docker compose does. Rules: a batch begins when the one before it is up (and healthy, where there is a
check), after the delay; with start-first a new container is up before its predecessor is stopped,
which published ports of a fixed number do not allow.
"""

from __future__ import annotations

import re

from compose.model.record import Record
from compose.planner.steps import Delay, WaitCondition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from compose.model.service import Service
    from compose.planner.steps import Step

UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001, "us": 1e-6, "ns": 1e-9}


class Rollout(Record):
    """How to replace. `parallelism` 0 is all at once."""

    parallelism: int = 0
    delay: float = 0.0
    start_first: bool = False
    warning: str = ""


def rollout_of(service: Service) -> Rollout:
    """What the service asks for."""
    document = service.deploy.document if service.deploy is not None else {}
    update = document.get("update_config")
    if not update:
        return Rollout()
    wants_start_first = update.get("order") == "start-first"
    fixed = [port for port in service.ports if port.published and "-" not in port.published]
    warning = ""
    if wants_start_first and fixed:
        warning = (
            f"services.{service.name}.deploy.update_config.order: start-first is not possible while "
            f"port {fixed[0].published} is published: the old container is stopped first"
        )
    return Rollout(
        parallelism=int(update.get("parallelism", 1)),
        delay=seconds(update.get("delay") or 0),
        start_first=wants_start_first and not fixed,
        warning=warning,
    )


def seconds(duration: Any) -> float:
    """ "1m30s" as seconds; a number is nanoseconds."""
    if isinstance(duration, int | float):
        return duration / 1e9
    parts = re.findall(r"([0-9.]+)(ms|us|ns|h|m|s)", str(duration))
    return float(sum(float(number) * UNITS[unit] for number, unit in parts))


class Batches:
    """The containers of one service, in batches; `begin` says what each has to wait for."""

    def __init__(self, service: Service, rollout: Rollout) -> None:
        self._service = service
        self._rollout = rollout
        self._batch: list[tuple[str, str]] = []  # name, the step after which it is up
        self._before: frozenset[str] = frozenset()
        self._number = 0

    def begin(self, steps: list[Step]) -> frozenset[str]:
        """What the next replacement needs; closes the batch that is full."""
        size = self._rollout.parallelism
        if size and len(self._batch) == size:
            self._close(steps)
        return self._before

    def add(self, name: str, last: str) -> None:
        """A replacement of the batch: it is up after step `last`."""
        self._batch.append((name, last))

    def _close(self, steps: list[Step]) -> None:
        self._number += 1
        needs = frozenset(last for _, last in self._batch)
        wait = WaitCondition(
            id=f"wait for batch {self._number} of {self._service.name}", needs=needs,
            service=self._service.name, condition="running_or_healthy", dependency=False,
            containers=tuple((name, name) for name, _ in self._batch),
        )  # fmt: skip
        steps.append(wait)
        self._before = frozenset((wait.id,))
        if self._rollout.delay:
            delay = Delay(
                id=f"delay after batch {self._number} of {self._service.name}",
                needs=self._before, service=self._service.name, seconds=self._rollout.delay,
            )  # fmt: skip
            steps.append(delay)
            self._before = frozenset((delay.id,))
        self._batch = []


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The steps so that each comes after those it needs, otherwise as they were."""
    left = {step.id: step for step in steps}
    done: dict[str, Step] = {}

    def visit(step: Step) -> None:
        if step.id in done or step.id not in left:
            return
        del left[step.id]
        for need in sorted(step.needs):
            if need in left:
                visit(left[need])
        done[step.id] = step

    for step in steps:
        visit(step)
    return list(done.values())
