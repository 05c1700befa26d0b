"""`ps`."""

from __future__ import annotations

import sys
import time

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

COLUMNS = {
    "Name": "NAME", "Image": "IMAGE", "Command": "COMMAND", "Service": "SERVICE",
    "RunningFor": "CREATED", "Status": "STATUS", "Ports": "PORTS", "ID": "CONTAINER ID",
    "Project": "PROJECT", "CreatedAt": "CREATED AT", "State": "STATE", "Size": "SIZE",
    "Labels": "LABELS", "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS",
}  # fmt: skip


def ps(options: Options, invocation: Invocation) -> int:
    """List the project's containers."""
    from compose.operations.ps import PsRequest
    from compose.operations.ps import ps as operation

    statuses = list(options.status)
    if options.filter:
        key, equals, value = options.filter.partition("=")
        if not equals:
            raise UsageError("arguments to --filter should be in form KEY=VAL")
        if key != "status":
            raise UsageError(f"unknown filter {key}: the one there is is status")
        statuses.append(value)
    request = PsRequest(tuple(options.arguments), options.all, tuple(statuses), options.orphans)
    rows = operation(request, invocation.session(quiet=True))
    if options.quiet:
        text = "".join(f"{row['ID']}\n" for row in rows)
    elif options.services:
        text = "\n".join(dict.fromkeys(row["Service"] for row in rows)) + "\n"
    else:
        text = listed(rows, options.format, trunc=not options.no_trunc)
    sys.stdout.write(text)
    return 0


def listed(rows: list[dict[str, Any]], style: str, *, trunc: bool) -> str:
    """The rows as --format asks."""
    from compose.cli.formatted import formatted

    shown = [shown_row(row, time.time(), trunc=trunc) for row in rows]
    names = list(COLUMNS)[:7]
    return formatted(
        shown, style, COLUMNS, lambda row: [str(row[name]) for name in names], len(names)
    )


def shown_row(row: Mapping[str, Any], now: float, *, trunc: bool) -> dict[str, Any]:
    """A row as it is shown: shortened, joined, in words."""
    from compose.cli.template_functions import Struct
    from compose.cli.units import duration, quoted, shortened, shown_ports

    command = row["Command"]
    mounts = row["Mounts"]
    if trunc:
        command = shortened(command, 20)
        mounts = [shortened(mount, 15) for mount in mounts]
    return {
        "Command": quoted(command),
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(row["Created"])),
        "ExitCode": row["ExitCode"],
        "Health": row["Health"],
        "ID": row["ID"][:12] if trunc else row["ID"],
        "Image": row["Image"],
        "Labels": ",".join(f"{key}={value}" for key, value in row["Labels"].items()),
        "LocalVolumes": str(row["LocalVolumes"]),
        "Mounts": ",".join(mounts),
        "Name": row["Name"],
        "Names": ",".join(row["Names"]),
        "Networks": ",".join(row["Networks"]),
        "Ports": shown_ports(row["Publishers"]),
        "Project": row["Project"],
        "Publishers": [Struct(one) for one in row["Publishers"]],
        "RunningFor": duration(now - row["Created"]) + " ago",
        "Service": row["Service"],
        "Size": "0B",
        "State": row["State"],
        "Status": row["Status"],
    }


COMMANDS = {
    "ps": Command(
        "ps [OPTIONS] [SERVICE...]",
        "List containers",
        (
            Flag("all", "a", help="Show all stopped containers (including those created by the run command)"),
            Flag("filter", kind="text", help="Filter services by a property (supported filters: status)"),
            Flag("format", kind="text", default="table", help="Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
            Flag("no-trunc", help="Don't truncate output"),
            Flag("orphans", default=True, help="Include orphaned services (not declared by project)"),
            Flag("quiet", "q", help="Only display IDs"),
            Flag("services", help="Display services"),
            Flag("status", kind="list", help="Filter services by status. Values: [paused | restarting | removing | running | dead | created | exited]"),
        ),
        ps,
    )
}  # fmt: skip
