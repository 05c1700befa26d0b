"""From a project to containers: images, snapshot, plan, steps; shared by up, create, run and scale.

Where nothing is to be done, no event loop is started, so that a second `up` costs a few calls.
"""

from __future__ import annotations

import time

from compose.errors import ComposeError, EngineRefusedError
from compose.model.record import changed
from compose.operations.collision import check_collision
from compose.operations.contents import with_digests
from compose.operations.decision import Decision, ask, decide, encode, look, look_again, warnings_of
from compose.operations.supported import prepared
from compose.operations.turns import turn
from compose.planner.images import ImagePolicy, plan_images

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.engine_client.blocking import BlockingClient
    from compose.engine_client.transport import Engine
    from compose.model.observed import Observed
    from compose.model.project import Project
    from compose.operations.building import BuildOptions
    from compose.operations.decision import Aim
    from compose.operations.session import Session
    from compose.operations.watching import UpdateFailedError
    from compose.operations.world import World
    from compose.planner.steps import Plan


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
