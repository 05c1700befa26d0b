"""Handlers that take the raw connection: attach (also over a WebSocket) and exec start; and the other exec calls.

The head goes out alone and before the process starts: docker-py loses bytes that come with it.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

import trio

from engine.api.detach_keys import DetachKeys, parse_keys
from engine.api.exchange import MULTIPLEXED_STREAM, RAW_STREAM, Exchange, Response
from engine.api.pump import Client, Outcome, RawClient, pump
from engine.api.websocket import accept_websocket
from engine.containers import docker_json
from engine.containers.logs import check_readable, read_log
from engine.containers.model import ExecRequest, LogRequest
from engine.errors import ConflictError, EngineError, InvalidRequestError
from networking.wire.stdstream import STDERR, STDOUT, encode_frame

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.containers.model import Container, Exec
    from engine.processes.attachment import Attachment


async def attach(engine: Engine, exchange: Exchange, name: str) -> None:
    """POST /containers/{id}/attach. Before the start too: the streams are joined when it has one."""
    container, keys = _attachable(engine, exchange, name)
    async for _ in exchange.body():
        pass
    terminal = container.config.tty
    stream = await exchange.hijack(stream_kind(exchange, terminal=terminal))
    client = RawClient(stream, exchange.early())
    await _serve(engine, exchange, container, client, multiplexed=not terminal, keys=keys)


async def attach_websocket(engine: Engine, exchange: Exchange, name: str) -> None:
    """GET /containers/{id}/attach/ws: stdout and stderr in one, as binary messages."""
    container, keys = _attachable(engine, exchange, name)
    client = await accept_websocket(exchange)
    await _serve(engine, exchange, container, client, multiplexed=False, keys=keys)


def stream_kind(exchange: Exchange, *, terminal: bool) -> str:
    """The content type of a process's streams."""
    return RAW_STREAM if terminal or exchange.request.version < (1, 42) else MULTIPLEXED_STREAM


def _attachable(
    engine: Engine, exchange: Exchange, name: str
) -> tuple[Container, DetachKeys | None]:
    container = engine.containers.find(name)
    keys = parse_keys(exchange.request.text("detachKeys"))
    if container.state.status == "paused":
        raise ConflictError(f"container {name} is paused, unpause the container before attach.")
    if container.state.status == "restarting":
        raise ConflictError(f"container {name} is restarting, wait until the container is running")
    return container, DetachKeys(keys) if container.config.tty else None


async def _serve(
    engine: Engine,
    exchange: Exchange,
    container: Container,
    client: Client,
    *,
    multiplexed: bool,
    keys: DetachKeys | None,
) -> None:
    request = exchange.request
    wants = {s: request.flag(s) for s in ("stdin", "stdout", "stderr")}
    wants["stdin"] = wants["stdin"] and container.config.open_stdin
    engine.containers.publish(container, "attach")
    if request.flag("logs"):
        await _replay(engine, container, client, multiplexed=multiplexed, wants=wants)
    if not request.flag("stream"):
        await client.finish()
        return
    joined = await _joined(engine, container, client, wants)
    if joined is None:
        return
    # As Docker has it: what is open for more than one client, or a terminal, outlives this one.
    passes_end = container.config.stdin_once and not container.config.tty and wants["stdin"]
    try:
        outcome = await pump(
            client, joined, multiplexed=multiplexed, stdin=wants["stdin"], keys=keys,
            passes_end=passes_end,
            recorded=partial(engine.containers.wait_recorded, container.id),
        )  # fmt: skip
    finally:
        with trio.CancelScope(shield=True):
            if passes_end:
                await joined.close_stdin()
            await joined.aclose()
    if outcome is Outcome.DETACHED:
        engine.containers.publish(container, "detach")


