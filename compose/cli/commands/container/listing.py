"""`container ls`, `inspect`, `port`, `top`, `stats` and `diff`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import ComposeError, UsageError
from compose.model.record import changed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.cli.template import Row

COLUMNS = {
    "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED",
    "Status": "STATUS", "Ports": "PORTS", "Names": "NAMES", "Size": "SIZE",
    "CreatedAt": "CREATED AT", "State": "STATE", "Labels": "LABELS", "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS", "Platform": "PLATFORM",
}  # fmt: skip
KINDS = {0: "C", 1: "A", 2: "D"}


def ls(options: Options, invocation: Invocation) -> int:
    """List containers."""
    from compose.cli.formatted import formatted
    from compose.engine_client import object_calls
    from compose.operations.objects import ask, read_filters

    limit = 1 if options.latest else options.last
    everything = options.all or limit > 0
    filters = read_filters(options.filter)
    call = object_calls.list_containers(
        filters, everything=everything, limit=limit, size=options.size
    )
    items = ask(invocation.session(quiet=True), call) or []
    rows = [container_row(item, trunc=not options.no_trunc) for item in items]
    if options.quiet:
        sys.stdout.write("".join(f"{row['ID']}\n" for row in rows))
        return 0
    count = 8 if options.size else 7
    names = list(COLUMNS)[:count]
    text = formatted(
        rows, options.format, COLUMNS, lambda row: [str(row[name]) for name in names], count
    )
    sys.stdout.write(text)
    return 0


def container_row(item: Mapping[str, Any], *, trunc: bool) -> Row:
    """A container of the list with docker's fields."""
    from compose.cli.template import Row
    from compose.cli.units import duration, quoted, shortened, shown_ports
    from compose.operations.ps import publisher

    names = [name.lstrip("/") for name in item.get("Names") or []]
    if trunc:
        names = [name for name in names if "/" not in name] or names
    own = item.get("Labels") or {}
    mounts = [mount.get("Name") or mount.get("Source", "") for mount in item.get("Mounts") or []]
    networks = (item.get("NetworkSettings") or {}).get("Networks") or {}
    command, image = item.get("Command", ""), item.get("Image", "") or "<no image>"
    created = item.get("Created", 0)
    fields = {
        "Command": quoted(shortened(command, 20) if trunc else command),
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(created)),
        "ID": item["Id"][:12] if trunc else item["Id"],
        "Image": image.removeprefix("sha256:")[:12]
        if trunc and image.startswith("sha256:")
        else image,
        "Labels": ",".join(f"{key}={own[key]}" for key in sorted(own)),
        "LocalVolumes": str(
            sum(mount.get("Driver") == "local" for mount in item.get("Mounts") or [])
        ),
        "Mounts": ",".join(shortened(mount, 15) if trunc else mount for mount in mounts),
        "Names": ",".join(names),
        "Networks": ",".join(sorted(networks)),
        "Ports": shown_ports([publisher(port) for port in item.get("Ports") or []]),
        "RunningFor": duration(time.time() - created) + " ago",
        "Size": size_of(item),
        "State": item.get("State", ""),
        "Status": item.get("Status", ""),
    }
    return Row(fields, Label=lambda key: own.get(key, ""))


def size_of(item: Mapping[str, Any]) -> str:
    """What it has written, and with its image."""
    from compose.cli.units import decimal_size

    text = decimal_size(item.get("SizeRw") or 0)
    virtual = item.get("SizeRootFs") or 0
    return f"{text} (virtual {decimal_size(virtual)})" if virtual else text


def inspect(options: Options, invocation: Invocation) -> int:
    """Show all about containers."""
    from compose.cli.inspecting import show_documents
    from compose.engine_client import object_calls
    from compose.operations.objects import inspected

    return show_documents(
        inspected(
            invocation.session(quiet=True), options.arguments,
            lambda ref: object_calls.inspect_container(ref, size=options.size),
        ),
        options.format,
    )  # fmt: skip


