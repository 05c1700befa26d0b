"""The plan of `down`: dependents first, then what they used. Pure; works from labels alone too."""

from __future__ import annotations

from compose.model import labels
from compose.planner.decide import is_orphan
from compose.planner.steps import (
    Plan,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RunHook,
    StopContainer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compose.model.observed import Observed, ObservedContainer
    from compose.model.project import Project
    from compose.planner.policy import DownPolicy
    from compose.planner.steps import Step


def label_needs(containers: Sequence[ObservedContainer]) -> dict[str, tuple[str, ...]]:
    """Who depends on whom, by the labels of the containers that are there."""
    found: dict[str, tuple[str, ...]] = {}
    for container in containers:
        entries = container.labels.get(labels.DEPENDS_ON, "").split(",")
        found[container.service] = tuple(entry.partition(":")[0] for entry in entries if entry)
    return found


def project_needs(project: Project) -> dict[str, tuple[str, ...]]:
    """Who depends on whom, by the project."""
    return {name: tuple(service.depends_on) for name, service in project.services.items()}


def plan_down(
    name: str,
    project: Project | None,
    observed: Observed,
    policy: DownPolicy,
    images: Sequence[str] = (),
) -> Plan:
    """The plan. `project` None: everything of that name, by labels. `images` are to be removed."""
    containers = [one for one in observed.containers if policy.remove_orphans or not one.oneoff]
    if project is not None and not policy.remove_orphans:
        containers = [one for one in containers if not is_orphan(project, one)]
    if policy.services:
        containers = [one for one in containers if one.service in policy.services]
    needs = project_needs(project) if project is not None else label_needs(containers)
    steps, removed = remove_containers(project, containers, needs, policy)
    after = frozenset(removed.values())
    if not policy.services:
        steps += network_steps(name, project, observed, {one.id for one in containers}, after)
        if policy.volumes:
            steps += volume_steps(name, project, observed, after)
    steps += [RemoveImage(id=f"remove image {image}", needs=after, name=image) for image in images]
    warnings = () if steps else (f'Warning: No resource found to remove for project "{name}".',)
    return Plan(tuple(steps), warnings)


def remove_containers(
    project: Project | None,
    containers: Sequence[ObservedContainer],
    needs: Mapping[str, tuple[str, ...]],
    policy: DownPolicy,
) -> tuple[list[Step], dict[str, str]]:
    """Stop and remove, a service after those that depend on it; container id -> its last step."""
    steps: list[Step] = []
    last: dict[str, str] = {}
    of_service: dict[str, list[ObservedContainer]] = {}
    for container in containers:
        of_service.setdefault(container.service, []).append(container)
    for service in reversed(dependency_order(list(of_service), needs)):
        dependents = [other for other in of_service if service in needs.get(other, ())]
        after = frozenset(
            last[one.id] for other in dependents for one in of_service[other] if one.id in last
        )
        for container in sorted(of_service[service], key=lambda one: one.number):
            before = after
            if container.is_running:
                steps += stop_steps(project, container, before, policy.timeout)
                before = frozenset((steps[-1].id,))
            remove = RemoveContainer(
                id=f"remove {container.name}", needs=before, ref=container.id, name=container.name,
                volumes=policy.volumes,
            )  # fmt: skip
            steps.append(remove)
            last[container.id] = remove.id
    return steps, last


def stop_steps(
    project: Project | None,
    container: ObservedContainer,
    needs: frozenset[str],
    timeout: int | None,
) -> list[Step]:
    """The pre_stop hooks of the container's service, and the stop."""
    steps: list[Step] = []
    service = project.services.get(container.service) if project is not None else None
    for index in range(len(service.pre_stop) if service else 0):
        hook = RunHook(
            id=f"pre_stop {index} {container.name}", needs=needs, service=container.service,
            ref=container.id, name=container.name, moment="pre_stop", index=index,
        )  # fmt: skip
        steps.append(hook)
        needs = frozenset((hook.id,))
    steps.append(
        StopContainer(
            id=f"stop {container.name}",
            needs=needs,
            ref=container.id,
            name=container.name,
            timeout=timeout,
        )
    )
    return steps


def dependency_order(services: Sequence[str], needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Services after those they need; labels may lie, so a circle is just cut."""
    done: dict[str, None] = {}
    open_: set[str] = set()

    def visit(name: str) -> None:
        if name in done or name in open_:
            return
        open_.add(name)
        for need in sorted(needs.get(name, ())):
            visit(need)
        done[name] = None

    for name in sorted(services):
        visit(name)
    return [name for name in done if name in services]


def network_steps(
    name: str,
    project: Project | None,
    observed: Observed,
    leaving: set[str],
    after: frozenset[str],
) -> list[Step]:
    """Remove the project's networks; one that other containers of the project still use only if
    the file names it, so that the person hears of it."""
    external = {net.name for net in project.networks.values() if net.external} if project else set()
    named = {net.name for net in project.networks.values()} if project else set()
    held = {
        network for one in observed.containers if one.id not in leaving for network in one.networks
    }
    return [
        RemoveNetwork(id=f"remove network {net.name}", needs=after, ref=net.id, name=net.name)
        for net in observed.networks
        if net.labels.get(labels.PROJECT) == name
        and net.name not in external
        and (net.name in named or net.name not in held)
    ]


def volume_steps(
    name: str, project: Project | None, observed: Observed, after: frozenset[str]
) -> list[Step]:
    """Remove the named volumes: those of the file that are there, or all with the project's label."""
    if project is not None:
        there = {volume.name for volume in observed.volumes}
        names = [
            one.name for one in project.volumes.values() if not one.external and one.name in there
        ]
    else:
        names = [one.name for one in observed.volumes if one.labels.get(labels.PROJECT) == name]
    return [RemoveVolume(id=f"remove volume {one}", needs=after, name=one) for one in names]
