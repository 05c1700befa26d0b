"""Plans of the commands that change what is there and create nothing: stop, start, restart and so on.

Pure. They work from a project or, without files, from the labels of the containers alone.
"""

from __future__ import annotations

from compose.planner.down import dependency_order, label_needs, project_needs, stop_steps
from compose.planner.starting import CONDITIONS
from compose.planner.steps import (
    KillContainer,
    PauseContainer,
    Plan,
    RemoveContainer,
    RestartContainer,
    StartContainer,
    WaitCondition,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from compose.model.observed import Observed, ObservedContainer
    from compose.model.project import Project
    from compose.planner.steps import Step


def chosen(
    observed: Observed, services: Sequence[str], *, oneoff: bool = False
) -> dict[str, list[ObservedContainer]]:
    """Service -> its containers, by number; all services for ()."""
    found: dict[str, list[ObservedContainer]] = {}
    for container in sorted(observed.containers, key=lambda one: (one.service, one.number)):
        if (oneoff or not container.oneoff) and (not services or container.service in services):
            found.setdefault(container.service, []).append(container)
    return found


def needs_of(project: Project | None, observed: Observed) -> Mapping[str, tuple[str, ...]]:
    """Who depends on whom."""
    return project_needs(project) if project is not None else label_needs(observed.containers)


def plan_stop(
    project: Project | None, observed: Observed, services: Sequence[str], timeout: int | None
) -> Plan:
    """Stop, dependents before what they depend on."""
    containers = chosen(observed, services)
    needs = needs_of(project, observed)
    steps: list[Step] = []
    last: dict[str, set[str]] = {}
    for name in reversed(dependency_order(list(containers), needs)):
        after = frozenset(
            step
            for other in containers
            if name in needs.get(other, ())
            for step in last.get(other, ())
        )
        for container in containers[name]:
            if container.is_running:
                steps += stop_steps(project, container, after, timeout)
                last.setdefault(name, set()).add(steps[-1].id)
        # What has nothing to stop itself still stands between those before and after it.
        last.setdefault(name, set(after))
    return Plan(tuple(steps))


def plan_kill(observed: Observed, services: Sequence[str], signal: str = "SIGKILL") -> Plan:
    """Send a signal to all that run, at once."""
    return Plan(
        tuple(
            KillContainer(id=f"kill {one.name}", ref=one.id, name=one.name, signal=signal)
            for containers in chosen(observed, services, oneoff=True).values()
            for one in containers
            if one.is_running
        )
    )


def plan_start(project: Project | None, observed: Observed, services: Sequence[str]) -> Plan:
    """Start what does not run, dependencies first; their conditions are waited for."""
    containers = chosen(observed, services)
    needs = needs_of(project, observed)
    steps: list[Step] = []
    done: dict[str, set[str]] = {}
    waits: dict[tuple[str, str], str] = {}
    for name in dependency_order(list(containers), needs):
        todo = [
            one for one in containers[name] if one.state not in ("running", "restarting", "paused")
        ]
        before = {step for other in needs.get(name, ()) for step in done.get(other, ())}
        if todo:
            before |= condition_steps(project, name, containers, done, waits, steps)
        done[name] = set(before)
        for one in todo:
            step = StartContainer(
                id=f"start {one.name}", needs=frozenset(before), service=name, ref=one.id,
                name=one.name,
            )  # fmt: skip
            steps.append(step)
            done[name].add(step.id)
    return Plan(tuple(steps))


def condition_steps(
    project: Project | None,
    name: str,
    containers: Mapping[str, list[ObservedContainer]],
    done: Mapping[str, set[str]],
    waits: dict[tuple[str, str], str],
    steps: list[Step],
) -> set[str]:
    """The waits for a service's dependencies; each is in the plan once."""
    if project is None or name not in project.services:
        return set()
    found: set[str] = set()
    for other, how in project.services[name].depends_on.items():
        condition = CONDITIONS.get(how.condition)
        if condition is None or other not in containers:
            continue
        if (other, condition) not in waits:
            step = WaitCondition(
                id=f"wait for {other}, {condition}", needs=frozenset(done.get(other, ())),
                service=other, condition=condition, required=how.required,
                containers=tuple((one.name, one.id) for one in containers[other]),
            )  # fmt: skip
            steps.append(step)
            waits[other, condition] = step.id
        found.add(waits[other, condition])
    return found


def plan_restart(
    project: Project | None, observed: Observed, services: Sequence[str], timeout: int | None
) -> Plan:
    """Restart, what others depend on before them."""
    containers = chosen(observed, services)
    needs = needs_of(project, observed)
    steps: list[Step] = []
    done: dict[str, set[str]] = {}
    for name in dependency_order(list(containers), needs):
        before = frozenset(step for other in needs.get(name, ()) for step in done.get(other, ()))
        done[name] = set(before)
        for one in containers[name]:
            step = RestartContainer(
                id=f"restart {one.name}", needs=before, ref=one.id, name=one.name, timeout=timeout
            )
            steps.append(step)
            done[name].add(step.id)
    return Plan(tuple(steps))


def plan_pause(observed: Observed, services: Sequence[str], *, thaw: bool) -> Plan:
    """Freeze what runs, or thaw what is frozen."""
    wanted = "paused" if thaw else "running"
    verb = "unpause" if thaw else "pause"
    return Plan(
        tuple(
            PauseContainer(id=f"{verb} {one.name}", ref=one.id, name=one.name, thaw=thaw)
            for containers in chosen(observed, services).values()
            for one in containers
            if one.state == wanted
        )
    )


def plan_remove(containers: Iterable[ObservedContainer], *, volumes: bool) -> Plan:
    """Remove these."""
    return Plan(
        tuple(
            RemoveContainer(id=f"remove {one.name}", ref=one.id, name=one.name, volumes=volumes)
            for one in containers
        )
    )
