"""`stop`, `start`, `restart`, `kill`, `pause`, `unpause` and `rm`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.commands.up import confirmer
from compose.cli.flags import Flag, Options


def run_verb(verb: str, options: Options, invocation: Invocation) -> int:
    """Run one of them: the flags that it has become a request."""
    from compose.operations.lifecycle import VERBS, LifecycleRequest

    orphans = options.get("remove_orphans", False) or invocation.is_on("COMPOSE_REMOVE_ORPHANS")
    request = LifecycleRequest(
        services=tuple(options.arguments),
        timeout=options.get("timeout"),
        signal=options.get("signal", "SIGKILL"),
        no_deps=options.get("no_deps", False),
        remove_orphans=orphans,
        stop=options.get("stop", False),
        volumes=options.get("volumes", False),
        force=options.get("force", False),
        confirm=confirmer(yes=False),
    )
    return VERBS[verb](request, invocation.session())


def command(verb: str, usage: str, summary: str, *flags: Flag) -> Command:
    """The command of a verb."""
    return Command(
        f"{verb} {usage}", summary, flags,
        lambda options, invocation: run_verb(verb, options, invocation),
    )  # fmt: skip


TIMEOUT = Flag("timeout", "t", kind="number", help="Specify a shutdown timeout in seconds")
OPTIONS = "[OPTIONS] [SERVICE...]"

COMMANDS = {
    "stop": command("stop", OPTIONS, "Stop services", TIMEOUT),
    "start": command("start", "[SERVICE...]", "Start services"),
    "restart": command(
        "restart", OPTIONS, "Restart service containers", TIMEOUT,
        Flag("no-deps", help="Don't restart dependent services"),
    ),
    "kill": command(
        "kill", OPTIONS, "Force stop service containers",
        Flag("remove-orphans", help="Remove containers for services not defined in the Compose file"),
        Flag("signal", "s", kind="text", default="SIGKILL", help="SIGNAL to send to the container"),
    ),
    "pause": command("pause", "[SERVICE...]", "Pause services"),
    "unpause": command("unpause", "[SERVICE...]", "Unpause services"),
    "rm": command(
        "rm", OPTIONS, "Removes stopped service containers",
        Flag("force", "f", help="Don't ask to confirm removal"),
        Flag("stop", "s", help="Stop the containers, if required, before removing"),
        Flag("volumes", "v", help="Remove any anonymous volumes attached to containers"),
    ),
}  # fmt: skip
