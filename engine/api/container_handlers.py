"""Handlers of /containers: list, inspect, the verbs, wait, logs, top, prune."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import fields, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import trio

from engine.api import container_json
from engine.api.container_filters import LIST_FILTERS, PRUNE_FILTERS, check_filters, matches
from engine.api.exchange import MULTIPLEXED_STREAM, RAW_STREAM, Exchange, Response
from engine.containers import docker_json
from engine.containers.config import Config, HostConfig
from engine.containers.logs import check_readable, parse_time, read_log
from engine.containers.model import ContainerRequest, LogRequest, NetworkingConfig, UpdateRequest
from engine.errors import ConflictError, InvalidRequestError, NotFoundError, NotSupportedError
from engine.volumes.service import folder_size
from networking.wire.stdstream import STDERR, STDOUT, encode_frame

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.containers.log_entries import Entry

CONDITIONS = ("", "not-running", "next-exit", "removed")
#: How many containers are told about between two looks at who else wants something.
PIECE = 16
#: Hidden without `all`: only these states are shown.
SHOWN = ("running", "paused", "restarting")


async def list_all(engine: Engine, exchange: Exchange) -> Response:
    """GET /containers/json."""
    request = exchange.request
    filters = request.filters()
    limit = request.number("limit") or 0
    everything = request.flag("all") or limit > 0 or "status" in filters
    check_filters(filters, LIST_FILTERS)
    found = [c for c in reversed(engine.containers.all()) if matches(engine, c, filters)]
    if not everything:
        found = [c for c in found if c.state.status in SHOWN]
    if limit > 0:
        found = found[:limit]
    documents = []
    for number, container in enumerate(found):
        documents.append(container_json.summary(engine, container))
        if number % PIECE == PIECE - 1:  # a thousand of them must not hold everybody up
            await trio.lowlevel.checkpoint()
    if request.flag("size"):
        await container_json.add_sizes(engine, found, documents)
    return Response(document=documents)


async def inspect(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /containers/{id}/json."""
    container = engine.containers.find(name)
    document = container_json.inspect(engine, container, exchange.request.version)
    if exchange.request.flag("size"):
        await container_json.add_sizes(engine, [container], [document])
    return Response(document=document)


async def create(engine: Engine, exchange: Exchange) -> Response:
    """POST /containers/create."""
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("invalid JSON: the body must be an object")
    host = document.get("HostConfig") or {}
    networking = document.get("NetworkingConfig") or {}
    if _json_names(Config).isdisjoint(document):
        raise InvalidRequestError("Config cannot be empty in order to create a container")
    request = ContainerRequest(
        docker_json.decode(Config, document, "Config"),
        docker_json.decode(HostConfig, host, "HostConfig"),
        docker_json.decode(NetworkingConfig, networking, "NetworkingConfig"),
        name=exchange.request.text("name"),
        platform=exchange.request.text("platform"),
    )
    created = await engine.containers.create(request)
    warnings = [*created.warnings, *_unknown(document, host)]
    return Response(201, {"Id": created.id, "Warnings": warnings})


def _unknown(document: dict[str, Any], host: dict[str, Any]) -> list[str]:
    """Keys of a create request that mean nothing here, each in a warning of its own."""
    known = _json_names(Config) | {"HostConfig", "NetworkingConfig"}
    known_host = _json_names(HostConfig)
    return [
        f"{key} is not known to this engine and has no effect"
        for key, value in (
            *((k, v) for k, v in document.items() if k not in known),
            *((f"HostConfig.{k}", v) for k, v in host.items() if k not in known_host),
        )
        if value not in (None, "", 0, False, [], {})
    ]


@cache
def _json_names(kind: type[Config | HostConfig | UpdateRequest]) -> frozenset[str]:
    return frozenset(f.metadata.get("json", docker_json.camel(f.name)) for f in fields(kind))


