"""`down`: stop and remove what a project has made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from compose.engine_client import calls
from compose.engine_client.observe import observe
from compose.engine_client.payloads.references import familiar
from compose.model import labels
from compose.model.record import Record
from compose.operations.realise import realise
from compose.planner.down import plan_down
from compose.planner.policy import DownPolicy

if TYPE_CHECKING:
    from compose.engine_client.blocking import BlockingClient
    from compose.model.project import Project
    from compose.operations.session import Session


class DownRequest(Record):
    """The flags of down."""

    services: tuple[str, ...] = ()
    volumes: bool = False
    images: Literal["", "local", "all"] = ""
    remove_orphans: bool = False
    timeout: int | None = None


def down(request: DownRequest, session: Session) -> int:
    """Take the project down; returns the exit code. Raises ComposeError."""
    project, name = session.project_or_name()
    code = take_containers_down(request, session, project, name)
    # After the containers that use them.
    if project is not None and not session.dry_run and not request.services:
        take_providers_down(project, session)
    return code


def take_containers_down(
    request: DownRequest, session: Session, project: Project | None, name: str
) -> int:
    """All that the engine has of the project; the exit code. Raises ComposeError."""
    client = session.client()
    observed = observe(client, name)
    policy = DownPolicy(
        request.services, request.volumes, request.images, request.remove_orphans, request.timeout
    )
    images = images_to_remove(client, project, name, request) if request.images else []
    plan = plan_down(name, project, observed, policy, images)
    for warning in plan.warnings:
        session.progress.warn(warning)
    return realise(plan, session, client, project, name, observed)


def take_providers_down(project: Project, session: Session) -> None:
    """What is no container is taken down by its own program. Raises ComposeError."""
    if any(service.provider for service in project.services.values()):
        from compose.operations.providers import take_down

        take_down(project, session.environment, session.progress)


def images_to_remove(
    client: BlockingClient, project: Project | None, name: str, request: DownRequest
) -> list[str]:
    """Tags for --rmi: what was built for the project, and with "all" what its services name."""
    services = project.services if project is not None else {}
    wanted: set[str] = set()
    found = client.do(
        calls.list_images(label=calls.project_filter(name), dangling=["false"])
    ).json()
    for item in found or []:
        tags = item.get("RepoTags") or []
        service = (item.get("Labels") or {}).get(labels.SERVICE, "")
        if tags and (project is None or request.remove_orphans or service in services):
            wanted.add(familiar(tags[0]))
    # Images of services without a name of their own are local whoever has built them.
    named: list[str] = []
    if project is not None:
        named = [project.name_of(key) for key, service in services.items() if not service.image]
    if request.images == "all":
        named += [service.image for service in services.values() if service.image]
    answers = client.do_all([calls.inspect_image(image) for image in named])
    wanted |= {
        familiar(image)
        for image, answer in zip(named, answers, strict=True)
        if answer.status == 200
    }
    return sorted(wanted)
