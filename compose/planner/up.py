"""The plan of `up`: from what is there to what the project asks for. Pure.

Rules: what is fine is left alone; a container is replaced by creating the new one under a temporary
name first, so that a failure leaves the old one running; stopping and starting follow depends_on,
creating does not, but for containers that share another's namespaces, volumes or links. Planning
again after the plan has been carried out gives an empty plan.
"""

from __future__ import annotations

import re

from compose.model.files import GRANT_KINDS
from compose.model.graph import ServiceGraph
from compose.model.record import changed
from compose.planner.config_hash import contents_hash, plain_json, service_hash, shared_services
from compose.planner.decide import (
    Shape,
    completing_services,
    container_name,
    free_numbers,
    is_orphan,
    one_of_each_number,
    orphan_warning,
    wanted_count,
    why_recreate,
)
from compose.planner.resources import Resources
from compose.planner.rolling import (
    RETIRED,
    Batches,
    Rollout,
    at_once,
    in_order,
    retired_name,
    rollout_of,
)
from compose.planner.starting import Planned, Starting
from compose.planner.steps import (
    CreateContainer,
    Plan,
    RemoveContainer,
    RenameContainer,
    RunHook,
    StopContainer,
    UploadFiles,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.files import GrantKind
    from compose.model.observed import Observed, ObservedContainer
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.planner.config_hash import Encode
    from compose.planner.policy import Recreate, UpPolicy
    from compose.planner.steps import Step

#: The name of a container whose predecessor is still to be removed.
UNFINISHED = r"[0-9a-f]{12}_.+"


def plan_up(
    project: Project,
    observed: Observed,
    policy: UpPolicy,
    *,
    encode: Encode = plain_json,
    image_ids: Mapping[str, str] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Plan:
    """The plan. `image_ids`: service -> id of its image, where it is local.

    Raises ProjectError for what cannot be: an external network that is not there, a name taken twice.
    """
    return _Draft(project, observed, policy, encode, image_ids or {}, reasons or {}).plan()


class _Draft:
    """A plan in the making: one pass over the services in the order of their dependencies."""

    def __init__(
        self,
        project: Project,
        observed: Observed,
        policy: UpPolicy,
        encode: Encode,
        image_ids: Mapping[str, str],
        reasons: Mapping[str, str],
    ) -> None:
        self.project = project
        self.policy = policy
        self.encode = encode
        self.image_ids = image_ids
        self.reasons = reasons
        self.graph = ServiceGraph(project.services)
        self.resources = Resources(project, observed, policy, encode)
        self.steps: list[Step] = list(self.resources.steps)
        self.warnings = list(self.resources.warnings)
        self.unchanged: list[str] = []
        self.observed: dict[str, list[ObservedContainer]] = {}
        self.orphans = [
            one
            for one in observed.containers
            if is_orphan(project, one) and one.id not in self.resources.gone
        ]
        for container in observed.containers:
            if not container.oneoff and container.id not in self.resources.gone:
                self.observed.setdefault(container.service, []).append(container)
        #: service -> its containers after the plan.
        self.after: dict[str, list[Planned]] = {}
        #: service -> those of them that are to be started.
        self.to_start: dict[str, list[Planned]] = {}
        #: name -> the step that frees it, for containers that go.
        self.freed: dict[str, str] = {
            one.name: self.resources.gone[one.id]
            for one in observed.containers
            if one.id in self.resources.gone
        }
        self.recreated: set[str] = set()
        self.completing = completing_services(project)
        self.halted: dict[str, str] = dict(self.resources.stopped)

    def plan(self) -> Plan:
        """All services: containers first, starts after, since a stop may call for a start."""
        self._orphans()
        order = self.graph.ordered()
        for name in order:
            self._converge(self.project.services[name])
        if self.policy.start:
            starting = Starting(self.project, self.observed, self.after, self.to_start)
            self.steps += starting.steps(order, self.policy)
        return Plan(tuple(in_order(self.steps)), tuple(self.warnings), tuple(self.unchanged))

    def _orphans(self) -> None:
        if not self.orphans or self.policy.ignore_orphans:
            return
        if not self.policy.remove_orphans:
            self.warnings.append(orphan_warning(one.name for one in self.orphans))
            return
        for container in self.orphans:
            self._remove(container, None, "orphan")

    def _converge(self, service: Service) -> None:
        """Bring the number and the shape of a service's containers to what is wanted."""
        wanted = wanted_count(service)
        causes = {
            container.id: self._cause(service, container)
            for container in self.observed.get(service.name, [])
        }
        there = sorted(
            self.observed.get(service.name, []),
            key=lambda one: (bool(causes[one.id]), one.number, one.created),
        )
        self.after[service.name] = []
        self.to_start[service.name] = []
        there, doubles = one_of_each_number(there)
        for container in doubles:
            self._remove(container, service, "a replacement was interrupted")
        for container in there[wanted:]:
            self._remove(container, service, "scaled down")
        rollout = rollout_of(service)
        if not self.policy.start:
            rollout = Rollout(warning=at_once(service) if rollout != Rollout() else "")
        batches = Batches(service, rollout, sum(bool(causes[one.id]) for one in there[:wanted]))
        for container in there[:wanted]:
            cause = causes[container.id]
            if cause:
                self._replace(service, container, cause, rollout, batches)
            else:
                self._keep(service, container)
        batches.finish(self.steps)
        for index in free_numbers(there, max(wanted - len(there), 0)):
            cause = "scaled up" if there else "missing"
            self._create(service, index, container_name(self.project, service, index), cause)

    def _cause(self, service: Service, container: ObservedContainer) -> str:
        strategy: Recreate = self.policy.recreate_dependencies
        if not self.policy.services or service.name in self.policy.services:
            strategy = self.policy.recreate
        if container.id in self.resources.stale and strategy != "never":
            return self.resources.stale[container.id]
        shared = {}
        for name in shared_services(service):
            first = min(self.after.get(name, []), key=lambda one: one.name, default=None)
            if strategy == "diverged" and (name in self.recreated or (first and first.is_new)):
                return f"container of {name}, which it shares, is replaced"
            shared[name] = first.ref if first else ""
        shape = Shape(
            config_hash=service_hash(service, shared, self.encode),
            contents_hash=contents_hash(self.project, service),
            image_id=self.image_ids.get(service.name, ""),
            network_ids=self.resources.network_ids,
            volume_names={key: one.name for key, one in self.project.volumes.items()},
        )
        return why_recreate(service, container, strategy, shape, self.reasons)

    def _keep(self, service: Service, container: ObservedContainer) -> None:
        name = container_name(self.project, service, container.number)
        made_by = self.halted.get(container.id, "")
        if container.name != name and (
            re.fullmatch(UNFINISHED, container.name) or re.fullmatch(RETIRED, container.name)
        ):
            rename = RenameContainer(
                id=f"rename {name}", cause="a replacement was interrupted", ref=container.id, name=name,
                needs=frozenset(filter(None, (made_by, self.freed.get(name)))),
            )  # fmt: skip
            self.steps.append(rename)
            made_by = rename.id
        else:
            name = container.name
        planned = Planned(name, container.id, made_by, f"was {container.state}")
        if container.id in self.halted:
            planned = Planned(name, container.id, made_by, "stopped by this plan")
        self.after[service.name].append(planned)
        if container.is_running and container.id not in self.halted:
            self.unchanged.append(name)
        elif not self._is_done(service, container):
            # Secrets are in memory, which a boot may have emptied since the container ran.
            ready = self._give(service, "secret", name, container.id, made_by)
            self.to_start[service.name].append(changed(planned, made_by=ready))

    def _is_done(self, service: Service, container: ObservedContainer) -> bool:
        """Whether a one-shot service has done its work: nobody asks for it by name, and nothing
        that it depends on is new."""
        return (
            service.name in self.completing
            and container.state == "exited"
            and container.exit_code == 0
            and service.name not in self.policy.services
            and not any(
                one.is_new for need in service.depends_on for one in self.after.get(need, ())
            )
        )

    def _create(
        self,
        service: Service,
        number: int,
        name: str,
        cause: str,
        *,
        replaces: ObservedContainer | None = None,
        after: frozenset[str] = frozenset(),
    ) -> CreateContainer:
        step = CreateContainer(
            id=f"create {name}",
            needs=self._ingredients(service) | self._free_name(name, replaces) | after,
            cause=cause,
            service=service.name,
            number=number,
            name=name,
            temporary=f"{replaces.id[:12]}_{name}" if replaces else "",
            replaces=replaces.id if replaces else "",
            inherits=bool(replaces) and self.policy.inherit_volumes,
        )
        self.steps.append(step)
        if not replaces:
            self._made(service, name, name, step.id, cause)
        return step

    def _made(
        self, service: Service, name: str, ref: str, last: str, cause: str, *, watched: bool = False
    ) -> None:
        """A new container is there after step `last`: its files, then its start."""
        made_by = last
        for kind in GRANT_KINDS:
            last = self._give(service, kind, name, ref, last)
        self.after[service.name].append(Planned(name, ref, made_by, cause, is_new=True))
        self.to_start[service.name].append(
            Planned(name, ref, last, cause, is_new=True, is_watched=watched)
        )

    def _give(self, service: Service, kind: GrantKind, name: str, ref: str, last: str) -> str:
        """A container's files after step `last`; the step after which it has them."""
        if not self.project.has_copied(service, kind):
            return last
        upload = UploadFiles(
            id=f"give {name} its {kind}s", needs=frozenset((last,) if last else ()),
            service=service.name, ref=ref, name=name, kind=kind,
        )  # fmt: skip
        self.steps.append(upload)
        return upload.id

    def _ingredients(self, service: Service) -> frozenset[str]:
        """Steps that must be done before a container of the service can be created."""
        needs = {
            self.resources.ready_networks[key]
            for key in service.networks
            if key in self.resources.ready_networks
        }
        needs |= {
            self.resources.ready_volumes[mount.source]
            for mount in service.volumes
            if mount.type == "volume" and mount.source in self.resources.ready_volumes
        }
        linked = [link.partition(":")[0] for link in service.links]
        for name in (*shared_services(service), *linked):
            needs |= {one.made_by for one in self.after.get(name, []) if one.is_new}
        return frozenset(needs)

    def _free_name(self, name: str, replaces: ObservedContainer | None) -> frozenset[str]:
        """The step after which a new container's name is free; a replacement has its own way."""
        return (
            frozenset((self.freed[name],)) if not replaces and name in self.freed else frozenset()
        )

    def _replace(
        self,
        service: Service,
        container: ObservedContainer,
        cause: str,
        rollout: Rollout,
        batches: Batches,
    ) -> None:
        if rollout.warning and service.name not in self.recreated:
            self.warnings.append(rollout.warning)
        self.recreated.add(service.name)
        number = container.number or 1
        name = container_name(self.project, service, number)
        before = batches.begin(self.steps)
        create = self._create(service, number, name, cause, replaces=container, after=before)
        needs = {create.id} | self._halt_dependents(service)
        hooks = len(service.post_start)
        up = f"post_start {hooks - 1} {name}" if hooks else f"start {name}"
        is_first = rollout.start_first and container.is_running and container.id not in self.halted
        is_proven = is_first and rollout.is_watched
        batches.add(name, f"rename {name}" if is_proven else up, is_proven=is_proven)
        if is_first:
            # The new one first: it starts under its temporary name, and takes over when it is up.
            self._made(service, name, name, create.id, cause, watched=rollout.is_watched)
            ready = batches.ready(name, up)
            self.steps.append(ready)
            needs |= {ready.id}
        if container.is_running:
            if container.id in self.halted:
                needs.add(self.halted[container.id])
            else:
                needs = {self._stop(container, service, frozenset(needs), "", quiet=True)}
        cleared: Step
        if rollout.rolls_back:
            cleared = RenameContainer(
                id=f"put {container.name} aside", needs=frozenset(needs), ref=container.id,
                name=retired_name(name, container.id), quiet=True,
            )  # fmt: skip
            batches.retired.append((container.id, container.name))
        else:
            cleared = RemoveContainer(
                id=f"remove {container.name}", needs=frozenset(needs), ref=container.id,
                name=container.name, quiet=True,
            )  # fmt: skip
        rename = RenameContainer(
            id=f"rename {name}", needs=frozenset((cleared.id,)), ref=create.temporary, name=name
        )
        self.steps += [cleared, rename]
        if not self._is_made(service, name):
            self._made(service, name, name, rename.id, cause, watched=rollout.is_watched)

    def _is_made(self, service: Service, name: str) -> bool:
        return any(one.name == name and one.is_new for one in self.after[service.name])

    def _halt_dependents(self, service: Service) -> set[str]:
        """Stop what asked to be restarted with this service (depends_on: restart: true)."""
        found: set[str] = set()
        for name in self.graph.needed_by(service.name):
            dependent = self.project.services[name]
            if not dependent.depends_on[service.name].restart:
                continue
            for container in self.observed.get(name, []):
                if container.is_running and container.id not in self.halted:
                    cause = f"{service.name} is replaced"
                    self._stop(container, dependent, frozenset(), cause)
                if container.id in self.halted:
                    found.add(self.halted[container.id])
        return found

    def _stop(
        self,
        container: ObservedContainer,
        service: Service | None,
        needs: frozenset[str],
        cause: str,
        *,
        quiet: bool = False,
    ) -> str:
        """The pre_stop hooks and the stop; returns the id of the last step."""
        for index in range(len(service.pre_stop) if service else 0):
            hook = RunHook(
                id=f"pre_stop {index} {container.name}", needs=needs, service=service.name if service else "",
                ref=container.id, name=container.name, moment="pre_stop", index=index,
            )  # fmt: skip
            self.steps.append(hook)
            needs = frozenset((hook.id,))
        step = StopContainer(
            id=f"stop {container.name}", needs=needs, cause=cause, ref=container.id,
            name=container.name, timeout=self.policy.timeout, quiet=quiet,
        )  # fmt: skip
        self.steps.append(step)
        self.halted[container.id] = step.id
        return step.id

    def _remove(self, container: ObservedContainer, service: Service | None, cause: str) -> None:
        needs: frozenset[str] = frozenset()
        if container.id in self.halted:
            needs = frozenset((self.halted[container.id],))
        elif container.is_running:
            needs = frozenset((self._stop(container, service, needs, cause),))
        step = RemoveContainer(
            id=f"remove {container.name}", needs=needs, cause=cause, ref=container.id,
            name=container.name,
        )  # fmt: skip
        self.steps.append(step)
        self.freed[container.name] = step.id
