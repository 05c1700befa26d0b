"""One step of a plan -> the calls that do it. It decides nothing: what to do is the plan's.

A step is one call; creating a container on an engine before 1.44 is one more for each further
network. "Already so" is success. Returns a word where the outcome is another than the usual one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from compose.engine_client import calls
from compose.engine_client.payloads.container import (
    ContainerSpec,
    container_name_of,
    create_request,
    image_of,
)
from compose.engine_client.payloads.networking import network_body, volume_body
from compose.errors import ComposeError, EngineRefusedError
from compose.model.observed import Observed
from compose.model.record import EMPTY, Record
from compose.operations.creating import create_container, read_profiles
from compose.operations.hooks import before_start, run_hook, run_to_end
from compose.operations.last_words import last_words
from compose.operations.uploads import files_archive
from compose.operations.watching import ContainerWatch, WaitFailedError
from compose.planner import steps as s
from compose.planner.config_hash import (
    Encode,
    contents_hash,
    network_hash,
    plain_json,
    service_hash,
    volume_hash,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from compose.engine_client.call import Call
    from compose.engine_client.transport import Engine
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.progress import Progress
    from compose.planner.steps import Step


class World(Record):
    """What steps refer to. `project` may be empty where only labels are known."""

    name: str
    project: Project | None = None
    observed: Observed = Observed()
    encode: Encode = plain_json
    image_ids: Mapping[str, str] = EMPTY
    on_hook_line: Callable[[str, str], None] | None = None
    pull: Callable[[Engine, s.PullImage], Awaitable[str]] | None = None
    build: Callable[[Engine, s.BuildImage], Awaitable[str]] | None = None


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
        #: service -> name -> id of the containers there are by now.
        self._peers: dict[str, dict[str, str]] = {}
        #: name -> id of the containers made here: a replacement's name is another's for a while.
        self._made: dict[str, str] = {}
        self._mounts = {one.id: one.mounts for one in world.observed.containers}
        for one in world.observed.containers:
            if not one.oneoff:
                self._peers.setdefault(one.service, {})[one.name] = one.id

    async def execute(self, step: Step) -> str:  # noqa: C901, PLR0912  # an arm a step
        """Do it. Raises ComposeError. Returns "" or the word to tell instead of the usual one."""
        engine = self._engine
        match step:
            case s.CreateNetwork():
                await self._create_network(step)
            case s.RemoveNetwork():
                return await self._remove(calls.remove_network(step.ref))
            case s.DisconnectContainer():
                await engine.do(calls.disconnect_network(step.network, step.ref))
            case s.CreateVolume():
                project = self._project()
                volume = project.volumes[step.key]
                body = volume_body(project, volume, volume_hash(volume, self._world.encode))
                await engine.do(calls.create_volume(body))
            case s.RemoveVolume():
                return await self._remove(calls.remove_volume(step.name))
            case s.RemoveImage():
                return await self._remove(calls.remove_image(step.name))
            case s.CreateContainer():
                await self._create(step)
            case s.UploadFiles():
                await self._upload(step)
            case s.RenameContainer():
                await engine.do(calls.rename_container(self._ref(step.ref), step.name))
            case s.StartContainer():
                await self._start(step)
            case s.StopContainer():
                await engine.do(calls.stop_container(step.ref, step.timeout))
            case s.RestartContainer():
                await engine.do(calls.restart_container(step.ref, step.timeout))
            case s.KillContainer():
                await self._unless_gone(calls.kill_container(step.ref, step.signal))
            case s.PauseContainer():
                call = calls.unpause_container if step.thaw else calls.pause_container
                await engine.do(call(step.ref))
            case s.RemoveContainer():
                await engine.do(
                    calls.remove_container(step.ref, volumes=step.volumes, force=not step.quiet)
                )
                for names in self._peers.values():
                    for name in [one for one, ref in names.items() if ref == step.ref]:
                        del names[name]
            case s.RunHook():
                await self._hook(step)
            case s.Delay():
                await trio.sleep(step.seconds)
            case s.WaitCondition():
                await self._wait(step)
            case s.PullImage():
                assert self._world.pull is not None
                return await self._world.pull(engine, step)
            case s.BuildImage():
                assert self._world.build is not None
                return await self._world.build(engine, step)
        return ""

    def _project(self) -> Project:
        assert self._world.project is not None
        return self._world.project

    async def _create_network(self, step: s.CreateNetwork) -> None:
        project = self._project()
        network = project.networks[step.key]
        body = network_body(project, network, network_hash(network, self._world.encode))
        try:
            await self._engine.do(calls.create_network(body))
        except EngineRefusedError as error:
            raise EngineRefusedError(
                f"failed to create network {step.name}: {error}", status=error.status
            ) from error

    async def _remove(self, call: Call) -> str:
        try:
            answer = await self._engine.do(call)
        except EngineRefusedError as error:
            if error.status in (403, 409):
                return "Resource is still in use"
            if error.status == 404:
                return "No resource found to remove"
            raise
        return "No resource found to remove" if answer.status == 404 else ""

    async def _unless_gone(self, call: Call) -> None:
        """A container that ended or left meanwhile needs no signal any more."""
        try:
            await self._engine.do(call)
        except EngineRefusedError as error:
            if error.status not in (404, 409):
                raise

    async def _create(self, step: s.CreateContainer) -> None:
        project = self._project()
        service = project.services[step.service]
        shared = {name: ids[0][1] for name in self._peers if (ids := self._sorted_peers(name))}
        image = self._world.observed.images.get(image_of(project, service))
        spec = ContainerSpec(
            name=step.name,
            number=step.number,
            config_hash=service_hash(service, shared, self._world.encode),
            contents_hash=contents_hash(project, service),
            image_id=self._world.image_ids.get(service.name, ""),
            replaces=container_name_of(service, step.number) if step.replaces else "",
            inherited=self._mounts.get(step.replaces, ()) if step.inherits else (),
            image_volumes=image.volumes if image else (),
            peers={name: self._sorted_peers(name) for name in self._peers},
            profiles=await read_profiles(project, service),
        )
        request = create_request(project, service, spec, self._engine.version)
        name = step.temporary or step.name
        made = await create_container(self._engine, name, request, service.platform)
        for warning in made.get("Warnings") or []:
            self._progress.report(step.service, "Warning", "warning", warning)
        names = self._peers.setdefault(step.service, {})
        for old in [one for one, ref in names.items() if ref == step.replaces]:
            del names[old]
        names[step.name] = made["Id"]
        self._made[step.name] = self._made[name] = made["Id"]

    def _ref(self, ref: str) -> str:
        """The id of what was made here under that name."""
        return self._made.get(ref, ref)

    def _sorted_peers(self, service: str) -> list[tuple[str, str]]:
        return sorted(self._peers.get(service, {}).items())

    async def _upload(self, step: s.UploadFiles) -> None:
        archive = files_archive(self._project(), self._project().services[step.service])
        if archive:
            await self._engine.do(calls.write_archive(self._ref(step.ref), "/", archive))

    async def _start(self, step: s.StartContainer) -> None:
        service = self._project().services.get(step.service) if self._world.project else None
        if service is not None and any("-" in port.published for port in service.ports):
            # Two that start at once may be given the same port of a range.
            async with self._start_lock:
                await self._engine.do(calls.start_container(self._ref(step.ref)))
            return
        await self._engine.do(calls.start_container(self._ref(step.ref)))

    async def _hook(self, step: s.RunHook) -> None:
        service = self._project().services[step.service]
        if step.moment == "pre_start":
            await self._run_before(step, service)
            return
        hook = (service.post_start if step.moment == "post_start" else service.pre_stop)[step.index]
        try:
            await run_hook(
                self._engine, service, self._ref(step.ref), hook, self._world.on_hook_line
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
            peers={name: self._sorted_peers(name) for name in self._peers},
        )
        request = create_request(self._project(), like, spec, self._engine.version)
        await run_to_end(
            self._engine, spec.name, request, service, self._progress, self._world.on_hook_line
        )

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
        code = await watching.wait_until(self._ref(ref), step.condition, name)
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
