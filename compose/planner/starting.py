"""The second half of `up`'s plan: starts in the order of depends_on, hooks, and what is waited for. Pure."""

from __future__ import annotations

from compose.model.record import Record
from compose.planner.decide import completing_services
from compose.planner.steps import RunHook, StartContainer, WaitCondition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compose.model.dependency import Dependency
    from compose.model.observed import ObservedContainer
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.planner.policy import UpPolicy
    from compose.planner.steps import Condition, Step

CONDITIONS: Mapping[str, Condition] = {
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}


class Planned(Record):
    """A container as it will be: `made_by` is the step after which it is there, "" if it is."""

    name: str
    ref: str
    made_by: str = ""
    cause: str = ""
    is_new: bool = False
    is_watched: bool = False


class Starting:
    """Plans the starts of containers that are there or planned; service -> containers, all of them
    and those to be started."""

    def __init__(
        self,
        project: Project,
        observed: Mapping[str, Sequence[ObservedContainer]],
        after: Mapping[str, Sequence[Planned]],
        to_start: Mapping[str, Sequence[Planned]],
    ) -> None:
        self._project = project
        self._observed = observed
        self._after = after
        self._to_start = to_start
        self._steps: list[Step] = []
        self._started: dict[str, frozenset[str]] = {}
        self._waits: dict[tuple[str, Condition], str] = {}

    def steps(self, order: Sequence[str], policy: UpPolicy) -> list[Step]:
        """All starts and waits, services in this order."""
        for name in order:
            self._start(self._project.services[name])
        if policy.wait:
            self._wait_for_all(order)
        for name, dependency in policy.conditions:
            condition = CONDITIONS.get(dependency.condition)
            if condition and self._after.get(name) and not self._is_met(name, condition):
                self._wait(name, condition, dependency)
        return self._steps

    def _start(self, service: Service) -> None:
        """Start what is to be started, after those it depends on are what it needs them to be."""
        todo = self._to_start[service.name]
        if not todo:
            return
        before = self._dependencies(service)
        done: set[str] = set()
        once: set[str] = set()
        for at, one in enumerate(todo):
            needs = before | ({one.made_by} - {""}) | once
            for index, hook_before in enumerate(service.pre_start):
                if at and not hook_before.per_replica:
                    continue
                first = RunHook(
                    id=f"pre_start {index} {one.name}", needs=frozenset(needs),
                    service=service.name, ref=one.ref, name=one.name, moment="pre_start", index=index,
                )  # fmt: skip
                self._steps.append(first)
                needs = {first.id}
                once |= set() if hook_before.per_replica else {first.id}
            start = StartContainer(
                id=f"start {one.name}", needs=frozenset(needs),
                cause=one.cause, service=service.name, ref=one.ref, name=one.name,
                watched=one.is_watched,
            )  # fmt: skip
            self._steps.append(start)
            last = start.id
            for index in range(len(service.post_start)):
                hook = RunHook(
                    id=f"post_start {index} {one.name}", needs=frozenset((last,)),
                    service=service.name, ref=one.ref, name=one.name, moment="post_start", index=index,
                )  # fmt: skip
                self._steps.append(hook)
                last = hook.id
            done.add(last)
        self._started[service.name] = frozenset(done)

    def _dependencies(self, service: Service) -> set[str]:
        needs: set[str] = set()
        for name, dependency in service.depends_on.items():
            if name not in self._project.services:
                continue
            needs |= self._started.get(name, frozenset())
            condition = CONDITIONS.get(dependency.condition)
            if condition and self._project.services[name].replicas:
                needs.add(self._wait(name, condition, dependency))
        return needs

    def _wait(self, name: str, condition: Condition, dependency: Dependency) -> str:
        known = self._waits.get((name, condition))
        if known:
            return known
        suffix = "complete" if condition == "completed" else "be healthy"
        step = WaitCondition(
            id=f"wait for {name} to {suffix}",
            needs=self._started.get(name, frozenset()),
            service=name,
            condition=condition,
            containers=self._containers(name),
            required=dependency.required,
        )
        self._steps.append(step)
        self._waits[name, condition] = step.id
        return step.id

    def _containers(self, name: str) -> tuple[tuple[str, str], ...]:
        return tuple((one.name, one.ref) for one in self._after[name])

    def _wait_for_all(self, order: Sequence[str]) -> None:
        """--wait: until all run or are healthy; those that others wait the end of, until they end."""
        completing = completing_services(self._project)
        for name in order:
            condition: Condition = "completed" if name in completing else "running_or_healthy"
            containers = self._containers(name)
            if not containers or self._is_met(name, condition):
                continue
            self._steps.append(
                WaitCondition(
                    id=f"wait for {name}", needs=self._started.get(name, frozenset()),
                    cause="--wait", service=name, condition=condition, containers=containers,
                    dependency=False,
                )
            )  # fmt: skip

    def _is_met(self, name: str, condition: Condition) -> bool:
        """Whether the snapshot already shows what would be waited for."""
        refs = {one.ref for one in self._after[name]}
        there = [one for one in self._observed.get(name, []) if one.id in refs]
        if self._to_start[name] or len(there) < len(refs):
            return False
        if condition == "completed":
            return all(one.exit_code == 0 for one in there)
        healthy = ("healthy",) if condition == "healthy" else ("", "healthy")
        return all(one.state == "running" and one.health in healthy for one in there)
