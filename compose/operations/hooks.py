"""Runs a post_start or pre_stop hook in a container, to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from compose.engine_client import calls
from compose.engine_client.payloads.container import hook_body
from compose.errors import ComposeError
from networking.wire.stdstream import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.engine_client.transport import Engine
    from compose.model.service import Hook, Service


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
