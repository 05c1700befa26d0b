"""`logs`: what containers have written. Without --follow the lines of all are put in order of time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from compose.engine_client import calls
from compose.engine_client.payloads.observed import container_from_list
from compose.errors import ComposeError, EngineRefusedError, ProjectError
from compose.logs.writer import LogWriter
from compose.model.record import Record, changed
from compose.operations.log_source import LogText, Source, short_name

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
            if service not in project.services and service not in project.disabled:
                raise ProjectError(f"no such service: {service}")
    client = session.client()
    containers = [
        container_from_list(item)
        for item in client.do(calls.list_containers(name, oneoff=False)).json() or []
    ]
    known = {one.service for one in containers} | set(project.services if project else ())
    wanted = request.services or (tuple(project.services) if project is not None else ())
    containers = [one for one in containers if not wanted or one.service in wanted]
    if request.index:
        containers = [one for one in containers if one.number == request.index]
        if not containers:
            raise ComposeError(
                f'service "{" ".join(request.services)}" is not running container #{request.index}'
            )
    containers.sort(key=lambda one: (one.service, one.number))
    writer = LogWriter(session.out, colours=request.colours, prefix=request.prefix, services=known)
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
        texts(request, session, client, source, timed=request.timestamps or len(sources) > 1)
        for source in sources
    ]
    prefixes = [writer.prefix(source.name) for source in sources]
    if len(sources) == 1:
        for text in streams[0]:
            writer.block(prefixed(text, prefixes[0]))
    else:
        from compose.logs.merging import merged

        for block in merged(streams, prefixes, times=request.timestamps):
            writer.block(block)
    writer.flush()


def prefixed(text: str, prefix: str) -> str:
    """Whole lines, each with the prefix before it."""
    return prefix + text[:-1].replace("\n", "\n" + prefix) + "\n" if prefix and text else text


def texts(
    request: LogsRequest, session: Session, client: BlockingClient, source: Source, *, timed: bool
) -> Iterator[str]:
    """The log of one container, pieces of whole lines."""
    call = calls.read_logs(
        source.id, since=request.since, until=request.until, tail=tail_of(request.tail),
        timestamps=timed,
    )  # fmt: skip
    text = LogText(tty=source.tty)
    try:
        for piece in client.stream(call):
            yield text.feed(piece)
        yield text.flush()
    except EngineRefusedError as error:
        if error.status != NOT_READABLE:
            raise
        session.progress.warn(f"Can't retrieve logs for {source.name}: {error}")


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
    """What there is in order of time, then what comes, until all have ended or the person has enough."""
    cut = time.time_ns()
    if not (request.until and float(request.until) * 1e9 <= cut):
        before = changed(request, until=nanoseconds(cut))
        write_merged(before, session, client, sources, writer)

        async def main(engine: Engine) -> int:
            from compose.operations.following import Choice, follow_project

            await follow_project(
                engine, writer, Choice(name, request.services, request.index), sources,
                since=nanoseconds(cut + 1), until=request.until, timestamps=request.timestamps,
            )  # fmt: skip
            return 0

        return session.run_async(client, main)
    write_merged(request, session, client, sources, writer)
    return 0


def nanoseconds(moment: int) -> str:
    """A moment as the seconds.nanoseconds that `since` and `until` take."""
    seconds, nanos = divmod(moment, 10**9)
    return f"{seconds}.{nanos:09}"
