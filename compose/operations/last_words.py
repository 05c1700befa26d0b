"""What a container said before it failed: the last lines of its log, and of its health probe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from compose.engine_client import calls
from compose.errors import ComposeError
from compose.operations.log_source import LogLines

if TYPE_CHECKING:
    from compose.engine_client.transport import Engine

LINES = 10
#: Seconds; a failure is told now, not when a slow log has been read.
PATIENCE = 3.0


async def last_words(engine: Engine, ref: str) -> list[str]:
    """The lines; () where the engine has none. Never raises: there is a failure to tell already."""
    lines: list[str] = []
    with trio.move_on_after(PATIENCE):
        try:
            inspected = (await engine.do(calls.inspect_container(ref))).json()
            answer = await engine.do(calls.read_logs(ref, tail=str(LINES)))
        except ComposeError:
            return lines
        log = LogLines(tty=bool(inspected["Config"]["Tty"]))
        lines += [line for _, line in (*log.feed(answer.body), *log.flush())][-LINES:]
        lines += probe_words(inspected)
    return lines


def probe_words(inspected: dict[str, Any]) -> list[str]:
    """What the last failed health probe has said, a line a line. Pure."""
    probes = ((inspected.get("State") or {}).get("Health") or {}).get("Log") or []
    failed = [probe for probe in probes if probe.get("ExitCode")]
    if not failed:
        return []
    last = failed[-1]
    said = str(last.get("Output", "")).strip().splitlines()[-LINES:]
    return [f"(health probe, exit {last['ExitCode']}) {line}" for line in said or ["no output"]]
