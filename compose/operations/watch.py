"""`watch`, `up --watch` and the menu's w: what changes on the host is brought into the containers.

One task looks (compose/watch), one batch is worked off at a time; what changes meanwhile is the next
batch. A batch that fails is told, and watching goes on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import trio

from compose.engine_client import calls
from compose.engine_client.object_calls import prune
from compose.engine_client.payloads.container import image_of
from compose.engine_client.payloads.observed import container_from_list
from compose.errors import ComposeError, ProjectError
from compose.model import labels
from compose.model.hook import Hook
from compose.model.record import Record, changed
from compose.operations.apply import apply_plan
from compose.operations.converge import carry_out, make_images
from compose.operations.decision import Aim, decide, image_names, look_again
from compose.operations.dockerignore import Ignore
from compose.operations.hooks import run_hook
from compose.operations.lifecycle import restarted_with
from compose.operations.syncing import remove_paths, send_files
from compose.operations.world import World
from compose.planner.images import ImagePolicy, plan_images, tagged_time
from compose.planner.lifecycle import plan_restart
from compose.planner.policy import UpPolicy
from compose.watch.rules import EPHEMERAL, KINDS, Changes, Trigger, Work, plan_work
from compose.watch.tree import WatchedTree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from compose.engine_client.transport import Engine
    from compose.model.observed import ObservedContainer
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.progress import Style
    from compose.operations.session import Session

NOT_CONFIGURED = (
    "none of the selected services is configured for watch, consider setting a 'develop' section"
)


class WatchRequest(Record):
    """The flags of watch."""

    services: tuple[str, ...] = ()
    up: bool = True
    prune: bool = True
    quiet: bool = False


def watch(request: WatchRequest, session: Session) -> int:
    """Bring the project up, then watch until Ctrl-C. Raises ComposeError."""
    from compose.operations.converge import converge

    project = session.project(request.services).project
    triggers = find_triggers(project, request.services)
    if request.up:
        policy = UpPolicy(services=request.services)
        aim = Aim(project, policy, ImagePolicy(build=True), quiet_build=request.quiet)
        code = converge(aim, session)
        if code or session.dry_run:
            return code
    session.progress.close()
    client = session.client()

    def say(text: str) -> None:
        session.err.write(text + "\n")
        session.err.flush()

    async def main(engine: Engine) -> int:
        with Watcher(engine, session, project, triggers, say) as watcher:
            watcher.prune = request.prune
            watcher.quiet = request.quiet
            await watcher.run()
        return 0

    return session.run_async(client, main)


def find_triggers(project: Project, services: Sequence[str] = ()) -> list[Trigger]:
    """The triggers of the services. Raises ProjectError where there are none, or one cannot work."""
    found: list[Trigger] = []
    for name, service in project.services.items():
        if services and name not in services:
            continue
        found += [
            trigger_of(project, service, index, entry)
            for index, entry in enumerate(service.develop.get("watch") or ())
        ]
    if not found:
        raise ProjectError(NOT_CONFIGURED)
    return found


def trigger_of(project: Project, service: Service, index: int, entry: Mapping[str, Any]) -> Trigger:
    """One entry of develop.watch as a trigger. Raises ProjectError."""
    where = f"services.{service.name}.develop.watch.{index}"
    kind = entry.get("action", "")
    if kind not in KINDS:
        raise ProjectError(f'{where}.action: "{kind}" is none: use {", ".join(KINDS)}')
    if kind == "rebuild" and service.build is None:
        raise ProjectError(
            f"{where}: can't watch service {service.name!r} with action rebuild without a build context"
        )
    path = os.path.normpath(Path(project.working_dir) / entry["path"])
    own = Ignore(entry.get("ignore") or ())
    context = build_ignore(service)
    ephemeral = Ignore(EPHEMERAL)
    included = Ignore(entry.get("include") or ())

    def ignores(below: str) -> bool:
        if own.excludes(below) or ephemeral.excludes(below):
            return True
        from_context = context and os.path.relpath(f"{path}/{below}", context[0])
        return bool(
            context
            and from_context
            and not from_context.startswith("..")
            and context[1].excludes(from_context)
        )

    return Trigger(
        service.name, kind, path, entry.get("target") or "",
        initial_sync=bool(entry.get("initial_sync")),
        hook=hook_of(entry.get("exec") or {}),
        ignores=ignores, includes=included.excludes if entry.get("include") else None,
    )  # fmt: skip


def hook_of(entry: Mapping[str, Any]) -> Hook | None:
    """What sync+exec runs."""
    command = entry.get("command")
    if not command:
        return None
    return Hook(
        tuple(command), user=entry.get("user") or "", privileged=bool(entry.get("privileged")),
        working_dir=entry.get("working_dir") or "", environment=entry.get("environment") or {},
    )  # fmt: skip


def build_ignore(service: Service) -> tuple[str, Ignore] | None:
    """The service's build context and its .dockerignore, if it has a folder for one."""
    if service.build is None or not service.build.context.startswith("/"):
        return None
    context = Path(service.build.context)
    own = context / f"{service.build.dockerfile or 'Dockerfile'}.dockerignore"
    for path in (own, context / ".dockerignore"):
        try:
            return str(context), Ignore(path.read_text(errors="replace").splitlines())
        except OSError:
            continue
    return None


