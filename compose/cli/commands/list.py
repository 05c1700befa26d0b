"""`ls`, `images`, `port`, `top` and `volumes`."""

from __future__ import annotations

import json
import sys
import time

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.cli.table import table
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VOLUME_COLUMNS = {
    "Driver": "DRIVER", "Name": "VOLUME NAME", "Labels": "LABELS", "Mountpoint": "MOUNTPOINT",
    "Scope": "SCOPE", "Links": "LINKS", "Size": "SIZE", "Group": "GROUP",
    "Availability": "AVAILABILITY", "Status": "STATUS",
}  # fmt: skip


def ls(options: Options, invocation: Invocation) -> int:
    """List projects."""
    from compose.operations.listing import projects

    rows = projects(invocation.session(quiet=True), everything=options.all)
    for text in options.filter:
        key, equals, value = text.partition("=")
        if key != "name" or not equals:
            raise UsageError(f'invalid filter "{text}": the one there is is name=NAME')
        rows = [row for row in rows if value in row["Name"]]
    if options.quiet:
        sys.stdout.write("".join(f"{row['Name']}\n" for row in rows))
    elif checked(options.format) == "json":
        print(json.dumps(rows, separators=(",", ":")))
    else:
        shown = [[row["Name"], row["Status"], row["ConfigFiles"]] for row in rows]
        sys.stdout.write(table([["NAME", "STATUS", "CONFIG FILES"], *shown], minimum=20))
    return 0


def checked(style: str) -> str:
    """table or json. Raises UsageError."""
    if style not in ("", "table", "json"):
        raise UsageError(f'unsupported --format "{style}": use table or json')
    return style


def images(options: Options, invocation: Invocation) -> int:
    """List the images of containers."""
    from compose.cli.units import decimal_size, duration
    from compose.operations.listing import images as operation
    from compose.planner.images import tagged_time

    rows = operation(invocation.session(quiet=True), tuple(options.arguments))
    if options.quiet:
        ids = dict.fromkeys(row["ID"].partition(":")[2] for row in rows)
        sys.stdout.write("".join(f"{image}\n" for image in ids))
    elif checked(options.format) == "json":
        print(json.dumps(rows, separators=(",", ":")))
    else:
        now = time.time()
        headings = ["CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED"]
        shown = [
            [
                row["ContainerName"], row["Repository"] or "<none>", row["Tag"] or "<none>",
                row["Platform"], row["ID"].partition(":")[2][:12], decimal_size(row["Size"]),
                duration(now - tagged_time(row["LastTagTime"])) + " ago",
            ]
            for row in rows
        ]  # fmt: skip
        sys.stdout.write(table([headings, *shown], minimum=20))
    return 0


def port(options: Options, invocation: Invocation) -> int:
    """Print where a port is published."""
    from compose.operations.listing import port as operation

    service, private = options.arguments
    if not private.isdigit():
        raise UsageError(f'invalid port "{private}": give the number of a port in the container')
    session = invocation.session(quiet=True)
    print(operation(session, service, int(private), options.protocol.lower(), options.index or 0))
    return 0


def top(options: Options, invocation: Invocation) -> int:
    """Show processes."""
    from compose.operations.listing import top as operation

    headings, rows = operation(invocation.session(quiet=True), tuple(options.arguments))
    if rows:
        sys.stdout.write(table([headings, *rows], minimum=4, padding=2))
    return 0


def volumes(options: Options, invocation: Invocation) -> int:
    """List volumes."""
    from compose.cli.formatted import formatted
    from compose.operations.listing import volumes as operation

    rows = operation(invocation.session(quiet=True), tuple(options.arguments))
    if options.quiet:
        sys.stdout.write("".join(f"{row['Name']}\n" for row in rows))
        return 0
    shown = [volume_row(row) for row in rows]
    text = formatted(
        shown, options.format, VOLUME_COLUMNS, lambda row: [row["Driver"], row["Name"]]
    )
    sys.stdout.write(text)
    return 0


def volume_row(row: Mapping[str, Any]) -> dict[str, str]:
    """A volume with the fields that templates have."""
    own = row.get("Labels") or {}
    return {
        "Availability": "N/A", "Driver": row.get("Driver", ""), "Group": "N/A",
        "Labels": ",".join(f"{key}={value}" for key, value in own.items()), "Links": "N/A",
        "Mountpoint": row.get("Mountpoint", ""), "Name": row["Name"], "Scope": row.get("Scope", ""),
        "Size": "N/A", "Status": "N/A",
    }  # fmt: skip


COMMANDS = {
    "ls": Command(
        "ls [OPTIONS]",
        "List running compose projects",
        (
            Flag("all", "a", help="Show all stopped Compose projects"),
            Flag("filter", kind="list", metavar="filter", help="Filter output based on conditions provided"),
            Flag("format", kind="text", default="table", help="Format the output. Values: [table | json]"),
            Flag("quiet", "q", help="Only display project names"),
        ),
        ls,
        most=0,
    ),
    "images": Command(
        "images [OPTIONS] [SERVICE...]",
        "List images used by the created containers",
        (
            Flag("format", kind="text", default="table", help="Format the output. Values: [table | json]"),
            Flag("quiet", "q", help="Only display IDs"),
        ),
        images,
    ),
    "port": Command(
        "port [OPTIONS] SERVICE PRIVATE_PORT",
        "Print the public port for a port binding",
        (
            Flag("index", kind="number", help="Index of the container if service has multiple replicas"),
            Flag("protocol", kind="text", default="tcp", help="tcp or udp"),
        ),
        port,
        least=2,
        most=2,
    ),
    "top": Command("top [SERVICES...]", "Display the running processes", (), top),
    "volumes": Command(
        "volumes [OPTIONS] [SERVICE...]",
        "List volumes",
        (
            Flag("format", kind="text", default="table", help="Format output: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'"),
            Flag("quiet", "q", help="Only display volume names"),
        ),
        volumes,
    ),
}  # fmt: skip
