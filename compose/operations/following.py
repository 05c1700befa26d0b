"""`logs --follow`: what a project's containers write from now on, in order of time; restarted, recreated and new ones too.

Lines of different containers come over different connections. They are kept for a moment that nobody
notices and written in the order of the engine's times. The end comes when no container runs any more
and, for a little while, none is started in the place of one that has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from compose.logs.merging import stamp
from compose.model.record import Record
from compose.operations.reading_along import Following, LogHub

if TYPE_CHECKING:
    from compose.engine_client.transport import Engine
    from compose.logs.writer import LogWriter
    from compose.operations.log_source import Source

#: For so long lines wait for earlier ones of other containers, in seconds.
WINDOW = 0.025
#: For so long a container that follows one that has ended is waited for, in seconds.
GRACE = 2.0


class OrderedLines:
    """A writer that puts lines in order before they are written; `run` writes them."""

    def __init__(self, writer: LogWriter, *, timestamps: bool) -> None:
        self._writer = writer
        self._timestamps = timestamps
        self._waiting: list[tuple[str, str, str]] = []
        self._come = trio.Event()
        self._latest: dict[str, str] = {}

    def register(self, source: str, service: str) -> None:
        """As the writer."""
        self._writer.register(source, service)

    def line(self, source: str, text: str, *, is_error: bool = False) -> None:
        """A line with its time before it. Both streams go to the same place, as `logs` has it."""
        del is_error
        time = stamp(text)
        self._latest[source] = time
        self._waiting.append((time, source, text if self._timestamps else text.partition(" ")[2]))
        self._come.set()

    def flush(self) -> None:
        """Nothing: it is written when its time has come."""

    def status(self, source: str, text: str) -> None:
        """What became of a source, after its last line."""
        self._write()
        self._writer.status(source, text)

    def resume(self, source: str, since: str) -> str:
        """From when on a source that was read before is read again: after its last line, if that is later."""
        from compose.engine_client.payloads.status import unix_text

        latest = self._latest.get(source)
        after = unix_text(latest, earlier=-1e-9) if latest else ""
        return max((since, after), key=lambda moment: (len(moment.partition(".")[0]), moment))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write what waits, a window after the first of it came; until cancelled, then the rest."""
        task_status.started()
        try:
            while True:
                await self._come.wait()
                self._come = trio.Event()  # here alone: nobody may wait on one that is out of use
                await trio.sleep(WINDOW)
                self._write()
        finally:
            self._write()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        waiting.sort(key=lambda entry: entry[0])
        for _, source, text in waiting:
            self._writer.line(source, text)
        self._writer.flush()


class Choice(Record):
    """Of which containers: `services` () is all, `number` 0 all replicas."""

    project: str
    services: tuple[str, ...] = ()
    number: int = 0


async def follow_project(
    engine: Engine,
    writer: LogWriter,
    choice: Choice,
    sources: list[Source],
    *,
    since: str,
    until: str = "",
    timestamps: bool = False,
) -> None:
    """Until all have ended, or `until`. `sources` are the containers there are."""
    lines = OrderedLines(writer, timestamps=timestamps)
    number = str(choice.number) if choice.number else ""
    hub = LogHub(
        engine, lines, choice.project, choice.services, timestamps=True,
        following=Following(GRACE, lines.resume, number),
    )  # fmt: skip
    async with trio.open_nursery() as nursery:
        await nursery.start(lines.run)
        with trio.CancelScope() as scope:
            if until:
                wait = float(until) - float(since)
                scope.deadline = trio.current_time() + max(wait, 0) + 1
            await hub.follow_logs(sources, since=since, until=until)
        nursery.cancel_scope.cancel()
