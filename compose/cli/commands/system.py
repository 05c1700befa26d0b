"""`system info`, `df`, `events` and `prune`."""

from __future__ import annotations

import sys
import time

from compose.cli.command import Command, Invocation
from compose.cli.commands.container.listing import FORMAT
from compose.cli.commands.up import confirmer
from compose.cli.flags import Flag, Options
from compose.errors import UsageError
from compose.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

USAGE = {
    "Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}  # fmt: skip
#: Part of the engine's answer -> headings and fields of `system df -v`.
DETAILS = {
    "Images": "Images space usage", "Containers": "Containers space usage",
    "Volumes": "Local Volumes space usage", "BuildCache": "Build cache usage",
}  # fmt: skip
#: Facts of `system info`, in their order; the others follow by name.
FIRST = (
    "Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images",
    "ServerVersion", "Driver", "LoggingDriver", "CgroupDriver", "CgroupVersion", "KernelVersion",
    "OperatingSystem", "OSType", "Architecture", "NCPU", "MemTotal", "Name", "ID", "DockerRootDir",
)  # fmt: skip


def info(options: Options, invocation: Invocation) -> int:
    """Show what the engine says of itself."""
    from compose.cli.template import Template, unescape
    from compose.cli.template_functions import go_json
    from compose.engine_client import object_calls
    from compose.operations.objects import ask

    session = invocation.session(quiet=True)
    found = ask(session, object_calls.INFO)
    if options.format == "json":
        print(go_json(found))
    elif options.format:
        print(Template(unescape(options.format), strict=False).render(found))
    else:
        print(f"Engine: {session.endpoint}")
        print("\n".join(info_lines(found)))
    return 0


def info_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """ "Images: 3": what is empty is left out, what has parts is indented."""
    from compose.cli.units import binary_size

    names = [name for name in FIRST if name in found]
    names += sorted(name for name in found if name not in FIRST)
    for name in names:
        value = found[name]
        if name == "MemTotal":
            value = binary_size(value)
        if value in (None, "", [], {}):
            continue
        yield from part_lines(name, value, "")


def part_lines(name: str, value: Any, indent: str) -> Iterator[str]:
    """A fact, on as many lines as it has parts."""
    if isinstance(value, dict):
        yield f"{indent}{name}:"
        for key in sorted(value):
            if value[key] not in (None, "", [], {}):
                yield from part_lines(key, value[key], indent + "  ")
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        yield f"{indent}{name}: {' '.join(value)}"
    elif isinstance(value, list):
        yield f"{indent}{name}:"
        yield from (f"{indent}  {': '.join(map(str, one)) if isinstance(one, list) else one}" for one in value)  # fmt: skip
    else:
        yield f"{indent}{name}: {str(value).lower() if isinstance(value, bool) else value}"


def df(options: Options, invocation: Invocation) -> int:
    """Show what is kept on disk."""
    from compose.cli.disk_usage import details, summary
    from compose.cli.formatted import formatted
    from compose.cli.table import table
    from compose.engine_client import object_calls
    from compose.operations.objects import ask

    found = ask(invocation.session(quiet=True), object_calls.DISK_USAGE)
    if options.verbose and options.format:
        raise UsageError("the verbose and the format options conflict")
    if options.verbose:
        for part, title in DETAILS.items():
            sys.stdout.write(f"{title}:\n\n{table(details(part, found))}\n")
        return 0
    rows = summary(found)
    sys.stdout.write(formatted(rows, options.format, USAGE, lambda row: [row[name] for name in USAGE]))  # fmt: skip
    return 0


def events(options: Options, invocation: Invocation) -> int:
    """Tell what happens in the engine."""
    from compose.cli.template import Template, unescape
    from compose.cli.template_functions import go_json
    from compose.cli.times import moment
    from compose.operations.objects import read_filters
    from compose.operations.observing import engine_events

    template = (
        Template(unescape(options.format), strict=False)
        if options.format not in ("", "json")
        else None
    )
    found = engine_events(
        invocation.session(quiet=True), read_filters(options.filter),
        moment(options.since), moment(options.until),
    )  # fmt: skip
    for event in found:
        if template is not None:
            print(template.render(event), flush=True)
        elif options.format:
            print(go_json(event), flush=True)
        else:
            print(event_line(event), flush=True)
    return 0


def event_line(event: Mapping[str, Any]) -> str:
    """ "2026-01-02T03:04:05.000000006Z container start ID (name=web)"."""
    seconds, nanos = divmod(event.get("timeNano") or event.get("time", 0) * 10**9, 10**9)
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    zone = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    when = time.strftime("%Y-%m-%dT%H:%M:%S", local) + f".{nanos:09}{zone}"
    actor = event.get("Actor") or {}
    facts = ", ".join(f"{key}={value}" for key, value in sorted((actor.get("Attributes") or {}).items()))  # fmt: skip
    line = f"{when} {event.get('Type', '')} {event.get('Action', '')} {actor.get('ID', '')}"
    return f"{line} ({facts})" if facts else line


def prune(options: Options, invocation: Invocation) -> int:
    """Remove what nobody uses."""
    from compose.cli.units import decimal_size
    from compose.operations.objects import pruned, read_filters

    filters = read_filters(options.filter)
    if options.volumes and "until" in filters:
        raise UsageError('the "until" filter is not supported with "--volumes"')
    if not confirmer(yes=options.force)(prune_question(options)):
        raise UsageError("system prune has been cancelled: --force does not ask")
    session = invocation.session(quiet=True)
    kinds = ["containers", "networks", *(["volumes"] if options.volumes else []), "images", "build"]
    total = 0
    for kind in kinds:
        own = {**filters, "dangling": ["false" if options.all else "true"]} if kind == "images" else filters  # fmt: skip
        found = pruned(session, kind, own)
        total += found.get("SpaceReclaimed") or 0
        sys.stdout.write(removed_lines(kind, found))
    print(f"Total reclaimed space: {decimal_size(total, 4)}")
    return 0


def prune_question(options: Options) -> str:
    """What will be removed, and whether that is wanted."""
    images = "all images without at least one container associated to them" if options.all else "all dangling images"  # fmt: skip
    kinds = [
        "all stopped containers", "all networks not used by at least one container",
        *(["all anonymous volumes not used by at least one container"] if options.volumes else []),
        images, "unused build cache",
    ]  # fmt: skip
    listed = "".join(f"  - {kind}\n" for kind in kinds)
    return f"WARNING! This will remove:\n{listed}\nAre you sure you want to continue?"


def removed_lines(kind: str, found: Mapping[str, Any]) -> str:
    """What was removed of a kind, "" if nothing."""
    keys = {
        "containers": ("ContainersDeleted", "Deleted Containers"),
        "networks": ("NetworksDeleted", "Deleted Networks"),
        "volumes": ("VolumesDeleted", "Deleted Volumes"),
        "images": ("ImagesDeleted", "Deleted Images"),
        "build": ("CachesDeleted", "Deleted build cache objects"),
    }
    key, title = keys[kind]
    removed = found.get(key) or []
    if not removed:
        return ""
    words = [
        one if isinstance(one, str)
        else f"untagged: {one['Untagged']}" if one.get("Untagged") else f"deleted: {one.get('Deleted', '')}"
        for one in removed
    ]  # fmt: skip
    return f"{title}:\n" + "\n".join(words) + "\n\n"


COMMANDS = {
    "info": Command(
        "system info [OPTIONS]",
        "Display system-wide information",
        (changed(FORMAT, short="f", help="How to write it: 'json' or a Go TEMPLATE"),),
        info,
        most=0,
    ),
    "df": Command(
        "system df [OPTIONS]",
        "Show docker disk usage",
        (FORMAT, Flag("verbose", "v", help="Each object for itself")),
        df,
        most=0,
    ),
    "events": Command(
        "system events [OPTIONS]",
        "Get real time events from the server",
        (
            Flag("filter", "f", kind="list", metavar="filter", help="Only those for which this holds, as in type=network"),
            changed(FORMAT, help="How to write it: 'json' or a Go TEMPLATE"),
            Flag("since", kind="text", help="Those since this time too"),
            Flag("until", kind="text", help="No longer than to this time"),
        ),
        events,
        most=0,
    ),
    "prune": Command(
        "system prune [OPTIONS]",
        "Remove unused data",
        (
            Flag("all", "a", help="All images that no container uses, not dangling ones alone"),
            Flag("filter", kind="list", metavar="filter", help="Only those for which this holds, as in label=x"),
            Flag("force", "f", help="Do not ask"),
            Flag("volumes", help="Anonymous volumes too"),
        ),
        prune,
        most=0,
    ),
}  # fmt: skip
