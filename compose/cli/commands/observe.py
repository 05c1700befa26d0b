"""`events`, `stats` and `wait`."""

from __future__ import annotations

import sys
import time

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.cli.times import moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

STATS = {
    "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
    "Container": "CONTAINER",
}  # fmt: skip
HOME, ERASE_LINE, ERASE_BELOW = "\x1b[H", "\x1b[K\n", "\x1b[J"


def events(options: Options, invocation: Invocation) -> int:
    """Tell what happens."""
    from compose.cli.template import go_json
    from compose.operations.observing import events as operation

    since, until = moment(options.since), moment(options.until)
    session = invocation.session(quiet=True)
    for row in operation(session, tuple(options.arguments), since, until):
        seconds, nanos = divmod(row.pop("nanos"), 10**9)
        if options.json:
            fraction = f".{nanos:09}".rstrip("0").rstrip(".")
            when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f"{fraction}Z"
            document = {"time": when, "type": "container", **row}
            line = go_json({key: document[key] for key in sorted(document)})
        else:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
            facts = ", ".join(f"{key}={value}" for key, value in row["attributes"].items())
            line = f"{when}.{nanos // 1000:06} container {row['action']} {row['id']} ({facts})"
        print(line, flush=True)
    return 0


def stats(options: Options, invocation: Invocation) -> int:
    """Show what the project's containers use."""
    from compose.operations.observing import stats as operation

    session = invocation.session(quiet=True)
    return show_stats(
        options, lambda: operation(session, tuple(options.arguments), everything=options.all)
    )


def show_stats(options: Options, sample: Callable[[], list[dict[str, Any]]]) -> int:
    """Print samples: one, or one after the other; on a terminal each in the place of the last."""
    from compose.cli.formatted import formatted

    streaming = not options.no_stream and options.format in ("", "table") and sys.stdout.isatty()
    while True:
        shown = [stats_row(row, trunc=not options.no_trunc) for row in sample()]
        text = formatted(shown, options.format, STATS, default_cells, 8)
        # What is left of a longer screen is erased after the new text, so that nothing flickers.
        sys.stdout.write(f"{HOME}{text.replace(chr(10), ERASE_LINE)}{ERASE_BELOW}" if streaming else text)  # fmt: skip
        sys.stdout.flush()
        if options.no_stream:
            return 0


def default_cells(row: Mapping[str, Any]) -> list[str]:
    """A row of the default table."""
    return [row[name] for name in list(STATS)[:8]]


def stats_row(row: Mapping[str, Any], *, trunc: bool) -> dict[str, str]:
    """A container's figures in words."""
    from compose.cli.units import binary_size, decimal_size

    share = row["memory"] / row["limit"] * 100 if row["limit"] else 0.0
    return {
        "BlockIO": f"{decimal_size(row['read'])} / {decimal_size(row['written'])}",
        "CPUPerc": f"{row['cpu']:.2f}%",
        "Container": row["Container"],
        "ID": row["ID"][:12] if trunc else row["ID"],
        "MemPerc": f"{share:.2f}%",
        "MemUsage": f"{binary_size(row['memory'])} / {binary_size(row['limit'])}",
        "Name": row["Name"],
        "NetIO": f"{decimal_size(row['received'])} / {decimal_size(row['sent'])}",
        "PIDs": str(row["pids"]),
    }


def wait(options: Options, invocation: Invocation) -> int:
    """Wait for containers to end."""
    from compose.operations.observing import wait as operation

    def tell(container_id: str, code: int) -> None:
        print(f'container "{container_id}" exited with status code {code}', flush=True)

    session = invocation.session()
    code = operation(session, tuple(options.arguments), tell)
    if options.down_project:
        from compose.operations.down import DownRequest, down

        down(DownRequest(remove_orphans=True), session)
    return code


COMMANDS = {
    "events": Command(
        "events [OPTIONS] [SERVICE...]",
        "Receive real time events from containers",
        (
            Flag("json", help="Output events as a stream of json objects"),
            Flag("since", kind="text", help="Show all events created since timestamp"),
            Flag("until", kind="text", help="Stream events until this timestamp"),
        ),
        events,
    ),
    "stats": Command(
        "stats [OPTIONS] [SERVICE]",
        "Display a live stream of container(s) resource usage statistics",
        (
            Flag("all", "a", help="Show all containers (default shows just running)"),
            Flag("format", kind="text", help="Format output: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
            Flag("no-stream", help="Disable streaming stats and only pull the first result"),
            Flag("no-trunc", help="Do not truncate output"),
        ),
        stats,
    ),
    "wait": Command(
        "wait SERVICE [SERVICE...] [OPTIONS]",
        "Block until containers of all (or specified) services stop.",
        (Flag("down-project", help="Drops project when the first container stops"),),
        wait,
        least=1,
    ),
}  # fmt: skip
