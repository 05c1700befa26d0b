"""`down`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError


def down(options: Options, invocation: Invocation) -> int:
    """Take the project down."""
    from compose.operations.down import DownRequest
    from compose.operations.down import down as operation

    if options.rmi not in ("", "all", "local"):
        raise UsageError(f'invalid value for --rmi: "{options.rmi}": use local or all')
    orphans = options.remove_orphans or (
        "remove_orphans" not in options.given and invocation.is_on("COMPOSE_REMOVE_ORPHANS")
    )
    request = DownRequest(
        tuple(options.arguments), options.volumes, options.rmi, orphans, options.timeout
    )
    return operation(request, invocation.session())


COMMANDS = {
    "down": Command(
        "down [OPTIONS] [SERVICES]",
        "Stop and remove containers, networks",
        (
            Flag("remove-orphans", help="Remove containers for services not defined in the Compose file"),
            Flag("rmi", kind="text", help='Remove images used by services. "local" remove only images that don\'t have a custom tag ("local"|"all")'),
            Flag("timeout", "t", kind="number", help="Specify a shutdown timeout in seconds"),
            Flag("volumes", "v", help='Remove named volumes declared in the "volumes" section of the Compose file and anonymous volumes attached to containers'),
        ),
        down,
    )
}  # fmt: skip
