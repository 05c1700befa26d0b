"""`build`, `pull` and `push`: images of a project's services, and nothing else."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Literal

from compose.engine_client.observe import observe
from compose.engine_client.payloads.container import image_of
from compose.model.record import Record, changed
from compose.operations.build_contexts import with_contexts
from compose.operations.build_query import BuildOptions
from compose.operations.decision import image_names, image_platforms, warnings_of
from compose.operations.rehearsal import rehearse
from compose.planner.images import is_built, order_builds, why_pull
from compose.planner.steps import BuildImage, Plan, PullImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.engine_client.transport import Engine
    from compose.model.observed import ObservedImage
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.session import Session


class BuildRequest(Record):
    """The flags of build."""

    services: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    push: bool = False
    quiet: bool = False
    memory: int = 0
    with_dependencies: bool = False
    ssh: tuple[str, ...] = ()
    check: bool = False
    print_only: bool = False
    no_cache_filter: tuple[str, ...] = ()


class PullRequest(Record):
    """The flags of pull and push."""

    services: tuple[str, ...] = ()
    ignore_buildable: bool = False
    ignore_failures: bool = False
    include_dependencies: bool = False
    policy: Literal["", "missing", "always"] = ""
    quiet: bool = False


def named_only(project: Project, services: tuple[str, ...], *, dependencies: bool) -> Project:
    """The project of the services named; with what they depend on if asked for."""
    if not services or dependencies:
        return project
    return changed(
        project, services={name: one for name, one in project.services.items() if name in services}
    )


def build(request: BuildRequest, session: Session) -> int:
    """Build the images. Raises ComposeError."""
    project = session.project(request.services).project
    whole = project
    project = named_only(project, request.services, dependencies=request.with_dependencies)
    whole = changed(whole, services={**whole.disabled, **whole.services})
    project = with_contexts(project, whole)
    for text in warnings_of(project):
        session.progress.warn(text)
    steps = order_builds(
        [
            BuildImage(id=f"build {name}", service=name, image=image_of(project, service))
            for name, service in project.services.items()
            if service.build is not None
        ],
        project,
    )
    options = BuildOptions(
        request.no_cache,
        request.pull,
        build_arguments(request, project.environment),
        request.memory,
        request.ssh,
        request.check,
        request.no_cache_filter,
        every_platform=True,
    )
    if request.print_only:
        from compose.operations.bake import bake_file

        document = bake_file(project, request.services, options, push=request.push)
        session.out.write(f"{json.dumps(document, indent=2)}\n")
        return 0
    if not steps:
        session.progress.warn("No services to build")
        return 0
    if session.dry_run:
        return rehearse(session, [Plan(steps)])

    async def main(engine: Engine) -> int:
        from compose.operations.apply import apply_plan
        from compose.operations.image_steps import ImageSteps
        from compose.operations.pulling import push_image
        from compose.operations.world import World

        images = ImageSteps(
            project, session, options, quiet_build=request.quiet, several=len(steps) > 1
        )
        world = World(project.name, project, build=images.build)
        await apply_plan(Plan(steps), engine, world, session.progress, limit=session.parallel)
        pushed = [step.image for step in steps if isinstance(step, BuildImage) and request.push]
        for image in pushed:
            await push_image(engine, image, session.environment, session.progress)
        if request.check:
            session.progress.line("Check complete, no warnings found.")
        elif request.quiet:
            session.out.writelines(f"{image_id}\n" for image_id in images.built.values())
        return 0

    return session.run_async(session.client(), main)


def build_arguments(request: BuildRequest, environment: Mapping[str, str]) -> dict[str, str]:
    """--build-arg K=V; K alone takes our value, if we have one. Pure."""
    found: dict[str, str] = {}
    for text in request.arguments:
        key, equals, value = text.partition("=")
        if equals:
            found[key] = value
        elif key in environment:
            found[key] = environment[key]
    return found


def pull(request: PullRequest, session: Session) -> int:
    """Pull the images. Raises ComposeError."""
    project = session.project(request.services).project
    project = named_only(project, request.services, dependencies=request.include_dependencies)
    client = session.client()
    observed = observe(client, project.name, image_names(project), image_platforms(project))
    steps = []
    taken: dict[str, str] = {}
    for name, service in project.services.items():
        image = service.image
        reason = skipped(request, service, observed.images.get(image))
        if not reason and image in taken:
            reason = f"Skipped - Image is already being pulled by {taken[image]}"
        if reason:
            session.progress.report(name, reason, "done")
            continue
        taken[image] = name
        steps.append(
            PullImage(
                id=f"pull {image}",
                service=name,
                image=image,
                platform=service.platform,
                optional=request.ignore_failures or is_built(project, image),
            )
        )
    if not steps:
        return 0
    if session.dry_run:
        return rehearse(session, [Plan(tuple(steps))])

    async def main(engine: Engine) -> int:
        from compose.operations.apply import apply_plan
        from compose.operations.image_steps import ImageSteps
        from compose.operations.world import World

        images = ImageSteps(project, session, BuildOptions(), quiet_pull=request.quiet)
        world = World(project.name, project, pull=images.pull)
        plan = Plan(tuple(steps))
        await apply_plan(plan, engine, world, session.progress, limit=session.parallel)
        return 0

    return session.run_async(client, main)


def skipped(request: PullRequest, service: Service, local: ObservedImage | None) -> str:
    """Why a service's image is not pulled; "" if it is. Pure but for the clock."""
    how = request.policy or service.pull_policy or "always"
    if not service.image:
        return "Skipped - No image to be pulled"
    if how in ("never", "build"):
        return "Skipped"
    if how != "always" and not why_pull(service, how, local, time.time()):
        return "Skipped - Image is already present locally"
    if service.build is not None and request.ignore_buildable:
        return "Skipped - Image can be built"
    return ""


def push(request: PullRequest, session: Session) -> int:
    """Push the images that the project builds. Raises ComposeError."""
    project = session.project(request.services).project
    project = named_only(project, request.services, dependencies=request.include_dependencies)
    wanted: dict[str, list[str]] = {}
    for name, service in project.services.items():
        if service.build is None or not service.image:
            session.progress.report(name, "Skipped", "done")
            continue
        wanted[name] = list(dict.fromkeys([service.image, *service.build.tags]))
    if not wanted or session.dry_run:
        return 0

    async def main(engine: Engine) -> int:
        from compose.errors import ComposeError
        from compose.operations.pulling import push_image

        progress = None if request.quiet else session.progress
        for name, images in wanted.items():
            session.progress.report(name, "Pushing")
            for image in images:
                try:
                    await push_image(engine, image, session.environment, progress)
                except ComposeError as error:
                    session.progress.report(name, "Error", "error", str(error))
                    if not request.ignore_failures:
                        raise
                    break
            else:
                session.progress.report(name, "Pushed", "done")
        return 0

    return session.run_async(session.client(), main)
