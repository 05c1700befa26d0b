"""Reading along: the logs of a project's containers as they are written, those that start later too.

One stream of events tells which containers start and end; each that runs has one task that copies
its log to the writer. Rules: the end of a container is told after its last line; a container that
its restart policy starts again goes on as the same source.
"""

from __future__ import annotations

import time
from collections.abc import Callable  # noqa: TC003  # records read their annotations
from typing import TYPE_CHECKING, Any, Protocol

import trio

from compose.engine_client import calls
from compose.engine_client.json_stream import JsonStream
from compose.engine_client.payloads.status import unix_text
from compose.errors import EngineRefusedError
from compose.model import labels
from compose.model.record import Record
from compose.operations.log_source import LogLines, Source, short_name
from networking.wire.stdstream import STDERR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compose.engine_client.transport import Engine, Hijacked

NOT_READABLE = 501
#: For so long a container that was created is waited for to start, in seconds.
COMING = 15.0
#: How the time begins that engines give for what has not been.
NEVER = "0001-"


class Exit(Record):
    """A container that ended for good."""

    service: str
    name: str
    code: int


class Lines(Protocol):
    """Where lines go."""

    def register(self, source: str, service: str) -> None:
        """Make a source known."""
        ...

    def line(self, source: str, text: str, *, is_error: bool = False) -> None:
        """One line of a source."""
        ...

    def status(self, source: str, text: str) -> None:
        """What became of a source."""
        ...

    def flush(self) -> None:
        """Let it be seen."""
        ...


class Following(Record):
    """How `logs --follow` differs from `up`, which knows what it has started.

    `grace`: for so many seconds after the last end a container that follows is waited for; `resume`
    tells from when on a source is read again; `number` is that of a replica, "" all.
    """

    grace: float
    resume: Callable[[str, str], str]
    number: str = ""


