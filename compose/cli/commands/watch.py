"""`watch`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options


def watch(options: Options, invocation: Invocation) -> int:
    """Watch until Ctrl-C."""
    from compose.operations.watch import WatchRequest
    from compose.operations.watch import watch as operation

    request = WatchRequest(
        tuple(options.arguments), not options.no_up, bool(options.prune), options.quiet
    )
    return operation(request, invocation.session())


COMMANDS = {
    "watch": Command(
        "watch [SERVICE...]",
        "Watch build context for service and rebuild/refresh containers when files are updated",
        (
            Flag("no-up", help="Do not build & start services before watching"),
            Flag("prune", default=True, help="Prune dangling images on rebuild"),
            Flag("quiet", help="hide build output"),
        ),
        watch,
    )
}
