"""deploy.update_config on one host: how many of a service's containers are replaced at a time. Pure.

Source: the Compose Specification, deploy, update_config. Without it all are replaced at once, as
docker compose does. Rules: a batch begins when the one before it is up (and healthy, where there is a
check), after the delay; with start-first a new container is up before its predecessor is stopped,
which published ports of a fixed number do not allow.
"""

from __future__ import annotations

import re

from compose.model.record import Record
from compose.planner.steps import (
    Delay,
    Plan,
    RemoveContainer,
    RenameContainer,
    StartContainer,
    StopContainer,
    WaitCondition,
    WatchUpdate,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from compose.model.observed import Observed, ObservedContainer
    from compose.model.service import Service
    from compose.planner.steps import Step

#: The name of a container that an update has put aside: its usual one, and the beginning of its id.
RETIRED = r"(.+)_retired_([0-9a-f]{12})"
UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001, "us": 1e-6, "ns": 1e-9}


class Rollout(Record):
    """How to replace. `parallelism` 0 is all at once; `ratio` of failures is tolerated."""

    parallelism: int = 0
    delay: float = 0.0
    start_first: bool = False
    warning: str = ""
    monitor: float = 0.0
    ratio: float = 0.0
    on_failure: str = "pause"

    @property
    def is_watched(self) -> bool:
        """Whether failures are counted; without a word about them the first one ends the update."""
        return bool(self.monitor or self.ratio or self.on_failure != "pause")

    @property
    def rolls_back(self) -> bool:
        """Whether what is replaced is kept until the update is known to be good."""
        return self.on_failure == "rollback"

    def watch(
        self, name: str, service: str, needs: frozenset[str], names: Sequence[str], total: int
    ) -> WatchUpdate:
        """The step that watches these of all `total` containers that are replaced."""
        tolerated = None if self.on_failure == "continue" else int(self.ratio * total)
        return WatchUpdate(
            id=name, needs=needs, service=service, seconds=self.monitor, tolerated=tolerated,
            containers=tuple((one, one) for one in names), rollback=self.rolls_back,
        )  # fmt: skip


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
        monitor=seconds(update.get("monitor") or 0),
        ratio=float(update.get("max_failure_ratio") or 0),
        on_failure=update.get("failure_action") or "pause",
    )


def at_once(service: Service) -> str:
    """What is said where containers are made now and started later: there is nothing to roll. Pure."""
    return (
        f"services.{service.name}.deploy.update_config is for `up -d`: here all its containers are "
        "replaced before any is started"
    )


def seconds(duration: Any) -> float:
    """ "1m30s" as seconds; a number is nanoseconds."""
    if isinstance(duration, int | float):
        return duration / 1e9
    parts = re.findall(r"([0-9.]+)(ms|us|ns|h|m|s)", str(duration))
    return float(sum(float(number) * UNITS[unit] for number, unit in parts))