class Watcher:
    """Watches for one project. Use as a context manager; `run` may be cancelled and run again."""

    def __init__(
        self,
        engine: Engine,
        session: Session,
        project: Project,
        triggers: Sequence[Trigger],
        say: Callable[[str], None],
    ) -> None:
        self.prune = True
        self.quiet = False
        self._engine = engine
        self._project = project
        self._triggers = triggers
        self._say = say
        self._session = changed(session, progress=_Told(say, self))
        self._tree = WatchedTree([one.path for one in triggers], self._skips)
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tree.pause()

    def _skips(self, path: str) -> bool:
        """Whether no trigger wants to hear of a path, nor of what could be below it."""
        around = [
            one for one in self._triggers
            if path == one.path or path.startswith(one.path.rstrip("/") + "/")
        ]  # fmt: skip
        return bool(around) and all(
            path != one.path and one.ignores(path[len(one.path.rstrip("/")) + 1 :])
            for one in around
        )

    async def run(self) -> None:
        """Watch until cancelled. Raises ComposeError where nothing can be watched."""
        try:
            missed = await trio.to_thread.run_sync(self._tree.begin)
            self._say("Watch enabled")
            if not self._begun:
                self._begun = True
                missed = await self._newer()
            if missed:
                await self._work_off(missed)
            while True:
                await self._work_off(await self._tree.wait_changes())
        finally:
            self._tree.pause()

    async def _newer(self) -> Changes:
        """What was changed after the image or container was made, and all to be synced at first."""
        observed = await look_again(self._engine, self._project)
        containers = [one for one in observed.containers if not one.oneoff]
        found: set[str] = set()
        files = self._tree.files()
        for trigger in self._triggers:
            own = [float(one.created) for one in containers if one.service == trigger.service]
            service = self._project.services[trigger.service]
            image = observed.images.get(image_of(self._project, service))
            built = [tagged_time(image.tagged)] if image is not None and service.build else []
            moments = own + built if trigger.syncs else built if trigger.kind == "rebuild" else []
            if not own or not moments:
                continue
            made = 0 if trigger.initial_sync else int(min(moments)) * 10**9
            found |= {
                path
                for path, moment in files.items()
                if moment > made and plan_work([trigger], Changes(frozenset([path])))
            }
        return Changes(frozenset(found))

    async def _containers(self) -> list[ObservedContainer]:
        call = calls.list_containers(self._project.name, oneoff=False)
        return [container_from_list(item) for item in (await self._engine.do(call)).json() or []]

    async def _work_off(self, changes: Changes) -> None:
        works = plan_work(self._triggers, changes)
        try:
            rebuilt = [work.service for work in works if work.rebuild]
            if rebuilt:
                await self._rebuild(rebuilt)
            for work in works:
                if not work.rebuild:
                    await self._update(work)
        except ComposeError as error:
            self._say(f"watch: {error}")

    async def _update(self, work: Work) -> None:
        """Copy, remove, restart, run: of all containers of the service."""
        running = [
            one for one in await self._containers()
            if one.service == work.service and one.state == "running"
        ]  # fmt: skip
        if work.copies or work.removals:
            self._say(
                f'Syncing service "{work.service}" after {work.changes} changes were detected'
            )
        async with trio.open_nursery() as nursery:
            for container in running:
                nursery.start_soon(self._sync, container, work)
        if work.restart:
            await self._restart(work.service)
        service = self._project.services[work.service]
        for hook in work.hooks:
            for container in running:
                await run_hook(self._engine, service, container.id, hook, self._hook_line)

    async def _sync(self, container: ObservedContainer, work: Work) -> None:
        if work.removals:
            await remove_paths(self._engine, container.id, work.removals)
        if work.copies:
            await send_files(self._engine, container.id, work.copies)

    def _hook_line(self, _ref: str, line: str) -> None:
        self._say(line)

    async def _restart(self, name: str) -> None:
        services = (name, *sorted(restarted_with(self._project, (name,))))
        observed = await look_again(self._engine, self._project)
        plan = plan_restart(self._project, observed, services, None)
        world = World(self._project.name, self._project, observed)
        await apply_plan(plan, self._engine, world, self._session.progress)
        self._say(f"service(s) {list(services)} restarted")

    async def _rebuild(self, services: Sequence[str]) -> None:
        """Build the images, and replace the containers whose image is another now."""
        self._say(f"Rebuilding service(s) {list(services)} after changes were detected...")
        kept = {name: self._project.services[name] for name in services}
        rest = {name: one for name, one in self._project.services.items() if name not in kept}
        project = changed(self._project, services=kept, disabled={**self._project.disabled, **rest})
        aim = Aim(
            project, UpPolicy(services=tuple(services), ignore_orphans=True),
            ImagePolicy(build=True), quiet_build=self.quiet,
        )  # fmt: skip
        observed = await look_again(self._engine, project)
        images = plan_images(project, observed.images, aim.images, 0)
        found = await make_images(aim, self._session, self._engine, observed, images)
        await carry_out(aim, self._session, self._engine, decide(aim, found))
        self._say(f"service(s) {list(services)} successfully built")
        if self.prune and image_names(project):
            wanted = {"dangling": ["true"], "label": [f"{labels.PROJECT}={project.name}"]}
            await self._engine.do(prune("images", wanted))


class _Told:
    """Progress while watching: failures, and a builder's lines."""

    def __init__(self, say: Callable[[str], None], watcher: Watcher) -> None:
        self._say = say
        self._watcher = watcher

    @property
    def style(self) -> Style:
        """Lines come between those of containers."""
        return "plain"

    def report(
        self, subject: str, word: str, kind: str = "working", text: str = "", parent: str = ""
    ) -> None:
        """Only what went wrong: the error itself is told by who catches it."""

    def warn(self, text: str) -> None:
        """A line."""
        self._say(f"warning: {text}")

    def line(self, text: str) -> None:
        """A builder's line, unless it is to be quiet."""
        if not self._watcher.quiet:
            self._say(text)

    def quote(self, source: str, text: str) -> None:
        """A line of the container that failed."""
        self._say(f"{source}  | {text}")

    def close(self) -> None:
        """Nothing."""
