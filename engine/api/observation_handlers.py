"""Handlers that look at a container and change nothing: top, stats, changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from engine.api.exchange import Exchange, Response
from engine.api.processes import parse_ps, process_rows
from engine.api.stats_json import stats_json
from engine.containers.changes import find_changes
from engine.containers.stats import Sample, take_sample
from engine.errors import ConflictError, HostLimitError, InvalidRequestError, NotFoundError
from engine.runtime.cgroups import tree

if TYPE_CHECKING:
    from engine.api.engine import Engine

TITLES = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
#: Seconds between the looks of a stream of stats, as Docker has it.
EVERY = 1.0


async def top(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /containers/{id}/top: the processes of the container as the host sees them."""
    arguments = exchange.request.text("ps_args", "-ef")
    container = engine.containers.find(name)
    if container.state.status == "restarting":
        raise ConflictError(
            f"Container {container.id} is restarting, wait until the container is running"
        )
    live = engine.containers.live(container.id)
    pids = await trio.to_thread.run_sync(tree.processes, live.spec.cgroup)
    if arguments in ("", "-ef"):
        rows = await trio.to_thread.run_sync(process_rows, pids)
        return Response(document={"Titles": TITLES, "Processes": rows})
    titles, rows = parse_ps(await _ps(arguments), set(pids))
    return Response(document={"Titles": titles, "Processes": rows})


async def _ps(arguments: str) -> str:
    """What the host's ps says. Raises HostLimitError without one, InvalidRequestError for its refusal."""
    command = ["ps", *arguments.split()]
    try:
        done = await trio.run_process(
            command, capture_stdout=True, capture_stderr=True, check=False
        )
    except OSError as error:
        raise HostLimitError(
            "top with ps arguments needs the host's program ps", hint="install procps"
        ) from error
    if done.returncode:
        words = " ".join(done.stderr.decode(errors="replace").split()) or "it said nothing"
        raise InvalidRequestError(f"ps: {words}")
    return done.stdout.decode(errors="replace")


async def stats(engine: Engine, exchange: Exchange, name: str) -> Response | None:
    """GET /containers/{id}/stats: one look, or one a second while the container exists."""
    request = exchange.request
    container = engine.containers.find(name)
    if request.flag("stream", default=True):
        await _stream_stats(engine, exchange, container.id)
        return None
    before = None
    now = await _look(engine, container.id)
    if now is not None and not request.flag("one-shot"):
        await trio.sleep(EVERY)
        before, now = now, await _look(engine, container.id)
    return Response(document=_document(engine, container.id, now, before))


async def _stream_stats(engine: Engine, exchange: Exchange, container_id: str) -> None:
    before: Sample | None = None
    async with exchange.stream() as body:
        while True:
            due = trio.current_time() + EVERY
            now = await _look(engine, container_id)
            try:
                await body.send_json(_document(engine, container_id, now, before))
            except NotFoundError:
                return
            before = now
            await trio.sleep_until(due)


async def _look(engine: Engine, container_id: str) -> Sample | None:
    """A sample, None where the container does not run."""
    try:
        live = engine.containers.live(container_id)
    except ConflictError:
        return None
    return await trio.to_thread.run_sync(take_sample, live.spec.cgroup, live.monitor.pid)


def _document(
    engine: Engine, container_id: str, now: Sample | None, before: Sample | None
) -> dict[str, Any]:
    container = engine.containers.get(container_id)
    return stats_json(container, now, before, engine.host.memory_total)


async def changes(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /containers/{id}/changes: what differs from the image."""
    del exchange
    container = engine.containers.find(name)
    root = engine.containers.rootfs(container)
    found = await trio.to_thread.run_sync(find_changes, root.upper, root.lower)
    return Response(document=[{"Path": c.path, "Kind": c.kind} for c in found])