async def _joined(
    engine: Engine, container: Container, client: Client, wants: dict[str, bool]
) -> Attachment | None:
    """The streams, from the next start if it does not run; None if the client or it went before."""
    joined: Attachment | None = None
    async with trio.open_nursery() as nursery:

        async def give_up() -> None:
            await client.wait_gone()
            nursery.cancel_scope.cancel()

        nursery.start_soon(give_up)
        joined = await engine.containers.join_streams(container.id, **wants)
        nursery.cancel_scope.cancel()
    return joined


async def _replay(
    engine: Engine,
    container: Container,
    client: Client,
    *,
    multiplexed: bool,
    wants: dict[str, bool],
) -> None:
    path = str(engine.layout.container(container.id) / f"{container.id}-json.log")
    request = LogRequest(stdout=wants["stdout"], stderr=wants["stderr"])
    check_readable(container, request)
    entries = read_log(path, request, engine.containers.log_readers, lambda: True)
    async with aclosing(entries) as batches:
        async for batch in batches:
            for entry in batch.entries:
                number = STDERR if entry.stream == "stderr" else STDOUT
                await client.send(encode_frame(number, entry.text) if multiplexed else entry.text)


async def create_exec(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /containers/{id}/exec."""
    document = await exchange.json()
    request = docker_json.decode(ExecRequest, document or {}, "ExecConfig")
    made = engine.containers.execs.create(name, request)
    return Response(201, {"Id": made.id})


async def start_exec(engine: Engine, exchange: Exchange, name: str) -> Response | None:
    """POST /exec/{id}/start."""
    document = await exchange.json() or {}
    if not isinstance(document, dict):
        raise InvalidRequestError("invalid JSON: the body must be an object")
    execs = engine.containers.execs
    made = execs.get(name)
    size = document.get("ConsoleSize") or made.request.console_size
    wanted = (int(size[0]), int(size[1])) if size and len(size) == 2 and all(size) else None
    terminal = made.request.tty
    keys = DetachKeys(parse_keys(made.request.detach_keys)) if terminal else None
    async with execs.open(name, size=wanted) as (prepared, attachment):
        if document.get("Detach"):
            await execs.start(name, prepared)
            return Response(200)
        kind = stream_kind(exchange, terminal=terminal)
        if not exchange.request.headers.get("upgrade"):
            # Without an upgrade an error can still be a status of its own.
            await execs.start(name, prepared)
            client = RawClient(await exchange.hijack(kind), exchange.early())
        else:
            client = RawClient(await exchange.hijack(kind), exchange.early())
            try:
                await execs.start(name, prepared)
            except EngineError as error:  # the head is out: it is said where output would be
                words = f"{error}\r\n".encode()
                await client.send(words if terminal else encode_frame(STDERR, words))
                return None
        outcome = await pump(
            client, attachment, multiplexed=not terminal, stdin=made.request.attach_stdin,
            keys=keys, recorded=partial(execs.wait_recorded, name),
        )  # fmt: skip
    if outcome is Outcome.DETACHED:
        execs.detached(name)
    return None


async def inspect_exec(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /exec/{id}/json."""
    del exchange
    return Response(document=exec_json(engine.containers.execs.get(name)))


async def resize_exec(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /exec/{id}/resize."""
    await engine.containers.execs.resize(name, *exchange.request.size())
    return Response(200)


def exec_json(made: Exec) -> dict[str, object]:
    """Docker's document of an exec."""
    request = made.request
    return {
        "ID": made.id,
        "Running": made.running,
        "ExitCode": made.exit_code,
        "ProcessConfig": {
            "tty": request.tty,
            "entrypoint": request.cmd[0],
            "arguments": list(request.cmd[1:]),
            "privileged": request.privileged,
            "user": request.user,
        },
        "OpenStdin": request.attach_stdin,
        "OpenStderr": request.attach_stderr,
        "OpenStdout": request.attach_stdout,
        "CanRemove": not made.running and made.started,
        "ContainerID": made.container_id,
        "DetachKeys": request.detach_keys,
        "Pid": made.pid,
    }
