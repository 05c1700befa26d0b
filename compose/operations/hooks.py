"""Runs a hook to its end: in the container, or before it starts in one made like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from compose.engine_client import calls
from compose.engine_client.payloads.container import hook_body
from compose.errors import ComposeError
from compose.model.files import GRANT_KINDS
from compose.model.health import HealthCheck
from compose.model.record import Record, changed
from compose.operations.creating import create_container
from compose.operations.last_words import last_words
from compose.operations.uploads import upload
from networking.wire.stdstream import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.engine_client.payloads.container import CreateRequest
    from compose.engine_client.transport import Engine
    from compose.model.hook import Hook
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.progress import Progress


async def run_hook(
    engine: Engine,
    service: Service,
    ref: str,
    hook: Hook,
    on_line: Callable[[str, str], None] | None = None,
) -> None:
    """Run it. `on_line` is given what it prints. Raises ComposeError if it ends badly."""
    made = (await engine.do(calls.create_exec(ref, hook_body(hook, attach=True)))).json()
    taken = await engine.hijack(calls.start_exec(made["Id"], detach=False, tty=service.tty))
    decoder = FrameDecoder()
    text = b""
    # Attached even if nobody reads along: the end of the stream is the end of the hook.
    async with taken.stream:
        while data := await taken.receive():
            pieces = [(1, data)] if service.tty else decoder.feed(data)
            text += b"".join(piece for _, piece in pieces)
            *lines, text = text.split(b"\n")
            for line in lines:
                if on_line is not None:
                    on_line(ref, line.decode(errors="replace"))
    if text and on_line is not None:
        on_line(ref, text.decode(errors="replace"))
    code = await exec_exit_code(engine, made["Id"])
    if code:
        raise ComposeError(f"{service.name} hook exited with status {code}")


async def exec_exit_code(engine: Engine, exec_id: str) -> int:
    """The exit code of a program whose streams have ended; the engine may be a moment behind."""
    found = (await engine.do(calls.inspect_exec(exec_id))).json()
    for pause in (0.01, 0.05, 0.2, 1.0):
        if not found.get("Running"):
            break
        await trio.sleep(pause)
        found = (await engine.do(calls.inspect_exec(exec_id))).json()
    return int(found.get("ExitCode") or 0)


def before_start(service: Service, hook: Hook) -> Service:
    """The service whose container a pre_start hook is run in: its image, files and networks, the
    hook's program; nothing published, nothing restarted. Pure."""
    return changed(
        service,
        image=hook.image or service.image,
        command=hook.command,
        entrypoint=(),
        user=hook.user or service.user,
        working_dir=hook.working_dir or service.working_dir,
        privileged=hook.privileged or service.privileged,
        environment={**service.environment, **hook.environment},
        container_name="",
        ports=(),
        restart="",
        deploy=changed(service.deploy, restart_policy=None) if service.deploy else None,
        healthcheck=HealthCheck(disable=True),
    )


class Forerunner(Record):
    """A container that a pre_start hook is run in."""

    name: str
    request: CreateRequest
    project: Project
    service: Service


async def run_to_end(
    engine: Engine,
    one: Forerunner,
    progress: Progress,
    on_line: Callable[[str, str], None] | None,
) -> None:
    """Create, start, wait for the end, remove. Raises ComposeError if it ends badly."""
    name, service = one.name, one.service
    await engine.do(calls.remove_container(name, force=True))  # one that was left by a cut-off up
    made = await create_container(engine, name, one.request, service.platform)
    try:
        for kind in GRANT_KINDS:
            files = upload(one.project, service, kind, made["Id"])
            if files is not None:
                await engine.do(files)
        await engine.do(calls.start_container(made["Id"]))
        answer = (await engine.do(calls.wait_container(made["Id"]))).json()
        code = int(answer.get("StatusCode") or 0)
        words = await last_words(engine, made["Id"]) if code or on_line else []
        for line in words:
            if on_line is not None:
                on_line(name, line)
            else:
                progress.quote(name, line)
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
            await engine.do(calls.remove_container(made["Id"], volumes=True, force=True))
    if code:
        raise ComposeError(f"{service.name} pre_start hook exited with status {code}")
