"""One step of a plan -> the calls that do it. It decides nothing: what to do is the plan's.

Most steps are one call (one_call.py); creating a container on an engine before 1.44 is one more for
each further network, and hooks, waits, pulls and builds are conversations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from compose.engine_client.payloads.container import ContainerSpec, create_request
from compose.errors import ComposeError, EngineRefusedError
from compose.operations.creating import create_container, read_profiles
from compose.operations.hooks import Forerunner, before_start, run_hook, run_to_end
from compose.operations.last_words import last_words
from compose.operations.one_call import OneCall, has_port_range
from compose.operations.updating import Updates
from compose.operations.watching import ContainerWatch, WaitFailedError
from compose.planner import steps as s

if TYPE_CHECKING:
    from compose.engine_client.transport import Engine
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.progress import Progress
    from compose.operations.world import World
    from compose.planner.steps import Step


class Executor:
    """Does steps. The stream of events that waits need lives in `nursery`, which its owner cancels."""

    def __init__(
        self, engine: Engine, world: World, progress: Progress, nursery: trio.Nursery
    ) -> None:
        self._engine = engine
        self._world = world
        self._progress = progress
        self._nursery = nursery
        self._watch: ContainerWatch | None = None
        self._watch_lock = trio.Lock()
        self._start_lock = trio.Lock()
        self._one_call = OneCall(world, engine.version, progress)
        self._updates = Updates(engine, self._one_call, progress)

    async def execute(self, step: Step) -> str:
        """Do it. Raises ComposeError. Returns "" or the word to tell instead of the usual one."""
        match step:
            case s.CreateContainer():
                await self._create(step)
            case s.StartContainer() if self._takes_turns(step):
                async with self._start_lock:
                    return await self._start(step)
            case s.StartContainer():
                return await self._start(step)
            case s.RunHook():
                await self._hook(step)
            case s.Delay():
                await trio.sleep(step.seconds)
            case s.WaitCondition():
                await self._wait(step)
            case s.WatchUpdate():
                await self._updates.watch(await self._watching(), step)
            case s.PullImage():
                assert self._world.pull is not None
                return await self._world.pull(self._engine, step)
            case s.BuildImage():
                assert self._world.build is not None
                return await self._world.build(self._engine, step)
            case _:
                return await self._do(step)
        return ""

    async def _do(self, step: Step) -> str:
        """A step that is one call."""
        call = self._one_call.call(step)
        if call is None:
            return ""
        try:
            answer = await self._engine.do(call)
        except EngineRefusedError as error:
            return self._one_call.refused(step, error)
        if isinstance(step, s.CreateNetwork) and answer.json().get("Warning"):
            self._progress.warn(f"network {step.name}: {answer.json()['Warning']}")
        return self._one_call.done(step, answer)

    async def _start(self, step: s.StartContainer) -> str:
        try:
            return await self._do(step)
        except EngineRefusedError as error:
            if not step.watched:
                raise
            self._updates.note(step, error)
            return "Failed"

    async def _create(self, step: s.CreateContainer) -> None:
        service = self._project().services[step.service]
        profiles = await read_profiles(self._project(), service)
        request = self._one_call.create_request(step, profiles)
        name = step.temporary or step.name
        made = await create_container(self._engine, name, request, service.platform)
        self._one_call.created(step, made)

    def _takes_turns(self, step: s.StartContainer) -> bool:
        service = self._project().services.get(step.service) if self._world.project else None
        return service is not None and has_port_range(service)

    def _project(self) -> Project:
        return self._one_call.project

    async def _hook(self, step: s.RunHook) -> None:
        service = self._project().services[step.service]
        if step.moment == "pre_start":
            await self._run_before(step, service)
            return
        hook = (service.post_start if step.moment == "post_start" else service.pre_stop)[step.index]
        try:
            await run_hook(
                self._engine, service, self._one_call.ref(step.ref), hook, self._world.on_hook_line
            )
        except EngineRefusedError as error:
            # Before a stop, a container that has ended or left by itself is where it should be.
            if step.moment == "post_start" or error.status not in (404, 409):
                raise

    async def _run_before(self, step: s.RunHook, service: Service) -> None:
        """A pre_start hook: the container does not run yet, so it has one like it to itself."""
        like = before_start(service, service.pre_start[step.index])
        spec = ContainerSpec(
            name=f"{step.name}-pre_start-{step.index}",
            oneoff=True,
            use_aliases=False,
            image_id=self._world.image_ids.get(service.name, ""),
            peers=self._one_call.peers(),
        )
        request = create_request(self._project(), like, spec, self._engine.version)
        forerunner = Forerunner(spec.name, request, self._project(), like)
        await run_to_end(self._engine, forerunner, self._progress, self._world.on_hook_line)

    async def _wait(self, step: s.WaitCondition) -> None:
        watching = await self._watching()
        for name, _ in step.containers:
            self._progress.report(f"Container {name}", "Waiting")
        if not step.containers:
            error = ComposeError(f"service {step.service} has no container to wait for")
            await self._fail_wait(step, error)
            return
        try:
            async with trio.open_nursery() as nursery:
                for name, ref in step.containers:
                    nursery.start_soon(self._wait_one, watching, step, name, ref)
        except BaseExceptionGroup as group:
            failed, rest = group.split(ComposeError)
            if rest is not None or failed is None:
                raise
            await self._fail_wait(step, leaf_of(failed))

    async def _wait_one(
        self, watching: ContainerWatch, step: s.WaitCondition, name: str, ref: str
    ) -> None:
        code = await watching.wait_until(self._one_call.ref(ref), step.condition, name)
        if code:
            text = f'service "{step.service}" didn\'t complete successfully: exit {code}'
            raise WaitFailedError(text, ref=ref, container=name)
        word = "Exited" if step.condition == "completed" else "Healthy"
        self._progress.report(f"Container {name}", word, "done")

    async def _fail_wait(self, step: s.WaitCondition, error: Exception) -> None:
        text = str(error)
        if isinstance(error, WaitFailedError) and error.ref:
            for line in await last_words(self._engine, error.ref):
                self._progress.quote(error.container, line)
        if not step.required:
            self._progress.warn(f'optional dependency "{step.service}" failed to start: {text}')
            return
        for name, _ in step.containers:
            self._progress.report(f"Container {name}", "Error", "error", text)
        if step.dependency and step.condition == "healthy":
            text = f"dependency failed to start: {text}"
        raise WaitFailedError(text) from error

    async def _watching(self) -> ContainerWatch:
        async with self._watch_lock:
            if self._watch is None:
                watching = ContainerWatch(self._engine, self._world.name)
                await self._nursery.start(watching.listen)
                self._watch = watching
            return self._watch


def leaf_of(group: BaseExceptionGroup[ComposeError]) -> Exception:
    """The first error of a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error
