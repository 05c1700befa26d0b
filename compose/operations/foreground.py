"""`up` without -d: containers' lines in one stream, and the way down at Ctrl-C.

The first Ctrl-C stops the project in order, the second kills it, and the exit code is 130. With
--abort-on-container-exit the first container that ends begins the same way down. On a terminal there
are keys too (shortcuts.py): they look, watch, or leave the containers to themselves.
"""

from __future__ import annotations

import signal
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import trio

from compose.engine_client import calls
from compose.errors import ComposeError, EngineRefusedError, ProjectError
from compose.logs.footer import Footer
from compose.logs.writer import LogWriter
from compose.model.record import changed
from compose.operations.apply import apply_plan
from compose.operations.converge import converge, provided, world_of
from compose.operations.decision import Aim, Decision, decide, look_again
from compose.operations.log_source import Source, short_name
from compose.operations.reading_along import Exit, LogHub
from compose.operations.shortcuts import menu_line, read_keys, unbuffered_keys
from compose.operations.supported import prepared
from compose.operations.terminal import window_size
from compose.operations.world import World
from compose.planner.lifecycle import plan_kill, plan_stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.engine_client.transport import Engine
    from compose.model.observed import ObservedContainer
    from compose.operations.progress import Style
    from compose.operations.session import Session
    from compose.operations.up_request import UpRequest
    from compose.operations.watch import Watcher
    from compose.planner.steps import Plan

GRACEFULLY = "Gracefully Stopping... press Ctrl+C again to force"
ABORTING = "Aborting on container exit..."


def run_foreground(request: UpRequest, aim: Aim, session: Session) -> int:
    """Create, then start and read along. Returns the exit code. Raises ComposeError."""
    check_names(request, aim)
    if request.watch:
        from compose.operations.watch import find_triggers

        find_triggers(aim.project)
    project = prepared(aim.project, session.endpoint, session.environment)
    if not session.dry_run:
        project = provided(project, session, quiet=aim.quiet_pull)
    aim = changed(aim, project=project)
    code = converge(aim, session)
    if code or session.dry_run:
        return code
    session.progress.close()
    client = session.client()

    async def main(engine: Engine) -> int:
        return await _Foreground(request, aim, session, engine).run()

    return session.run_async(client, main, signals=False)


def check_names(request: UpRequest, aim: Aim) -> None:
    """ProjectError for a service that is to be attached to and is none."""
    for name in (*request.attach, *request.no_attach):
        if name not in aim.project.services and name not in aim.project.disabled:
            raise ProjectError(f"no such service: {name}")