class LogHub:
    """Copies logs until no container is left to read from; `on_exit` hears of each end."""

    def __init__(
        self,
        engine: Engine,
        writer: Lines,
        project: str,
        services: tuple[str, ...] = (),
        *,
        shown: tuple[str, ...] | None = None,
        timestamps: bool = False,
        on_exit: Callable[[Exit], None] | None = None,
        following: Following | None = None,
    ) -> None:
        self._following = following
        self._is_over = False
        self._coming: set[str] = set()  # created and not yet started
        self._stirred = trio.Event()
        self._engine = engine
        self._writer = writer
        self._project = project
        self._services = services
        self._shown = shown  # None: the lines of all
        self._timestamps = timestamps
        self._on_exit = on_exit
        self._alive: set[str] = set()
        self._attached: dict[str, trio.CancelScope] = {}
        self._holds = 0
        self._listening = trio.CancelScope()
        self._copying: dict[str, trio.Event] = {}
        self._restarting: set[str] = set()
        #: id -> the moment of its last end: what is written later is of the next run.
        self._ended_at: dict[str, str] = {}

    async def follow_logs(
        self, sources: list[Source], *, since: str = "", until: str = "", tail: str = ""
    ) -> None:
        """`logs --follow`: what there is of these, then what comes, until all have ended."""
        async with trio.open_nursery() as nursery:
            for source in sources:
                self._copy_log(nursery, source, since=since, until=until, tail=tail)
            await nursery.start(self._listen_in, nursery, {source.id for source in sources})
            # One that has ended since its log was read may be at a restart of which no event tells us.
            waits = bool(self._alive) or await self._has_just_ended(sources, since)
            while waits:
                await self._wait_for_quiet()
                waits = bool(self._alive)
            self._listening.cancel()

    async def _listen_in(
        self, nursery: trio.Nursery, running: set[str], task_status: trio.TaskStatus[None]
    ) -> None:
        await self._listen(nursery, running, task_status)
        # The engine's events have ended, so nothing will tell of an end or a start any more.
        self._is_over = True
        self._alive.clear()
        self._stirred.set()

    async def _has_just_ended(self, sources: list[Source], since: str) -> bool:
        """Whether any has ended after `since`, by the engine's clock."""
        if not since:
            return False
        for source in sources:
            try:
                state = (await self._engine.do(calls.inspect_container(source.id))).json()["State"]
            except EngineRefusedError:
                continue  # gone
            if float(end_before(state) or 0) > float(since):
                return True
        return False

    async def _wait_for_quiet(self) -> None:
        """Until none runs, and none has come in the time of grace; a recreated one is made before that."""
        grace = self._following.grace if self._following and not self._is_over else 0
        while self._alive:
            await self._stirred.wait()
            self._stirred = trio.Event()
        while not self._alive:
            stirred = self._stirred
            with trio.move_on_after(COMING if self._coming else grace) as waiting:
                await stirred.wait()
                self._stirred = trio.Event()
            if waiting.cancelled_caught:
                return

    async def run(
        self,
        sources: list[Source],
        running: set[str],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """`up`: attached to all before they start, so that no line is lost, until all have ended.

        `running`: ids of those that run already; of them only new lines come.
        """
        self._alive |= {source.id for source in sources}
        async with trio.open_nursery() as nursery:
            for source in sources:
                if self._is_shown(source):
                    await self._attach(nursery, source)
            await self._listen(nursery, running, task_status)

    def hold(self) -> None:
        """Go on reading though no container is left: more will come. `release` ends it."""
        self._holds += 1

    def release(self) -> None:
        """Take a hold back."""
        self._holds -= 1
        self._end_if_quiet()

    def forget(self, container_id: str) -> None:
        """Neither wait for this container's end nor read from it any more."""
        self._alive.discard(container_id)
        attached = self._attached.get(container_id)
        if attached is not None:
            attached.cancel()
        self._end_if_quiet()

    def _end_if_quiet(self) -> None:
        self._stirred.set()
        if not self._alive and not self._holds and self._following is None:
            self._listening.cancel()

    def _is_shown(self, source: Source) -> bool:
        return self._shown is None or source.service in self._shown

    def _copy_log(self, nursery: trio.Nursery, source: Source, **options: str) -> None:
        """Start copying the container's log; its end is the container's."""
        self._alive.add(source.id)
        if not self._is_shown(source):
            return
        self._writer.register(source.name, source.service)
        done = self._copying[source.id] = trio.Event()
        nursery.start_soon(self._copy, source, done, options)

    async def _copy(self, source: Source, done: trio.Event, options: dict[str, str]) -> None:
        lines = LogLines(tty=source.tty)
        call = calls.read_logs(
            source.id, follow=True, timestamps=self._timestamps, since=options.get("since", ""),
            until=options.get("until", ""), tail=options.get("tail", ""),
        )  # fmt: skip
        try:
            async with self._engine.stream(call) as body:
                async for piece in body:
                    self._write(source, lines.feed(piece))
        except EngineRefusedError as error:
            # A log that cannot be read back, or a container that is gone: there is nothing to show.
            if error.status not in (NOT_READABLE, 404, 409):
                raise
        finally:
            self._write(source, lines.flush())
            done.set()

    async def _attach(self, nursery: trio.Nursery, source: Source) -> None:
        """Take the container's streams; copying them ends with the container."""
        self._writer.register(source.name, source.service)
        taken = await self._engine.hijack(calls.attach_container(source.id, stdin=False))
        done = self._copying[source.id] = trio.Event()
        nursery.start_soon(self._copy_streams, source, taken, done)

    async def _copy_streams(self, source: Source, taken: Hijacked, done: trio.Event) -> None:
        lines = LogLines(tty=source.tty)
        self._attached[source.id] = trio.CancelScope()
        try:
            with self._attached[source.id]:
                async with taken.stream:
                    while data := await taken.receive():
                        self._write(source, self._stamped(lines.feed(data)))
        finally:
            self._write(source, self._stamped(lines.flush()))
            done.set()

    def _stamped(self, lines: Iterable[tuple[int, str]]) -> Iterable[tuple[int, str]]:
        """With our own clock's time: an attached stream carries none."""
        if not self._timestamps:
            return lines
        seconds, nanos = divmod(time.time_ns(), 10**9)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanos:09}Z"
        return [(stream, f"{stamp} {line}") for stream, line in lines]

    def _write(self, source: Source, lines: Iterable[tuple[int, str]]) -> None:
        for stream, line in lines:
            self._writer.line(source.name, line, is_error=stream == STDERR)
        self._writer.flush()

    async def _listen(
        self,
        nursery: trio.Nursery,
        running: set[str],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        wanted = {
            "type": ["container"],
            "label": calls.project_filter(self._project, f"{labels.ONEOFF}=False"),
        }
        stream = JsonStream()
        with self._listening:
            async with self._engine.stream(calls.stream_events(wanted)) as body:
                await self._drop_ended(running)
                task_status.started()
                self._end_if_quiet()
                async for piece in body:
                    for event in stream.feed(piece):
                        await self._react(nursery, event)
                    self._end_if_quiet()

    async def _drop_ended(self, running: set[str]) -> None:
        """Those that had ended before the events began: nothing will tell of them."""
        items = (await self._engine.do(calls.list_containers(self._project, oneoff=False))).json()
        states = {item["Id"]: item.get("State", "") for item in items or []}
        for container_id in running:
            if states.get(container_id) in ("created", "exited", "dead", None):
                self._alive.discard(container_id)

    async def _react(self, nursery: trio.Nursery, event: dict[str, Any]) -> None:
        actor = event.get("Actor") or {}
        own = actor.get("Attributes") or {}
        service, container_id = own.get(labels.SERVICE, ""), actor.get("ID", "")
        if self._services and service not in self._services:
            return
        number = self._following.number if self._following else ""
        if number and own.get(labels.NUMBER) != number:
            return
        source = Source(container_id, short_name(own.get("name", ""), own), service)
        self._coming.discard(container_id)
        match event.get("Action") or event.get("status"):
            case "create":
                self._coming.add(container_id)
            case "start":
                await self._started(nursery, source)
            case "die":
                seconds, nanos = divmod(int(event.get("timeNano") or 0) + 1, 10**9)
                self._ended_at[container_id] = f"{seconds}.{nanos:09}"
                await self._ended(source, int(own.get("exitCode") or 0))
            case "destroy":
                self._alive.discard(container_id)
            case _:
                pass

    async def _started(self, nursery: trio.Nursery, source: Source) -> None:
        copying = self._copying.get(source.id)
        if copying is not None and not copying.is_set() and source.id not in self._restarting:
            return
        self._restarting.discard(source.id)
        try:
            found = (await self._engine.do(calls.inspect_container(source.id))).json()
        except EngineRefusedError:
            return  # gone already
        if copying is not None:
            await copying.wait()
        source = source._replace(tty=bool(found["Config"]["Tty"]))
        since = self._ended_at.get(source.id) or end_before(found["State"])
        if self._following is not None:
            since = self._following.resume(source.name, since)
        self._copy_log(nursery, source, since=since)

    async def _ended(self, source: Source, code: int) -> None:
        """Tell the end once the last line is written; then the container is no longer waited for."""
        try:
            state = (await self._engine.do(calls.inspect_container(source.id))).json()["State"]
        except EngineRefusedError:
            state = {}
        restarts = bool(state.get("Restarting") or state.get("Running"))
        copying = self._copying.get(source.id)
        if copying is not None:
            # A log that is followed may be a moment behind the event; never wait for ever.
            with trio.move_on_after(2):
                await copying.wait()
        if self._is_shown(source):
            self._writer.register(source.name, source.service)
            again = " (restarting)" if restarts else ""
            self._writer.status(source.name, f"exited with code {code}{again}")
        if restarts:
            self._restarting.add(source.id)
            return
        self._alive.discard(source.id)
        if self._on_exit is not None:
            self._on_exit(Exit(source.service, source.name, code))


def end_before(state: Mapping[str, str]) -> str:
    """When the run before this one ended, which is after its last line; "" if this is the first. Pure."""
    ended = state.get("FinishedAt", "")
    return "" if not ended or ended.startswith(NEVER) else unix_text(ended, earlier=-1e-9)