def port(options: Options, invocation: Invocation) -> int:
    """Print where ports are published."""
    from compose.cli.units import address
    from compose.engine_client import calls
    from compose.operations.objects import ask

    ref, *wanted = options.arguments
    found = ask(invocation.session(quiet=True), calls.inspect_container(ref))
    ports = (found.get("NetworkSettings") or {}).get("Ports") or {}
    if not wanted:
        for key in sorted(ports, key=lambda one: (int(one.split("/")[0]), one)):
            for one in ports[key] or []:
                print(f"{key} -> {address(one['HostIp'], one['HostPort'])}")
        return 0
    number, _, protocol = wanted[0].partition("/")
    if not number.isdigit():
        raise UsageError(f'invalid port "{wanted[0]}": give the number of a port in the container')
    bindings = ports.get(f"{number}/{protocol or 'tcp'}")
    if not bindings:
        raise ComposeError(f"no public port '{wanted[0]}' published for {ref}")
    for one in bindings:
        print(address(one["HostIp"], one["HostPort"]))
    return 0


def top(options: Options, invocation: Invocation) -> int:
    """Show processes."""
    from compose.cli.table import table
    from compose.engine_client import object_calls
    from compose.operations.objects import ask

    ref, *arguments = options.arguments
    call = object_calls.top_container(ref, " ".join(arguments))
    found = ask(invocation.session(quiet=True), call)
    rows = [found["Titles"], *(found["Processes"] or [])]
    sys.stdout.write(table(rows, minimum=20))
    return 0


def stats(options: Options, invocation: Invocation) -> int:
    """Show what containers use."""
    from compose.cli.commands.observe import show_stats
    from compose.operations.observing import stats_of

    session = invocation.session(quiet=True)
    return show_stats(
        options, lambda: stats_of(session, tuple(options.arguments), everything=options.all)
    )


def diff(options: Options, invocation: Invocation) -> int:
    """Show what differs from the image."""
    from compose.engine_client import object_calls
    from compose.operations.objects import ask

    call = object_calls.changes_container(options.arguments[0])
    for change in ask(invocation.session(quiet=True), call) or []:
        print(f"{KINDS.get(change['Kind'], '?')} {change['Path']}")
    return 0


FORMAT = Flag(
    "format",
    kind="text",
    help="How to write it: 'table', 'table TEMPLATE', 'json' or a Go TEMPLATE",
)
ONE = "CONTAINER"
MANY = "CONTAINER [CONTAINER...]"

COMMANDS = {
    "ls": Command(
        "container ls [OPTIONS]",
        "List containers",
        (
            Flag("all", "a", help="Stopped ones too"),
            Flag("filter", "f", kind="list", metavar="filter", help="Only those for which this holds, as in status=exited"),
            FORMAT,
            Flag("last", "n", kind="number", default=-1, help="The youngest n, in any state"),
            Flag("latest", "l", help="The youngest, in any state"),
            Flag("no-trunc", help="Shorten nothing"),
            Flag("quiet", "q", help="IDs alone"),
            Flag("size", "s", help="Their sizes too"),
        ),
        ls,
        most=0,
    ),
    "inspect": Command(
        f"container inspect [OPTIONS] {MANY}",
        "Display detailed information on one or more containers",
        (
            changed(FORMAT, short="f", help="How to write it: 'json' or a Go TEMPLATE"),
            Flag("size", "s", help="Their sizes too"),
        ),
        inspect,
        least=1,
    ),
    "port": Command(
        f"container port {ONE} [PRIVATE_PORT[/PROTO]]",
        "List port mappings or a specific mapping for the container",
        (),
        port,
        least=1,
        most=2,
    ),
    "top": Command(
        f"container top {ONE} [ps OPTIONS]",
        "Display the running processes of a container",
        (),
        top,
        least=1,
        interspersed=False,
    ),
    "stats": Command(
        "container stats [OPTIONS] [CONTAINER...]",
        "Display a live stream of container(s) resource usage statistics",
        (
            Flag("all", "a", help="Stopped ones too"),
            FORMAT,
            Flag("no-stream", help="One sample, then stop"),
            Flag("no-trunc", help="Shorten nothing"),
        ),
        stats,
    ),
    "diff": Command(
        f"container diff {ONE}",
        "Inspect changes to files or directories on a container's filesystem",
        (),
        diff,
        least=1,
        most=1,
    ),
}  # fmt: skip