class _Foreground:
    def __init__(self, request: UpRequest, aim: Aim, session: Session, engine: Engine) -> None:
        self._request = request
        self._aim = changed(aim, policy=changed(aim.policy, start=True, recreate="never", recreate_dependencies="never", ignore_orphans=True))  # fmt: skip
        self._session = session
        self._engine = engine
        self._code = 0
        self._first_exit = True
        self._stop = trio.Event()
        self._starting = trio.CancelScope()
        self._started = trio.Event()
        self._reading = trio.CancelScope()
        self._terminals: list[str] = []
        self._footer: Footer | None = None
        self._watching: trio.CancelScope | None = None
        self._watcher: Watcher | None = None
        out = session.out
        if request.menu:
            self._footer = Footer(out, self._menu, lambda: window_size()[1] or 80)
            out = self._footer.stream
        self._out = out
        err = out if request.menu and session.err.isatty() else session.err
        self._writer = LogWriter(
            out, colours=request.colours, prefix=request.prefix, err=err,
            services=aim.project.services,
        )  # fmt: skip

    async def run(self) -> int:
        """Attach, start, read until all have ended or the person has had enough."""
        project = self._aim.project
        observed = await look_again(self._engine, project)
        decision = decide(self._aim, observed)
        containers = sorted(
            (
                one
                for one in observed.containers
                if one.service in self._monitored() and not one.oneoff
            ),
            key=lambda one: one.name,
        )
        sources = [await self._source(one) for one in containers]
        hub = LogHub(
            self._engine, self._writer, project.name, self._monitored(), shown=self._shown(),
            timestamps=self._request.timestamps, on_exit=self._on_exit,
        )  # fmt: skip
        running = {one.id for one in containers if one.is_running}
        with ExitStack() as tidy:
            if self._footer is not None:
                tidy.callback(self._footer.close)
                tidy.enter_context(unbuffered_keys())
            self._tell_attached(sources)
            async with trio.open_nursery() as nursery:
                await nursery.start(self._listen_for_signals)
                nursery.start_soon(self._way_down, hub)
                if self._footer is not None:
                    nursery.start_soon(read_keys, partial(self._on_key, hub, nursery))
                with self._reading:
                    async with trio.open_nursery() as reading:
                        await reading.start(hub.run, sources, running)
                        self._show_menu()
                        await self._start(decision, sources)
                        if self._request.watch and not self._stop.is_set():
                            self._toggle_watch(hub, nursery)
                nursery.cancel_scope.cancel()
        return self._code

    async def _start(self, decision: Decision, sources: list[Source]) -> None:
        """Start what is to run; a stop that the person asks for ends this first."""
        world = changed(world_of(self._aim, decision), on_hook_line=self._hook_line(sources))
        limit = self._session.parallel
        try:
            with self._starting:
                await apply_plan(decision.plan, self._engine, world, QUIET, limit=limit)
            await self._tell_size()
        except ComposeError:
            if not self._stop.is_set():
                raise
        finally:
            self._started.set()

    def _monitored(self) -> tuple[str, ...]:
        """The services whose ends end the command."""
        return tuple(self._aim.project.services)

    def _shown(self) -> tuple[str, ...]:
        """The services whose lines are shown."""
        request, services = self._request, self._aim.project.services
        if request.attach:
            names = list(request.attach)
        elif request.attach_dependencies or not request.services:
            names = list(services)
        else:
            names = list(request.services)
        if not request.attach:
            names = [name for name in names if name in services and services[name].attach]
        return tuple(name for name in names if name not in request.no_attach)

    def _tell_attached(self, sources: list[Source]) -> None:
        attached = [source for source in sources if source.service in self._shown()]
        for source in attached:
            self._writer.register(source.name, source.service)
        if attached:
            self._say(f"Attaching to {', '.join(one.name for one in attached)}")

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()

    async def _source(self, container: ObservedContainer) -> Source:
        """Where to read from, and whether the container has a terminal."""
        inspected = (await self._engine.do(calls.inspect_container(container.id))).json()
        tty = bool(inspected["Config"]["Tty"])
        if tty:
            self._terminals.append(container.id)
        name = short_name(container.name, container.labels)
        return Source(container.id, name, container.service, tty)

    def _hook_line(self, sources: list[Source]) -> Callable[[str, str], None]:
        names = {source.id: source.name for source in sources}
        names |= {self._aim.project.name_of(source.name): source.name for source in sources}

        def write(ref: str, line: str) -> None:
            name = names.get(ref, ref)
            self._writer.register(f"{name} ->", name)
            self._writer.line(f"{name} ->", line)
            self._writer.flush()

        return write

    def _on_exit(self, ended: Exit) -> None:
        request = self._request
        if request.exit_code_from and ended.service == request.exit_code_from:
            self._code = ended.code
        if not request.abort_on or not self._first_exit:
            return
        if request.abort_on == "failure" and ended.code == 0:
            return
        self._first_exit = False
        self._close_menu()
        if not request.exit_code_from:
            self._code = ended.code
        self._session.err.write(ABORTING + "\n")
        self._session.err.flush()
        self._stop.set()

    async def _listen_for_signals(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)
        with trio.open_signal_receiver(*wanted) as signals:
            task_status.started()
            count = 0
            async for number in signals:
                if number == signal.SIGWINCH:
                    await self._resized()
                    continue
                count += 1
                self._code = 130
                if count == 1:
                    self._close_menu()
                    self._say(GRACEFULLY)
                    self._stop.set()
                else:
                    await self._kill()

    async def _resized(self) -> None:
        if self._footer is not None:
            self._footer.redraw()
        await self._tell_size()

    async def _tell_size(self) -> None:
        """Containers with a terminal write to ours: they should know its size."""
        height, width = window_size()
        for ref in self._terminals if height else ():
            try:
                await self._engine.do(calls.resize_container(ref, height, width))
            except EngineRefusedError:
                pass  # it has ended

    async def _way_down(self, hub: LogHub) -> None:
        """Once the stop is asked for: start nothing more, stop all, and end the reading."""
        await self._stop.wait()
        self._starting.cancel()
        if self._watching is not None:
            self._watching.cancel()
        await self._started.wait()
        observed = await look_again(self._engine, self._aim.project)
        plan = plan_stop(self._aim.project, observed, self._monitored(), self._request.timeout)
        await self._apply(plan)
        for container in observed.containers:
            if not container.is_running:
                hub.forget(container.id)

    async def _kill(self) -> None:
        observed = await look_again(self._engine, self._aim.project)
        await self._apply(plan_kill(observed, self._monitored()))

    async def _apply(self, plan: Plan) -> None:
        world = World(self._aim.project.name, self._aim.project)
        await apply_plan(plan, self._engine, world, self._session.lines, keep_going=True)

    def _toggle_watch(self, hub: LogHub, nursery: trio.Nursery) -> None:
        """Begin or end watching. While it lasts, the end of all containers is not the end."""
        if self._watching is not None:
            self._watching.cancel()
            return
        from compose.operations.watch import Watcher, find_triggers

        if self._watcher is None:
            project = self._aim.project
            try:
                triggers = find_triggers(project)
            except ProjectError as error:
                self._say(str(error))
                return
            self._watcher = Watcher(self._engine, self._session, project, triggers, self._say)
        self._watching = trio.CancelScope()
        nursery.start_soon(self._watch, hub, self._watcher, self._watching)

    async def _watch(self, hub: LogHub, watcher: Watcher, scope: trio.CancelScope) -> None:
        hub.hold()
        self._show_menu()
        try:
            with scope:
                await watcher.run()
        except ComposeError as error:
            self._say(f"watch: {error}")
        finally:
            self._watching = None
            hub.release()
        self._say("Watch disabled")

    def _menu(self, width: int) -> str:
        watching = self._watching is not None
        return menu_line(watching=watching, colours=self._request.colours, width=width)

    def _show_menu(self) -> None:
        if self._footer is not None:
            self._footer.redraw()

    def _close_menu(self) -> None:
        if self._footer is not None:
            self._footer.close()

    async def _on_key(self, hub: LogHub, nursery: trio.Nursery, key: str) -> None:
        match key:
            case "w":
                self._toggle_watch(hub, nursery)
            case "v":
                self._say((await trio.to_thread.run_sync(self._request.view_services)).rstrip())
            case "o":
                self._say((await trio.to_thread.run_sync(self._request.view_config)).rstrip())
            case "d":
                self._say("Detached: the containers go on; 'pycompose logs -f' reads along again")
                self._reading.cancel()
            case "\n" | "\r":
                self._say("")
            case _:
                pass


class _Quiet:
    """Starting is not told between containers' lines."""

    style: Style = "quiet"

    def report(
        self, subject: str, word: str, kind: str = "working", text: str = "", parent: str = ""
    ) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""

    def line(self, text: str) -> None:
        """Nothing."""

    def quote(self, source: str, text: str) -> None:
        """Nothing: the line has been read along."""

    def close(self) -> None:
        """Nothing."""


QUIET = _Quiet()
