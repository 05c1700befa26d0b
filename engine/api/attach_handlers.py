"""Handlers that take the raw connection: attach and exec start; and the other exec calls.

The head goes out alone and before the process starts: docker-py loses bytes that come with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from engine.api.exchange import MULTIPLEXED_STREAM, RAW_STREAM, Exchange, Response
from engine.containers import docker_json
from engine.containers.logs import read_log
from engine.containers.model import ExecRequest, LogRequest
from engine.errors import ConflictError, InvalidRequestError
from engine.processes.client import StartError
from networking.wire.stdstream import STDERR, STDOUT, encode_frame

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.containers.model import Container, Exec
    from engine.processes.attachment import Attachment


async def attach(engine: Engine, exchange: Exchange, name: str) -> None:
    """POST /containers/{id}/attach. Before the start too: the streams are joined when it has one."""
    request = exchange.request
    container = engine.containers.find(name)
    if container.state.status == "paused":
        raise ConflictError(f"container {name} is paused, unpause the container before attach.")
    async for _ in exchange.body():
        pass
    terminal = container.config.tty
    kind = RAW_STREAM if terminal or request.version < (1, 42) else MULTIPLEXED_STREAM
    wants = {s: request.flag(s) for s in ("stdin", "stdout", "stderr")}
    follow = request.flag("stream")
    stream = await exchange.hijack(kind)
    early = exchange.early()
    engine.containers.publish(container, "attach")
    if request.flag("logs"):
        await _replay(engine, container, stream, terminal=terminal, wants=wants)
    if not follow:
        return
    attachment = await engine.containers.join_streams(container.id, **wants)
    if attachment is None:
        return
    try:
        await pump(stream, attachment, early, terminal=terminal, stdin=wants["stdin"])
    finally:
        with trio.CancelScope(shield=True):
            if container.config.stdin_once and wants["stdin"]:
                await attachment.close_stdin()
            await attachment.aclose()


async def _replay(
    engine: Engine,
    container: Container,
    stream: trio.SocketStream,
    *,
    terminal: bool,
    wants: dict[str, bool],
) -> None:
    path = str(engine.layout.container(container.id) / f"{container.id}-json.log")
    request = LogRequest(stdout=wants["stdout"], stderr=wants["stderr"])
    async for batch in read_log(
        container, path, request, engine.containers.log_watch, lambda: True
    ):
        for entry in batch:
            number = STDERR if entry.stream == "stderr" else STDOUT
            await stream.send_all(entry.text if terminal else encode_frame(number, entry.text))


async def pump(
    stream: trio.SocketStream,
    attachment: Attachment,
    early: bytes,
    *,
    terminal: bool,
    stdin: bool,
) -> None:
    """Move bytes both ways until the process's output ends or the client hangs up."""

    async def upwards(scope: trio.CancelScope) -> None:
        try:
            if early and stdin:
                await attachment.send(early)
            while data := await stream.receive_some(1 << 16):
                if stdin:
                    await attachment.send(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            scope.cancel()
            return
        if stdin:
            await attachment.close_stdin()  # a half-close: output goes on

    async with trio.open_nursery() as nursery:
        nursery.start_soon(upwards, nursery.cancel_scope)
        try:
            async for number, data in attachment.frames():
                await stream.send_all(data if terminal else encode_frame(number, data))
            with trio.move_on_after(1):
                await stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has gone; the process goes on
        nursery.cancel_scope.cancel()


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
    async with execs.open(name, size=wanted) as (prepared, attachment):
        if document.get("Detach"):
            await execs.start(name, prepared)
            return Response(200)
        kind = RAW_STREAM if terminal or exchange.request.version < (1, 42) else MULTIPLEXED_STREAM
        if not exchange.request.headers.get("upgrade"):
            # Without an upgrade an error can still be a status of its own.
            await execs.start(name, prepared)
            stream = await exchange.hijack(kind)
        else:
            stream = await exchange.hijack(kind)
            try:
                await execs.start(name, prepared)
            except StartError as error:  # the head is out: it is said where output would be
                words = f"{error}\r\n".encode()
                await stream.send_all(words if terminal else encode_frame(STDERR, words))
                return None
        early = exchange.early()
        stdin = made.request.attach_stdin
        await pump(stream, attachment, early, terminal=terminal, stdin=stdin)
    return None


async def inspect_exec(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /exec/{id}/json."""
    del exchange
    return Response(document=exec_json(engine.containers.execs.get(name)))


async def resize_exec(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /exec/{id}/resize."""
    request = exchange.request
    await engine.containers.execs.resize(
        name, request.number("h", 0) or 0, request.number("w", 0) or 0
    )
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