class Batches:
    """The containers of one service, in batches; `begin` says what each has to wait for.

    `total` of them are replaced. What is to be kept until the end is in `retired` (id, name).
    """

    def __init__(self, service: Service, rollout: Rollout, total: int) -> None:
        self._service = service
        self._rollout = rollout
        self._total = total
        self._batch: list[tuple[str, str]] = []  # name, the step after which it is up
        self._to_prove: list[str] = []
        self._before: frozenset[str] = frozenset()
        self._number = 0
        self.retired: list[tuple[str, str]] = []

    def begin(self, steps: list[Step]) -> frozenset[str]:
        """What the next replacement needs; closes the batch that is full."""
        size = self._rollout.parallelism
        if size and len(self._batch) == size:
            self._close(steps)
            if self._rollout.delay:
                delay = Delay(
                    id=f"delay after batch {self._number} of {self._service.name}",
                    needs=self._before, service=self._service.name, seconds=self._rollout.delay,
                )  # fmt: skip
                steps.append(delay)
                self._before = frozenset((delay.id,))
        return self._before

    def add(self, name: str, last: str, *, is_proven: bool = False) -> None:
        """A replacement of the batch: it is up after step `last`, and was watched before if `is_proven`."""
        self._batch.append((name, last))
        if not is_proven:
            self._to_prove.append(name)

    def ready(self, name: str, up: str) -> Step:
        """The step after which a new container that goes first has shown that it is good."""
        label = f"wait for {name} to be up"
        if self._rollout.is_watched:
            return self._rollout.watch(
                label, self._service.name, frozenset((up,)), (name,), self._total
            )
        return WaitCondition(
            id=label, needs=frozenset((up,)), service=self._service.name, dependency=False,
            condition="running_or_healthy", containers=((name, name),),
        )  # fmt: skip

    def finish(self, steps: list[Step]) -> None:
        """After the last: where failures count, its batch is watched too, then the old ones go."""
        if not self._batch or not self._rollout.is_watched:
            return
        self._close(steps)
        steps += [
            RemoveContainer(
                id=f"remove {name}", needs=self._before, ref=container_id, name=name, quiet=True
            )
            for container_id, name in self.retired
        ]

    def _close(self, steps: list[Step]) -> None:
        self._number += 1
        needs = frozenset(last for _, last in self._batch)
        label = f"wait for batch {self._number} of {self._service.name}"
        names = self._to_prove
        self._batch, self._to_prove = [], []
        self._before = needs
        if not names:
            return
        wait: Step
        if self._rollout.is_watched:
            wait = self._rollout.watch(label, self._service.name, needs, names, self._total)
        else:
            wait = WaitCondition(
                id=label, needs=needs, service=self._service.name, dependency=False,
                condition="running_or_healthy", containers=tuple((one, one) for one in names),
            )  # fmt: skip
        steps.append(wait)
        self._before = frozenset((wait.id,))


def retired_name(name: str, container_id: str) -> str:
    """What a container is called whose place is taken, until the update is known to be good."""
    return f"{name}_retired_{container_id[:12]}"


def plan_rollback(service: str, observed: Observed, timeout: int | None = None) -> Plan:
    """Back to the containers that an update has put aside; whatever was begun of it goes. Pure."""
    mine = [one for one in observed.containers if one.service == service and not one.oneoff]
    named = {one.name: one for one in mine}
    steps: list[Step] = []

    def gone(one: ObservedContainer) -> frozenset[str]:
        needs: frozenset[str] = frozenset()
        if one.is_running:
            stop = StopContainer(
                id=f"stop {one.name}", ref=one.id, name=one.name, timeout=timeout, quiet=True
            )
            steps.append(stop)
            needs = frozenset((stop.id,))
        remove = RemoveContainer(
            id=f"remove {one.name}", needs=needs, ref=one.id, name=one.name, quiet=True
        )
        steps.append(remove)
        return frozenset((remove.id,))

    def started(one: ObservedContainer, name: str, needs: frozenset[str]) -> None:
        steps.append(
            StartContainer(
                id=f"start {name}", needs=needs, cause="rolled back", service=service, ref=one.id,
                name=name,
            )
        )  # fmt: skip

    for old in mine:
        aside = re.fullmatch(RETIRED, old.name)
        if aside and old.id.startswith(aside[2]):
            new = named.get(aside[1])
            back = RenameContainer(
                id=f"rename {aside[1]}", needs=gone(new) if new else frozenset(), ref=old.id,
                name=aside[1], quiet=True,
            )  # fmt: skip
            steps.append(back)
            started(old, aside[1], frozenset((back.id,)))
    for old in mine:
        begun = [one for one in mine if one.name.startswith(f"{old.id[:12]}_")]
        needs = frozenset(step for one in begun for step in gone(one))
        if begun and not old.is_running and not re.fullmatch(RETIRED, old.name):
            started(old, old.name, needs)
    return Plan(tuple(in_order(steps)))


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
