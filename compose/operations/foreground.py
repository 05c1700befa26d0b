"""`up` without -d: containers' lines in one stream, and the way down at Ctrl-C.

The first Ctrl-C stops the project in order, the second kills it, and the exit code is 130. With
--abort-on-container-exit the first container that ends begins the same way down.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import trio

from compose.engine_client import calls
from compose.errors import ComposeError
from compose.logs.writer import LogWriter
from compose.model.record import changed
from compose.operations.apply import apply_plan
from compose.operations.converge import Aim, converge, decide, encode, look_again
from compose.operations.execute import World
from compose.operations.log_source import Source, short_name
from compose.operations.reading_along import Exit, LogHub
from compose.planner.lifecycle import plan_kill, plan_stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.engine_client.transport import Engine
    from compose.operations.session import Session
    from compose.operations.up import UpRequest

GRACEFULLY = "Gracefully Stopping... press Ctrl+C again to force"
ABORTING = "Aborting on container exit..."


def run_foreground(request: UpRequest, aim: Aim, session: Session) -> int:
    """Create, then start and read along. Returns the exit code. Raises ComposeError."""
    code = converge(aim, session)
    if code or session.dry_run:
        return code
    session.progress.close()
    client = session.client()

    async def main(engine: Engine) -> int:
        return await _Foreground(request, aim, session, engine).run()

    return session.run_async(client, main, signals=False)


class _Foreground:
    def __init__(self, request: UpRequest, aim: Aim, session: Session, engine: Engine) -> None:
        self._request = request
        self._aim = changed(aim, policy=changed(aim.policy, start=True, recreate="never", recreate_dependencies="never", ignore_orphans=True))  # fmt: skip
        self._session = session
        self._engine = engine
        self._code = 0
        self._stopping = False
        self._first_exit = True
        self._stop = trio.Event()
        self._writer = LogWriter(
            session.out, colours=request.colours, prefix=request.prefix, err=session.err
        )

    async def run(self) -> int:
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
        shown = self._shown()
        sources = [
            Source(one.id, short_name(one.name, one.labels), one.service) for one in containers
        ]
        attached = [source for source in sources if source.service in shown]
        for source in attached:
            self._writer.register(source.name, source.service)
        if attached:
            self._session.out.write(f"Attaching to {', '.join(one.name for one in attached)}\n")
            self._session.out.flush()
        hub = LogHub(
            self._engine, self._writer, project.name, self._monitored(), shown=shown,
            timestamps=self._request.timestamps, on_exit=self._on_exit,
        )  # fmt: skip
        sources = [await self._with_terminal(source) for source in sources]
        running = {one.id for one in containers if one.is_running}
        async with trio.open_nursery() as nursery:
            await nursery.start(self._listen_for_signals)
            nursery.start_soon(self._way_down)
            async with trio.open_nursery() as reading:
                await reading.start(hub.run, sources, running)
                world = World(
                    project.name, project, observed, encode, decision.image_ids,
                    on_hook_line=self._hook_line(sources),
                )  # fmt: skip
                try:
                    await apply_plan(
                        decision.plan, self._engine, world, QUIET, limit=self._session.parallel
                    )
                except ComposeError:
                    if not self._stopping:
                        raise
            nursery.cancel_scope.cancel()
        return self._code

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

    async def _with_terminal(self, source: Source) -> Source:
        """The source, knowing whether its container has a terminal."""
        inspected = (await self._engine.do(calls.inspect_container(source.id))).json()
        return source._replace(tty=bool(inspected["Config"]["Tty"]))

    def _hook_line(self, sources: list[Source]) -> Callable[[str, str], None]:
        names = {source.id: source.name for source in sources}

        def write(ref: str, line: str) -> None:
            name = names.get(ref, ref)
            self._writer.register(f"{name} ->", name)
            self._writer.line(f"{name} ->", line)

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
        if not request.exit_code_from:
            self._code = ended.code
        self._session.err.write(ABORTING + "\n")
        self._session.err.flush()
        self._stop.set()

    async def _listen_for_signals(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            count = 0
            async for _ in signals:
                count += 1
                self._code = 130
                if count == 1:
                    self._session.out.write(GRACEFULLY + "\n")
                    self._session.out.flush()
                    self._stop.set()
                else:
                    await self._kill()

    async def _way_down(self) -> None:
        await self._stop.wait()
        self._stopping = True
        observed = await look_again(self._engine, self._aim.project)
        plan = plan_stop(self._aim.project, observed, self._monitored(), self._request.timeout)
        world = World(self._aim.project.name, self._aim.project, observed)
        await apply_plan(plan, self._engine, world, self._session.lines, keep_going=True)

    async def _kill(self) -> None:
        observed = await look_again(self._engine, self._aim.project)
        plan = plan_kill(observed, self._monitored())
        world = World(self._aim.project.name, self._aim.project, observed)
        await apply_plan(plan, self._engine, world, self._session.lines, keep_going=True)


class _Quiet:
    """Starting is not told between containers' lines."""

    def report(self, subject: str, word: str, kind: str = "working", text: str = "") -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""

    def line(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


QUIET = _Quiet()