async def start(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/start."""
    del exchange
    await engine.containers.start(name)
    return Response(204)


async def stop(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/stop."""
    request = exchange.request
    await engine.containers.stop(name, timeout=request.number("t"), signal=request.text("signal"))
    return Response(204)


async def restart(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/restart."""
    request = exchange.request
    await engine.containers.restart(
        name, timeout=request.number("t"), signal=request.text("signal")
    )
    return Response(204)


async def kill(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/kill."""
    await engine.containers.kill(name, exchange.request.text("signal"))
    return Response(204)


async def pause(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/pause."""
    del exchange
    await engine.containers.pause(name)
    return Response(204)


async def unpause(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/unpause."""
    del exchange
    await engine.containers.unpause(name)
    return Response(204)


async def rename(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/rename."""
    await engine.containers.rename(name, exchange.request.text("name"))
    return Response(204)


async def update(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/update."""
    document = await exchange.json() or {}
    if not isinstance(document, dict):
        raise InvalidRequestError("invalid JSON: the body must be an object")
    policy = document.get("RestartPolicy") or {}
    request = replace(
        docker_json.decode(UpdateRequest, document, "UpdateConfig"),
        restart_policy_name=policy.get("Name") or None,
        restart_policy_retries=policy.get("MaximumRetryCount") or None,
    )
    warnings = await engine.containers.update(name, request)
    return Response(document={"Warnings": [*warnings, *_not_updatable(document)] or None})


def _not_updatable(document: dict[str, Any]) -> list[str]:
    known = _json_names(UpdateRequest) | {"RestartPolicy"}
    return [
        f"{key} cannot be updated and has no effect"
        for key, value in document.items()
        if key not in known and value not in (None, "", 0, False, [], {})
    ]


async def remove(engine: Engine, exchange: Exchange, name: str) -> Response:
    """DELETE /containers/{id}."""
    request = exchange.request
    if request.flag("link"):
        raise NotSupportedError("removing a link is not supported: disconnect the network instead")
    await engine.containers.remove(name, force=request.flag("force"), volumes=request.flag("v"))
    return Response(204)


async def resize(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/resize."""
    rows, columns = exchange.request.size()
    container = engine.containers.find(name)
    live = engine.containers.live(container.id)
    await live.monitor.resize(rows, columns)
    return Response(200)


async def wait(engine: Engine, exchange: Exchange, name: str) -> None:
    """POST /containers/{id}/wait: the head at once, the body at the end."""
    condition = exchange.request.text("condition")
    if condition not in CONDITIONS:
        raise InvalidRequestError(f'invalid condition: "{condition}"')
    ended = engine.containers.wait(name, condition or "not-running")  # type: ignore[arg-type]  # one of CONDITIONS
    async with exchange.stream() as body:
        await body.send_json({"StatusCode": await ended()})


async def logs(engine: Engine, exchange: Exchange, name: str) -> None:
    """GET /containers/{id}/logs."""
    query = exchange.request
    container = engine.containers.find(name)
    tail = query.text("tail", "all")
    if tail not in ("all", "") and not tail.lstrip("-").isdigit():
        raise InvalidRequestError(f"invalid value for tail: {tail!r}")
    now = time.time_ns()
    request = LogRequest(
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        follow=query.flag("follow"),
        timestamps=query.flag("timestamps"),
        details=query.flag("details"),
        since_ns=parse_time(query.text("since"), now),
        until_ns=parse_time(query.text("until"), now),
        tail=int(tail) if tail.isdigit() else None,
    )
    terminal = container.config.tty
    path = str(engine.layout.container(container.id) / f"{container.id}-json.log")

    def ended() -> bool:
        try:
            return not engine.containers.get(container.id).state.running
        except NotFoundError:
            return True

    check_readable(container, request)  # its errors come before the head
    how = (terminal, request.details, request.timestamps)
    encode = partial(_encode, request=request, terminal=terminal)
    kind = RAW_STREAM if terminal or query.version < (1, 42) else MULTIPLEXED_STREAM
    entries = read_log(path, request, engine.containers.log_readers, ended)
    # Closed here: a client that goes is no collector's business.
    async with aclosing(entries) as batches, exchange.stream(kind) as body:
        async for batch in batches:
            await body.send(batch.once(how, encode))


def _encode(batch: list[Entry], request: LogRequest, *, terminal: bool) -> bytes:
    if not (request.details or request.timestamps):
        if terminal:
            return b"".join([entry.text for entry in batch])
        return b"".join(
            [encode_frame(STDERR if e.stream == "stderr" else STDOUT, e.text) for e in batch]
        )
    out = []
    for entry in batch:
        text = entry.text
        if request.details:
            text = f"{entry.attributes} ".encode() + text
        if request.timestamps:
            text = f"{entry.time} ".encode() + text
        number = STDERR if entry.stream == "stderr" else STDOUT
        out.append(text if terminal else encode_frame(number, text))
    return b"".join(out)


async def prune(engine: Engine, exchange: Exchange) -> Response:
    """POST /containers/prune: what does not run; filters `until`, `label`, `label!`."""
    filters = exchange.request.filters()
    check_filters(filters, PRUNE_FILTERS)
    deleted, freed = [], 0
    for container in engine.containers.all():
        if container.state.status in ("created", "exited", "dead") and matches(
            engine, container, filters
        ):
            upper = str(engine.layout.container(container.id) / "upper")
            size = await trio.to_thread.run_sync(folder_size, upper)
            try:
                await engine.containers.remove(container.id)
            except (NotFoundError, ConflictError):
                continue  # somebody was quicker, or has started it
            freed += size
            deleted.append(container.id)
    engine.events.publish("container", "prune", "", {"reclaimed": str(freed)})
    return Response(document={"ContainersDeleted": deleted or None, "SpaceReclaimed": freed})
