"""`logs`: what containers have written. Without --follow the lines of all are put in order of time."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from compose.engine_client import calls
from compose.engine_client.payloads.observed import container_from_list
from compose.errors import ComposeError, EngineRefusedError, ProjectError
from compose.logs.writer import LogWriter
from compose.model.record import Record
from compose.operations.log_source import LogLines, Source, short_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.engine_client.blocking import BlockingClient
    from compose.engine_client.transport import Engine
    from compose.model.observed import ObservedContainer
    from compose.operations.session import Session

NOT_READABLE = 501


class LogsRequest(Record):
    """The flags of logs."""

    services: tuple[str, ...] = ()
    follow: bool = False
    tail: str = "all"
    since: str = ""
    until: str = ""
    timestamps: bool = False
    colours: bool = False
    prefix: bool = True
    index: int = 0


def logs(request: LogsRequest, session: Session) -> int:
    """Write the logs to the session's output. Raises ComposeError."""
    project, name = session.project_or_name()
    if project is not None:
        for service in request.services:
            if service not in project.services:
                raise ProjectError(f"no such service: {service}")
    client = session.client()
    containers = [
        container_from_list(item)
        for item in client.do(calls.list_containers(name, oneoff=False)).json() or []
    ]
    wanted = request.services or (tuple(project.services) if project is not None else ())
    containers = [one for one in containers if not wanted or one.service in wanted]
    if request.index:
        containers = [one for one in containers if one.number == request.index]
        if not containers:
            raise ComposeError(
                f'service "{" ".join(request.services)}" is not running container #{request.index}'
            )
    containers.sort(key=lambda one: (one.service, one.number))
    writer = LogWriter(session.out, colours=request.colours, prefix=request.prefix)
    sources = sources_of(client, containers)
    for source in sources:
        writer.register(source.name, source.service)
    if request.follow:
        return follow(request, session, client, name, sources, writer)
    write_merged(request, session, client, sources, writer)
    return 0


def sources_of(client: BlockingClient, containers: list[ObservedContainer]) -> list[Source]:
    """The containers as sources; whether they have terminals is asked, all at once."""
    found = client.do_all([calls.inspect_container(one.id) for one in containers])
    return [
        Source(
            one.id,
            short_name(one.name, one.labels),
            one.service,
            bool(answer.json()["Config"]["Tty"]),
        )
        for one, answer in zip(containers, found, strict=True)
    ]


def write_merged(
    request: LogsRequest,
    session: Session,
    client: BlockingClient,
    sources: list[Source],
    writer: LogWriter,
) -> None:
    """The logs as they are now. Several are merged by the engine's time stamps."""
    streams = [
        timed_lines(request, session, client, source, several=len(sources) > 1)
        for source in sources
    ]
    for time, source, line in heapq.merge(*streams, key=lambda entry: entry[0]):
        writer.line(source, f"{time} {line}" if request.timestamps else line)
    writer.flush()


def timed_lines(
    request: LogsRequest, session: Session, client: BlockingClient, source: Source, *, several: bool
) -> Iterator[tuple[str, str, str]]:
    """(time, source, line) of one container; the time is "" where nobody needs it."""
    timed = several or request.timestamps
    call = calls.read_logs(
        source.id,
        since=request.since,
        until=request.until,
        tail=tail_of(request.tail),
        timestamps=timed,
    )
    lines = LogLines(tty=source.tty)
    try:
        for piece in client.stream(call):
            for _, line in lines.feed(piece):
                yield split_time(source, line, timed=timed)
        for _, line in lines.flush():
            yield split_time(source, line, timed=timed)
    except EngineRefusedError as error:
        if error.status != NOT_READABLE:
            raise
        session.progress.warn(f"Can't retrieve logs for {source.name}: {error}")


def split_time(source: Source, line: str, *, timed: bool) -> tuple[str, str, str]:
    """A line apart from the time stamp before it."""
    if not timed:
        return "", source.name, line
    time, _, text = line.partition(" ")
    return time, source.name, text


def tail_of(text: str) -> str:
    """The API's word for --tail; "" is all. Raises ComposeError."""
    if text in ("all", ""):
        return ""
    if not text.lstrip("-").isdigit():
        raise ComposeError(f'invalid --tail "{text}": give a number of lines, or all')
    return "" if text.startswith("-") else text


def follow(
    request: LogsRequest,
    session: Session,
    client: BlockingClient,
    name: str,
    sources: list[Source],
    writer: LogWriter,
) -> int:
    """Read along until all containers have ended, or the person has enough."""

    async def main(engine: Engine) -> int:
        from compose.operations.reading_along import LogHub

        hub = LogHub(engine, writer, name, request.services, timestamps=request.timestamps)
        await hub.follow_logs(
            sources, since=request.since, until=request.until, tail=tail_of(request.tail)
        )
        return 0

    return session.run_async(client, main)
