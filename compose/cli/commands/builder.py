"""`builder prune` and `builder du`: the engine's build cache."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.operations.build_cache import Record


def prune(options: Options, invocation: Invocation) -> int:
    """Remove build cache."""
    from compose.cli.commands.up import confirmer
    from compose.cli.units import decimal_size
    from compose.operations.build_cache import prune as operation
    from compose.operations.objects import read_filters

    which = "all build cache" if options.all else "all dangling build cache"
    question = f"WARNING! This will remove {which}. Are you sure you want to continue?"
    filters = read_filters(options.filter)
    if not confirmer(yes=options.force)(question):
        raise UsageError("builder prune has been cancelled: --force does not ask")
    reserved = options.keep_storage or options.reserved_space or 0
    done = operation(
        invocation.session(quiet=True), filters, everything=options.all, reserved=reserved
    )
    for key in done.deleted:
        print(key)
    print(f"Total reclaimed space: {decimal_size(done.freed, 4)}")
    return 0


def du(options: Options, invocation: Invocation) -> int:
    """Show what the build cache takes."""
    from compose.cli.table import table
    from compose.cli.units import decimal_size
    from compose.operations.build_cache import records

    found = records(invocation.session(quiet=True))
    if options.verbose:
        print("\n\n".join(details(one) for one in found))
        return 0
    rows = [["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED"]]
    rows += [
        [one.id, str(not one.in_use).lower(), decimal_size(one.size), one.used] for one in found
    ]
    print(table(rows), end="")
    print(f"Reclaimable:\t{decimal_size(sum(one.size for one in found if not one.in_use))}")
    print(f"Total:\t\t{decimal_size(sum(one.size for one in found))}")
    return 0


def details(one: Record) -> str:
    """All about one record."""
    from compose.cli.units import decimal_size

    fields = {
        "ID": one.id, "Created at": one.created, "Shared": str(one.shared).lower(),
        "Reclaimable": str(not one.in_use).lower(), "Size": decimal_size(one.size),
        "Description": one.description, "Usage count": str(one.uses), "Last used": one.used,
        "Type": one.kind,
    }  # fmt: skip
    return "\n".join(f"{name + ':':15} {value}" for name, value in fields.items())


COMMANDS = {
    "prune": Command(
        "builder prune [OPTIONS]",
        "Remove build cache",
        (
            Flag("all", "a", help="Remove all unused build cache, not just dangling ones"),
            Flag("filter", kind="list", metavar="filter", help='Provide filter values (e.g. "until=24h")'),
            Flag("force", "f", help="Do not prompt for confirmation"),
            Flag("keep-storage", kind="bytes", help="Amount of disk space to keep for cache"),
            Flag("reserved-space", kind="bytes", help="Amount of disk space to keep for cache", hidden=True),
        ),
        prune,
        most=0,
    ),
    "du": Command(
        "builder du [OPTIONS]",
        "Disk usage of the build cache",
        (Flag("verbose", help="Provide a more verbose output"),),
        du,
        most=0,
    ),
}  # fmt: skip
