"""From a project to containers: images, snapshot, plan, steps; shared by up, create, run and scale.

Where nothing is to be done, no event loop is started, so that a second `up` costs a few calls.
"""

from __future__ import annotations

import time

from compose.engine_client.observe import observation, observe, snapshot
from compose.engine_client.payloads.container import ignored_attributes, image_of
from compose.errors import ComposeError, EngineRefusedError
from compose.model.record import Record, changed
from compose.operations.collision import check_collision
from compose.operations.contents import with_digests
from compose.operations.supported import prepared
from compose.operations.turns import turn
from compose.planner.images import ImagePolicy, plan_images
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
    from compose.operations.building import BuildOptions
    from compose.operations.session import Session
    from compose.operations.watching import UpdateFailedError
    from compose.operations.world import World
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


def converge(aim: Aim, session: Session) -> int:
    """Bring the engine to what is wanted. Returns the exit code. Raises ComposeError."""
    aim = changed(aim, project=prepared(aim.project, session.endpoint, session.environment))
    for text in warnings_of(aim.project):
        session.progress.warn(text)
    if session.dry_run:
        from compose.operations.planning import rehearse_up

        return rehearse_up(aim, session)
    aim = with_contexts_of(changed(aim, project=with_digests(aim.project)))
    client = session.client()
    with turn(session.endpoint, aim.project.name, session.progress.warn):
        aim = changed(aim, project=provided(aim.project, session, quiet=aim.quiet_pull))
        return _converge(aim, session, client)


def with_contexts_of(aim: Aim) -> Aim:
    """The aim, with the services that only builds need: their images are wanted, nothing else."""
    from compose.operations.build_contexts import with_contexts

    project = with_contexts(aim.project)
    added = tuple(project.services.keys() - aim.project.services.keys())
    return changed(aim, project=project, keep=(*aim.keep, *added)) if added else aim


def provided(
    project: Project, session: Session, *, quiet: bool = False, providers: bool = True
) -> Project:
    """The project after its models and providers have done their part. Raises ComposeError."""
    if any(service.models for service in project.services.values()):
        from compose.operations.models import with_models

        project = with_models(project, session.environment, session.progress, quiet=quiet)
    if not providers or not any(service.provider for service in project.services.values()):
        return project
    from compose.operations.providers import with_providers

    return with_providers(project, session.environment, session.progress)


def _converge(aim: Aim, session: Session, client: BlockingClient) -> int:
    observed = look(client, aim.project)
    images = plan_images(aim.project, observed.images, aim.images, time.time())
    # With images still to come too: what cannot be is refused before anything is touched.
    decision = decide(aim if images.steps else ask(session, aim, observed), observed)
    check_collision(aim.project, observed, decision.plan, aim.confirm, session.progress.warn)
    if not images.steps:
        tell(session, decision)
        if not decision.plan.steps:
            return 0

    if not images.steps:
        from compose.operations.one_call import is_conflict
        from compose.operations.quick import apply_quickly

        try:
            if apply_quickly(decision.plan, session, client, world_of(aim, decision)):
                return 0
        except EngineRefusedError as error:
            if not is_conflict(error):
                raise
            decision = decide(aim, look(client, aim.project))
            if not decision.plan.steps:
                raise

    async def main(engine: Engine) -> int:
        made = decision
        if images.steps:
            found = await make_images(aim, session, engine, observed, images)
            made = decide(ask(session, aim, found), found)
            tell(session, made)
        await carry_out(aim, session, engine, made)
        return 0

    return session.run_async(client, main)


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


def tell(session: Session, decision: Decision) -> None:
    """The plan's warnings, and what is fine as it is."""
    for warning in decision.plan.warnings:
        session.progress.warn(warning)
    for name in decision.plan.unchanged:
        session.progress.report(f"Container {name}", "Running", "done")


def world_of(aim: Aim, decision: Decision) -> World:
    """What the steps of a decision's plan refer to."""
    from compose.operations.world import World

    project = aim.project
    return World(project.name, project, decision.observed, encode, decision.image_ids)


async def carry_out(aim: Aim, session: Session, engine: Engine, decision: Decision) -> None:
    """Apply a plan; after a conflict look and plan once more, then give up. Raises ComposeError."""
    import trio

    from compose.operations.apply import apply_plan
    from compose.operations.one_call import is_conflict
    from compose.operations.watching import UpdateFailedError, WaitFailedError

    project = aim.project
    for attempt in (1, 2):
        world = world_of(aim, decision)
        try:
            with trio.move_on_after(aim.wait_timeout or float("inf")) as scope:
                await apply_plan(
                    decision.plan, engine, world, session.progress, limit=session.parallel
                )
        except UpdateFailedError as error:
            if error.rollback:
                await roll_back(aim, session, engine, error)
            raise
        except Exception as error:
            if attempt == 2 or not is_conflict(error):
                raise
            decision = decide(aim, await look_again(engine, project))
            if not decision.plan.steps:
                raise
            continue
        if scope.cancelled_caught:
            raise WaitFailedError(f"application not healthy after {aim.wait_timeout}s")
        return


async def roll_back(aim: Aim, session: Session, engine: Engine, error: UpdateFailedError) -> None:
    """Back to what a service was before its update. Raises ComposeError, in any case."""
    from compose.operations.apply import apply_plan
    from compose.operations.world import World
    from compose.planner.rolling import plan_rollback

    project = aim.project
    session.progress.warn(f"{error}: rolling back")
    observed = await look_again(engine, project)
    plan = plan_rollback(error.service, observed, aim.policy.timeout)
    world = World(project.name, project, observed)
    await apply_plan(plan, engine, world, session.progress, limit=session.parallel)
    raise ComposeError(f"{error}: rolled back to what ran before") from error


async def make_images(
    aim: Aim, session: Session, engine: Engine, observed: Observed, plan: Plan
) -> Observed:
    """Pull and build; what could not be pulled is built where it can be. Raises ComposeError."""
    from compose.operations.building import BuildOptions

    options = BuildOptions()
    await apply_images(aim, session, engine, plan, options)
    found = await look_again(engine, aim.project)
    missing = ImagePolicy(build=None if aim.images.build is not False else False, pull="never")
    rest = plan_images(aim.project, found.images, missing, time.time())
    if rest.steps:
        await apply_images(aim, session, engine, rest, options)
        found = await look_again(engine, aim.project)
    return found


async def apply_images(
    aim: Aim, session: Session, engine: Engine, plan: Plan, options: BuildOptions
) -> None:
    """Carry out a plan of pulls and builds."""
    from compose.operations.apply import apply_plan
    from compose.operations.image_steps import ImageSteps
    from compose.operations.world import World
    from compose.planner.steps import BuildImage

    steps = ImageSteps(
        aim.project, session, options, quiet_pull=aim.quiet_pull, quiet_build=aim.quiet_build,
        several=sum(isinstance(step, BuildImage) for step in plan.steps) > 1, keep_local=True,
    )  # fmt: skip
    world = World(aim.project.name, aim.project, pull=steps.pull, build=steps.build)
    await apply_plan(plan, engine, world, session.progress, limit=session.parallel)
