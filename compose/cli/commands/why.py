"""`why`: the state of a service explained on one screen."""

from __future__ import annotations

import sys
import time

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from compose.operations.why import Finding


def why(options: Options, invocation: Invocation) -> int:
    """Explain."""
    from compose.operations.why import why as operation

    if options.format not in ("text", "json"):
        raise UsageError(f'unsupported format "{options.format}": use text or json')
    findings = operation(
        invocation.session(quiet=True), options.arguments[0], max(options.lines, 0)
    )
    if options.format == "json":
        import json

        text = json.dumps([as_document(one) for one in findings], indent=2) + "\n"
    else:
        text = "\n".join(screen(one) for one in findings)
    sys.stdout.write(text)
    return 0


def screen(found: Finding) -> str:
    """One container's finding as text."""
    lines = [f"{found.name or found.service}: {found.state}"]
    lines += [f"  {reason}" for reason in found.reasons]
    if found.probes:
        lines.append("last probes:")
        for moment, code, output in found.probes:
            said = output.splitlines() or ["(no output)"]
            lines.append(f"  {clock(moment)}  exit {code}: {said[0]}")
            lines += [f"                    {text}" for text in said[1:3]]
    if found.events:
        lines.append("last events:")
        lines += [f"  {clock(moment)}  {what}" for moment, what in found.events]
    if found.name:
        lines.append("last lines:")
        lines += [f"  | {text}" for text in found.lines] or ["  (none)"]
    return "\n".join(lines) + "\n"


def clock(moment: float | str) -> str:
    """A time of day, here; of an RFC 3339 text or of seconds."""
    if isinstance(moment, str):
        from compose.engine_client.payloads.status import unix_text

        text = unix_text(moment).partition(".")[0]
        if not text.isdigit():
            return moment
        moment = float(text)
    return time.strftime("%H:%M:%S", time.localtime(moment))


def as_document(found: Finding) -> dict[str, Any]:
    """For --format json."""
    return {
        "service": found.service,
        "container": found.name,
        "state": found.state,
        "reasons": list(found.reasons),
        "probes": [
            {"time": moment, "exitCode": code, "output": output}
            for moment, code, output in found.probes
        ],
        "events": [{"time": moment, "event": what} for moment, what in found.events],
        "lines": list(found.lines),
    }


COMMANDS = {
    "why": Command(
        "why [OPTIONS] SERVICE",
        "Explain the state of a service: how it ended, its probe, its last events and lines",
        (
            Flag("format", kind="text", default="text", help='Output format ("text"|"json")'),
            Flag("lines", "n", kind="number", default=10, help="How many of its last lines to show"),
        ),
        why,
        least=1,
        most=1,
    )
}  # fmt: skip
