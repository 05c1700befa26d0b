"""`plan` and `up --dry-run`: what `up` would do, and what has changed. Nothing is touched.

That is kept by the client itself: it refuses to send anything but questions (GET and HEAD).
"""

from __future__ import annotations

import re
import time

from compose.engine_client import calls
from compose.engine_client.payloads.container import ContainerSpec, create_request, image_of
from compose.engine_client.payloads.differences import (
    NETWORK,
    VOLUME,
    Change,
    container_changes,
    resource_changes,
)
from compose.engine_client.payloads.mounts import ANONYMOUS
from compose.engine_client.payloads.networking import network_body, volume_body
from compose.errors import ComposeError
from compose.model.record import EMPTY, Record, changed
from compose.operations.collision import check_collision
from compose.operations.contents import with_digests
from compose.operations.decision import ask, decide, look, warnings_of
from compose.operations.models import uses_models, with_places_asked
from compose.operations.providers import prefix_of, with_variables, without_providers
from compose.operations.rehearsal import report_steps
from compose.operations.supported import prepared
from compose.planner.actions import Action, actions_of
from compose.planner.explain import explain_actions
from compose.planner.images import plan_images
from compose.planner.steps import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from compose.engine_client.blocking import BlockingClient
    from compose.model.observed import Observed
    from compose.model.project import Project
    from compose.operations.decision import Aim
    from compose.operations.session import Session


class Preview(Record):
    """What would be done. `changes`: name of what is recreated -> what differs."""

    project: str
    plan: Plan
    actions: tuple[Action, ...] = ()
    changes: Mapping[str, Sequence[Change]] = EMPTY
    warnings: tuple[str, ...] = ()


def preview(aim: Aim, session: Session) -> Preview:
    """Look, compare, and say. Raises ComposeError for what `up` would refuse."""
    project = with_digests(prepared(aim.project, session.endpoint, session.environment))
    providers = [name for name, one in project.services.items() if one.provider]
    if uses_models(project):
        project = with_places_asked(project, session.environment)
    project = without_providers(project)
    aim = changed(aim, project=project)
    collisions: list[str] = []
    with session.client(read_only=True) as client:
        observed = look(client, project)
        project = with_known_variables(client, project, observed, providers)
        aim = changed(aim, project=project)
        aim = ask(session, aim, observed)
        images = plan_images(project, observed.images, aim.images, time.time())
        decision = decide(aim, observed)
        plan = Plan((*images.steps, *decision.plan.steps), decision.plan.warnings)

        def told(text: str) -> bool:
            collisions.append(text)
            return True

        check_collision(project, observed, plan, told, collisions.append)
        anonymous = {
            one.id: any(
                mount.type == "volume" and re.fullmatch(ANONYMOUS, mount.name)
                for mount in one.mounts
            )
            for one in observed.containers
        }
        actions = actions_of(plan.steps, anonymous, inherits=aim.policy.inherit_volumes)
        changes = {
            action.name: found
            for action in actions
            if action.verb == "recreate" and (found := differences(client, aim, observed, action))
        }
    asked = [
        f"the provider {name} is not run: what it has set at the last up is taken as it is"
        for name in providers
    ]
    warnings = (*warnings_of(project), *decision.plan.warnings, *collisions, *asked)
    return Preview(project.name, plan, tuple(actions), changes, warnings)


def with_known_variables(
    client: BlockingClient, project: Project, observed: Observed, providers: Sequence[str]
) -> Project:
    """The project whose services are given what providers have set for their containers at the last `up`."""
    services = dict(project.services)
    for name, service in project.services.items():
        prefixes = tuple(prefix_of(one) for one in providers if one in service.depends_on)
        first = next((one for one in observed.containers if one.service == name), None)
        if not prefixes or first is None:
            continue
        inside = client.do(calls.inspect_container(first.id)).json()["Config"].get("Env") or []
        given = dict(one.partition("=")[::2] for one in inside if one.startswith(prefixes))
        services[name] = with_variables(service, given)
    return changed(project, services=services)


def rehearse_up(aim: Aim, session: Session) -> int:
    """`up --dry-run`: each step as it would be reported, then what is changed and why."""
    found = preview(aim, session)
    for warning in found.warnings:
        session.progress.warn(warning)
    report_steps(session, found.plan)
    session.out.write(explain_actions(found.actions, found.changes, found.plan) + "\n")
    return 0


def differences(
    client: BlockingClient, aim: Aim, observed: Observed, action: Action
) -> tuple[Change, ...]:
    """What has changed about a thing that is to be made anew."""
    project = aim.project
    if action.kind == "network":
        network = next(one for one in project.networks.values() if one.name == action.name)
        found = client.do(calls.inspect_network(action.ref)).json()
        return resource_changes(NETWORK, found, network_body(project, network, ""))
    if action.kind == "volume":
        volume = next(one for one in project.volumes.values() if one.name == action.name)
        found = client.do(calls.inspect_volume(action.name)).json()
        body = volume_body(project, volume, "")
        return resource_changes(VOLUME, {**found, "DriverOpts": found.get("Options")}, body)
    return differences_of_container(client, aim, observed, action)


def differences_of_container(
    client: BlockingClient, aim: Aim, observed: Observed, action: Action
) -> tuple[Change, ...]:
    """The container as it is beside the one that would be made."""
    project = aim.project
    service = project.services[action.service]
    old = next(one for one in observed.containers if one.id == action.ref)
    peers: dict[str, list[tuple[str, str]]] = {}
    for one in sorted(observed.containers, key=lambda one: one.name):
        if not one.oneoff:
            peers.setdefault(one.service, []).append((one.name, one.id))
    image = observed.images.get(image_of(project, service))
    spec = ContainerSpec(
        name=action.name,
        number=old.number,
        peers=peers,
        inherited=old.mounts if aim.policy.inherit_volumes else (),
        image_volumes=image.volumes if image else (),
    )
    assert client.version is not None
    try:
        body = create_request(project, service, spec, client.version).body
    except ComposeError:
        return ()  # it will be refused when its turn comes, and then say so
    inspected, *images = client.do_all(
        [
            calls.inspect_container(action.ref),
            calls.inspect_image(old.image_id or old.image),
            calls.inspect_image(image_of(project, service)),
        ]
    )
    before, after = (one.json() if one.status == 200 else None for one in images)
    return container_changes(inspected.json(), body, before, after)


def as_document(found: Preview) -> dict[str, Any]:
    """The preview for `--format json`."""
    return {
        "project": found.project,
        "actions": [
            {
                "action": action.verb,
                "kind": action.kind,
                "name": action.name,
                "service": action.service,
                "cause": action.cause,
                "destructive": action.destructive,
                "changes": [
                    {"field": one.field, "old": one.old, "new": one.new}
                    for one in found.changes.get(action.name, ())
                ],
            }
            for action in found.actions
        ],
        "steps": [
            {"id": step.id, "cause": step.cause, "after": sorted(step.needs)}
            for step in found.plan.steps
        ],
        "warnings": list(found.warnings),
    }
