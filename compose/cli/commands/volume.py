"""`volume create`, `ls`, `inspect`, `rm`, `prune` and `update`."""

from __future__ import annotations

import sys

from compose.cli.command import Command, Invocation
from compose.cli.commands.container.listing import FORMAT
from compose.cli.commands.list import VOLUME_COLUMNS, volume_row
from compose.cli.commands.up import confirmer
from compose.cli.flags import Flag, Options
from compose.errors import UsageError
from compose.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Flags for volumes of a swarm's cluster, which there is none of here.
CLUSTER = (
    Flag("availability", kind="text", default="active", help="For a swarm's volumes"),
    Flag("group", kind="text", help="For a swarm's volumes"),
    Flag("limit-bytes", kind="bytes", help="For a swarm's volumes"),
    Flag("required-bytes", kind="bytes", help="For a swarm's volumes"),
    Flag("scope", kind="text", default="single", help="For a swarm's volumes"),
    Flag("secret", kind="list", metavar="map", help="For a swarm's volumes"),
    Flag("sharing", kind="text", default="none", help="For a swarm's volumes"),
    Flag("topology-preferred", kind="list", metavar="list", help="For a swarm's volumes"),
    Flag("topology-required", kind="list", metavar="list", help="For a swarm's volumes"),
    Flag("type", kind="text", default="block", help="For a swarm's volumes"),
)


def refuse_cluster(options: Options) -> None:
    """UsageError for a flag that only a swarm's volumes have."""
    for flag in CLUSTER:
        if flag.key in options.given:
            raise UsageError(f"--{flag.name} is for a swarm's volumes, and not supported")


def create(options: Options, invocation: Invocation) -> int:
    """Make a volume and print its name."""
    from compose.cli.key_values import pairs
    from compose.engine_client import calls
    from compose.operations.objects import ask

    refuse_cluster(options)
    body: dict[str, Any] = {
        "Name": (*options.arguments, "")[0],
        "Driver": options.driver,
        "DriverOpts": pairs(options.opt, "--opt", bare=True),
        "Labels": pairs(options.label, "--label", bare=True),
    }
    body = {key: value for key, value in body.items() if value}
    print(ask(invocation.session(quiet=True), calls.create_volume(body))["Name"])
    return 0


def ls(options: Options, invocation: Invocation) -> int:
    """List volumes."""
    from compose.cli.formatted import formatted
    from compose.engine_client import object_calls
    from compose.operations.objects import ask, read_filters

    if options.cluster:
        raise UsageError("--cluster is for a swarm's volumes, and not supported")
    call = object_calls.list_volumes(read_filters(options.filter))
    items = ask(invocation.session(quiet=True), call).get("Volumes") or []
    rows = [volume_row(item) for item in sorted(items, key=lambda one: str(one["Name"]))]
    if options.quiet:
        sys.stdout.write("".join(f"{row['Name']}\n" for row in rows))
        return 0

    def cells(row: Mapping[str, Any]) -> list[str]:
        return [row["Driver"], row["Name"]]

    sys.stdout.write(formatted(rows, options.format, VOLUME_COLUMNS, cells, 2))
    return 0


def inspect(options: Options, invocation: Invocation) -> int:
    """Show all about volumes."""
    from compose.cli.inspecting import show_documents
    from compose.engine_client import object_calls
    from compose.operations.objects import inspected

    session = invocation.session(quiet=True)
    found = inspected(session, options.arguments, object_calls.inspect_volume)
    return show_documents(found, options.format)


def rm(options: Options, invocation: Invocation) -> int:
    """Remove volumes."""
    from compose.engine_client import object_calls
    from compose.operations.objects import each

    for name in each(
        invocation.session(quiet=True), options.arguments,
        lambda name: object_calls.remove_volume(name, force=options.force),
    ):  # fmt: skip
        print(name, flush=True)
    return 0


def prune(options: Options, invocation: Invocation) -> int:
    """Remove volumes that no container uses."""
    from compose.cli.units import decimal_size
    from compose.operations.objects import pruned, read_filters

    filters = read_filters(options.filter)
    if options.all:
        filters["all"] = ["true"]
    which = "all" if options.all else "anonymous"
    question = (
        f"WARNING! This will remove {which} local volumes not used by at least one container. "
        "Are you sure you want to continue?"
    )
    if not confirmer(yes=options.force)(question):
        raise UsageError("volume prune has been cancelled: --force does not ask")
    found = pruned(invocation.session(quiet=True), "volumes", filters)
    removed = found.get("VolumesDeleted") or []
    if removed:
        print("Deleted Volumes:\n" + "\n".join(removed) + "\n")
    print(f"Total reclaimed space: {decimal_size(found.get('SpaceReclaimed') or 0, 4)}")
    return 0


def update(options: Options, invocation: Invocation) -> int:
    """Only a swarm's volumes can be changed. Raises UsageError."""
    del options, invocation
    raise UsageError("volume update is for a swarm's volumes, and not supported")


MANY = "VOLUME [VOLUME...]"

COMMANDS = {
    "create": Command(
        "volume create [OPTIONS] [VOLUME]",
        "Create a volume",
        (
            *CLUSTER,
            Flag("driver", "d", kind="text", default="local", help="Its driver"),
            Flag("label", kind="list", metavar="list", help="A label, K=V"),
            Flag("opt", "o", kind="list", metavar="map", help="An option of the driver"),
        ),
        create,
        most=1,
    ),
    "ls": Command(
        "volume ls [OPTIONS]",
        "List volumes",
        (
            Flag("cluster", help="For a swarm's volumes"),
            Flag("filter", "f", kind="list", metavar="filter", help="Only those for which this holds, as in dangling=true"),
            FORMAT,
            Flag("quiet", "q", help="Names alone"),
        ),
        ls,
        most=0,
    ),
    "inspect": Command(
        f"volume inspect [OPTIONS] {MANY}",
        "Display detailed information on one or more volumes",
        (changed(FORMAT, short="f", help="How to write it: 'json' or a Go TEMPLATE"),),
        inspect,
        least=1,
    ),
    "rm": Command(
        f"volume rm [OPTIONS] {MANY}",
        "Remove one or more volumes",
        (Flag("force", "f", help="One that is not there is no error"),),
        rm,
        least=1,
    ),
    "prune": Command(
        "volume prune [OPTIONS]",
        "Remove unused local volumes",
        (
            Flag("all", "a", help="Named ones too, not anonymous ones alone"),
            Flag("filter", kind="list", metavar="filter", help="Only those for which this holds, as in label=x"),
            Flag("force", "f", help="Do not ask"),
        ),
        prune,
        most=0,
    ),
    "update": Command(
        "volume update [OPTIONS] [VOLUME]",
        "Update a volume (cluster volumes only)",
        (CLUSTER[0],),
        update,
        most=1,
    ),
}  # fmt: skip
