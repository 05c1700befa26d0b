"""Further processes in running containers: asked for, started, watched; health probes too.

An exec is remembered until its container is removed, as Docker has it (its exit code is asked for
after its end).
"""

from __future__ import annotations

import secrets
import shutil
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from engine.containers.filters import Filters
from engine.containers.health import OUTPUT_LIMIT, go_duration
from engine.containers.inputs import environment, seccomp_choice, set_ones, with_edits
from engine.containers.model import Exec, ExecRequest, HealthLog
from engine.errors import ConflictError, EngineError, InvalidRequestError, NotFoundError
from engine.processes.client import StartError, read_exit
from engine.runtime.compile import capabilities, compile_exec
from engine.runtime.spec import Process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from engine.containers.live import Handles
    from engine.containers.model import Container
    from engine.containers.registry import Registry
    from engine.containers.rooms import Publish, Rooms
    from engine.processes.attachment import Attachment
    from engine.processes.client import ExitRecord, Monitor, Prepared
    from engine.runtime.spec import ContainerSpec

#: Finished execs remembered for each container.
REMEMBERED = 64


class Execs:
    """The execs of one engine."""

    def __init__(
        self, rooms: Rooms, registry: Registry, handles: Handles, nursery: trio.Nursery, publish: Publish,
    ) -> None:  # fmt: skip
        self._forks = rooms.forks
        self._host = rooms.host
        self._registry = registry
        self.handles = handles
        self._nursery = nursery
        self._publish = publish
        self._filters = Filters(rooms.layout, rooms.host)
        self._all: dict[str, Exec] = {}
        self._monitors: dict[str, Monitor] = {}
        self._ends: dict[str, trio.Event] = {}

    def create(self, name: str, request: ExecRequest) -> Exec:
        """Remember a request. Raises ConflictError where the container does not run."""
        container = self._registry.find(name)
        _check_running(container)
        if not request.cmd:
            raise InvalidRequestError("No exec command specified")
        made = Exec(secrets.token_hex(32), container.id, request)
        self._all[made.id] = made
        self._publish(container, f"exec_create: {' '.join(request.cmd)}", {"execID": made.id})
        return made

    def get(self, exec_id: str) -> Exec:
        """One exec. Raises NotFoundError."""
        try:
            return self._all[exec_id]
        except KeyError as error:
            raise NotFoundError(f"No such exec instance: {exec_id}") from error

    def of(self, container_id: str) -> list[str]:
        """The ids of a container's running execs."""
        return [e.id for e in self._all.values() if e.container_id == container_id and e.running]

    def forget(self, container_id: str) -> None:
        """A container is gone."""
        for made in [e for e in self._all.values() if e.container_id == container_id]:
            del self._all[made.id]

    @asynccontextmanager
    async def open(
        self, exec_id: str, *, size: tuple[int, int] | None = None
    ) -> AsyncIterator[tuple[Prepared, Attachment]]:
        """The process, waiting, with its streams; the caller starts it. Undone if it does not.

        Raises ConflictError if it has been started before, StartError.
        """
        made = self.get(exec_id)
        if made.started:
            raise ConflictError(f"Error: Exec command {exec_id} has already run")
        container = self._registry.get(made.container_id)
        _check_running(container)
        self._all[exec_id] = made = replace(made, started=True)
        with self._told_of_the_end(container):
            prepared = await self._prepare(container, made, size)
        self._all[exec_id] = replace(made, running=True, pid=prepared.monitor.pid)
        self._monitors[exec_id] = prepared.monitor
        try:
            request = made.request
            with self._told_of_the_end(container):
                attachment = await prepared.monitor.attach(
                    stdin=request.attach_stdin,
                    stdout=request.attach_stdout or request.tty,
                    stderr=request.attach_stderr,
                )
            try:
                yield prepared, attachment
            finally:
                with trio.CancelScope(shield=True):
                    await attachment.aclose()
        finally:
            with trio.CancelScope(shield=True):
                await prepared.abort()
            if exec_id not in self._ends:  # it never began, or has ended already
                self._forget_process(exec_id, prepared.monitor)

    @contextmanager
    def _told_of_the_end(self, container: Container) -> Iterator[None]:
        """What fails since its container ends meanwhile says that. Raises ConflictError."""
        try:
            yield
        except EngineError as error:
            if self.handles.of(container.id).monitor.is_ending():
                raise ConflictError(f"container {container.id} is not running") from error
            raise

    async def start(self, exec_id: str, prepared: Prepared) -> None:
        """Let the program run; from here it is watched. Raises StartError, ConflictError."""
        made = self.get(exec_id)
        container = self._registry.get(made.container_id)
        try:
            await prepared.start()
        except StartError as error:
            self._all[exec_id] = replace(made, running=False, exit_code=error.exit_code)
            with self._told_of_the_end(container):
                raise StartError(
                    error.exit_code, f"OCI runtime exec failed: exec failed: {error.message}"
                ) from error
        self._publish(container, f"exec_start: {' '.join(made.request.cmd)}", {"execID": exec_id})
        self._ends[exec_id] = trio.Event()
        self._nursery.start_soon(self._watch, exec_id, prepared.monitor)

    async def wait_recorded(self, exec_id: str) -> None:
        """Until the exit code of an exec that has ended is known; at once for one that has not."""
        monitor, end = self._monitors.get(exec_id), self._ends.get(exec_id)
        if monitor is not None and end is not None and read_exit(monitor.run_dir):
            await end.wait()

    def detached(self, exec_id: str) -> None:
        """Whoever was attached has left by the detach keys."""
        made = self.get(exec_id)
        self._publish(self._registry.get(made.container_id), "exec_detach", {"execID": exec_id})

    async def resize(self, exec_id: str, rows: int, columns: int) -> None:
        """Set the terminal's size. Raises NotFoundError, EngineError."""
        self.get(exec_id)
        monitor = self._monitors.get(exec_id)
        if monitor is None:
            raise EngineError("cannot resize: the exec is not running")
        await monitor.resize(rows, columns)

    async def probe(
        self, container: Container, command: tuple[str, ...], timeout: float
    ) -> HealthLog:
        """Run a health check's command; killed with its children when `timeout` seconds have passed."""
        started = time.time_ns()
        request = ExecRequest(cmd=command, attach_stdout=True, attach_stderr=True)
        made = Exec(secrets.token_hex(32), container.id, request)
        try:
            prepared = await self._prepare(container, made, None, folder="probes")
        except EngineError as error:
            return HealthLog(started, time.time_ns(), -1, str(error))
        monitor = prepared.monitor
        output = bytearray()
        try:
            attachment = await monitor.attach(stdin=False, stdout=True, stderr=True)
            try:
                await prepared.start()
                with trio.move_on_after(timeout) as scope:
                    async for _, data in attachment.frames():
                        output += data[: OUTPUT_LIMIT - len(output)]
                    record = await monitor.wait_exit()
            finally:
                with trio.CancelScope(shield=True):
                    await attachment.aclose()
        except EngineError as error:
            return HealthLog(started, time.time_ns(), -1, str(error))
        finally:
            with trio.CancelScope(shield=True):
                await prepared.abort()
                await _end_group(monitor)
            shutil.rmtree(monitor.run_dir, ignore_errors=True)
        said = output.decode(errors="replace")
        if scope.cancelled_caught:
            words = f"Health check exceeded timeout ({go_duration(timeout)})"
            return HealthLog(started, time.time_ns(), -1, f"{words}: {said}" if said else words)
        return HealthLog(started, time.time_ns(), record.exit_code, said)

    async def _prepare(
        self,
        container: Container,
        made: Exec,
        size: tuple[int, int] | None,
        *,
        folder: str = "execs",
    ) -> Prepared:
        live = self.handles.of(container.id)
        run_dir = live.monitor.run_dir / folder / made.id[:16]
        spec = compile_exec(
            made.id,
            live.spec,
            live.monitor.pid,
            live.monitor.start_time,
            await self._process(container, live.spec, made, size),
            str(run_dir),
        )
        run_dir.mkdir(parents=True, mode=0o700)
        return await self._forks.start_exec(spec)

    async def _process(
        self,
        container: Container,
        spec: ContainerSpec,
        made: Exec,
        size: tuple[int, int] | None,
    ) -> Process:
        request = made.request
        own = spec.process
        held, seccomp = own.capabilities, own.seccomp
        if request.privileged:
            host = self._host
            held, seccomp = capabilities((), (), host, privileged=True), ""
            filtered, _ = seccomp_choice(container.host_config)
            if filtered and own.seccomp:
                seccomp = await self._filters.path(held.effective)
        given = {entry.partition("=")[0] for entry in request.env}
        base = environment(replace(container.config, tty=request.tty))
        if container.host_config.device_requests:  # what its devices brought holds here too
            base = with_edits(base, tuple(e for e in own.env if e not in base))
        env = (*(e for e in base if e.partition("=")[0] not in given), *set_ones(request.env))
        return Process(
            args=request.cmd,
            env=env,
            cwd=request.working_dir or own.cwd,
            user=request.user or own.user,
            groups=() if request.user else own.groups,
            terminal=request.tty,
            terminal_size=size,
            stdin_open=request.attach_stdin,
            capabilities=held,
            rlimits=own.rlimits,
            no_new_privileges=own.no_new_privileges,
            seccomp=seccomp,
            oom_score_adj=own.oom_score_adj,
            umask=own.umask,
        )

    async def _watch(self, exec_id: str, monitor: Monitor) -> None:
        record = await monitor.wait_exit()
        self._settle(exec_id, record)
        self._forget_process(exec_id, monitor)
        self._ends.pop(exec_id).set()

    def _settle(self, exec_id: str, record: ExitRecord) -> None:
        made = self._all.get(exec_id)
        if made is None:
            return
        self._all[exec_id] = replace(made, running=False, exit_code=record.exit_code)
        try:
            container = self._registry.get(made.container_id)
        except NotFoundError:
            return
        self._publish(container, "exec_die", {"execID": exec_id, "exitCode": str(record.exit_code)})
        done = [e for e in self._all.values() if e.container_id == container.id and not e.running]
        for old in done[:-REMEMBERED]:
            self._all.pop(old.id, None)

    def _forget_process(self, exec_id: str, monitor: Monitor) -> None:
        self._monitors.pop(exec_id, None)
        shutil.rmtree(monitor.run_dir, ignore_errors=True)
        made = self._all.get(exec_id)
        if made is not None and made.running:
            self._all[exec_id] = replace(made, running=False)


async def _end_group(monitor: Monitor) -> None:
    """SIGKILL a process and its group, if it has not ended; until it has."""
    try:
        monitor.kill_group()
    except ProcessLookupError:
        return
    with trio.move_on_after(2):
        await monitor.wait_exit()


def _check_running(container: Container) -> None:
    if container.state.status == "paused":
        raise ConflictError(
            f"Container {container.name} is paused, unpause the container before exec"
        )
    if not container.state.running:
        raise ConflictError(f"container {container.id} is not running")
