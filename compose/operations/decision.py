"""What is wanted, what there is, and the plan that follows: the part of `up` that touches nothing."""

from __future__ import annotations

from compose.engine_client.observe import observation, observe, snapshot
from compose.engine_client.payloads.container import ignored_attributes, image_of
from compose.model.record import Record, changed
from compose.planner.images import ImagePolicy
from compose.planner.policy import UpPolicy
from compose.planner.resources import diverged_volumes
from compose.planner.up import plan_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compose.engine_client.blocking import BlockingClient
    from compose.engine_client.transport import Engine
    from compose.model.observed import Observed
    from compose.model.project import Project
    from compose.operations.session import Session
    from compose.planner.steps import Plan


class Aim(Record):
    """What is wanted. `confirm` asks the person before data is lost."""

    project: Project
    policy: UpPolicy = UpPolicy()
    images: ImagePolicy = ImagePolicy()
    quiet_pull: bool = False
    quiet_build: bool = False
    wait_timeout: int = 0
    keep: tuple[str, ...] = ()  # services that only their images are wanted of
    confirm: Callable[[str], bool] = lambda _question: False


class Decision(Record):
    """A plan and what it was made from."""

    plan: Plan
    observed: Observed
    image_ids: Mapping[str, str]


def warnings_of(project: Project) -> list[str]:
    """Attributes without effect."""
    from compose.operations.build_query import ignored_build_attributes

    found: list[str] = []
    for service in project.services.values():
        found += ignored_attributes(project, service) + ignored_build_attributes(service)
    return found


def ask(session: Session, aim: Aim, observed: Observed) -> Aim:
    """The aim after the person was asked about volumes that would lose their data."""
    names = diverged_volumes(aim.project, observed, encode)
    if names and all(
        aim.confirm(
            f'Volume "{name}" exists but doesn\'t match configuration in compose file. '
            "Recreate (data will be lost)?"
        )
        for name in names
    ):
        return changed(aim, policy=changed(aim.policy, replace_volumes=True))
    for name in names:
        session.progress.warn(
            f'Volume "{name}" does not match the configuration in the compose file and is kept: '
            "run again with --yes to recreate it, its data lost"
        )
    return aim


def image_platforms(project: Project) -> dict[str, str]:
    """The platform that an image is asked for, where services agree on one."""
    asked: dict[str, set[str]] = {}
    for service in project.services.values():
        asked.setdefault(image_of(project, service), set()).add(service.platform)
    return {image: next(iter(found)) for image, found in asked.items() if len(found) == 1}


def image_names(project: Project) -> tuple[str, ...]:
    """The distinct images of a project's services, and of their image mounts."""
    names = [image_of(project, service) for service in project.services.values()]
    for service in project.services.values():
        names += [mount.source for mount in service.volumes if mount.type == "image"]
        names += [hook.image for hook in service.pre_start if hook.image]
    return tuple(dict.fromkeys(names))


def encode(document: object) -> str:
    """A document as the JSON text whose hash docker compose has in its labels."""
    from compose.loader.go_json import compact_json

    return compact_json(document)


def decide(aim: Aim, observed: Observed) -> Decision:
    """The plan for what was observed. Raises ProjectError. Pure."""
    project = changed(
        aim.project,
        services={name: one for name, one in aim.project.services.items() if name not in aim.keep},
        disabled={
            **aim.project.disabled,
            **{name: aim.project.services[name] for name in aim.keep},
        },
    )
    image_ids = {
        name: observed.images[image].id
        for name, service in project.services.items()
        if (image := image_of(project, service)) in observed.images
    }
    policy = changed(aim.policy, beside=aim.keep) if aim.keep else aim.policy
    plan = plan_up(project, observed, policy, encode=encode, image_ids=image_ids)
    return Decision(plan, observed, image_ids)


def look(client: BlockingClient, project: Project) -> Observed:
    """The snapshot that `decide` needs."""
    return observe(client, project.name, image_names(project), image_platforms(project))


async def look_again(engine: Engine, project: Project) -> Observed:
    """The same, while trio runs."""
    images = image_names(project)
    answers = [
        await engine.do(call)
        for call in observation(project.name, images, image_platforms(project))
    ]
    return snapshot(images, answers)
