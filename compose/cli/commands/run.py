"""`run`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.commands.up import PULL, asker
from compose.cli.flags import Flag, Options
from compose.errors import UsageError


def run(options: Options, invocation: Invocation) -> int:
    """Run a one-off command."""
    import shlex

    from compose.operations.oneoff import RunRequest
    from compose.operations.oneoff import run as operation

    if options.publish and options.service_ports:
        raise UsageError("--service-ports and --publish are incompatible")
    if options.pull not in PULL:
        raise UsageError(f'invalid --pull option "{options.pull}": use always, missing or never')
    for text in options.label:
        if "=" not in text:
            raise UsageError(f'label must be set as KEY=VALUE, not "{text}"')
    service, *command = options.arguments
    request = RunRequest(
        service=service,
        command=tuple(command),
        build=True if options.build else None,
        pull="" if options.pull == "policy" else options.pull,
        quiet_pull=options.quiet_pull,
        quiet_build=options.quiet_build or options.quiet,
        cap_add=options.cap_add,
        cap_drop=options.cap_drop,
        detach=options.detach,
        entrypoint=tuple(shlex.split(options.entrypoint))
        if "entrypoint" in options.given
        else None,
        environment=options.env,
        env_files=options.env_from_file,
        labels=dict(text.split("=", 1) for text in options.label),
        name=options.name,
        no_deps=options.no_deps,
        publish=options.publish,
        remove_orphans=options.remove_orphans,
        ignore_orphans=invocation.is_on("COMPOSE_IGNORE_ORPHANS"),
        remove=options.rm,
        service_ports=options.service_ports,
        tty=wants_terminal(options),
        stdin=options.interactive,
        use_aliases=options.use_aliases,
        user=options.user,
        volumes=options.volume,
        workdir=options.workdir,
        ask=asker(yes=False),
    )
    return operation(request, invocation.session(quiet=options.quiet))


def wants_terminal(options: Options) -> bool:
    """As told, else where both our input and output are one. Raises UsageError."""
    from compose.operations.terminal import is_terminal

    if "tty" in options.given and "no_TTY" in options.given:
        raise UsageError("--tty and --no-TTY can't be used together")
    if "tty" in options.given:
        return bool(options.tty)
    if "no_TTY" in options.given:
        return not options.no_TTY
    return is_terminal(1) and is_terminal(0)


COMMANDS = {
    "run": Command(
        "run [OPTIONS] SERVICE [COMMAND] [ARGS...]",
        "Run a one-off command on a service",
        (
            Flag("build", help="Build image before starting container"),
            Flag("cap-add", kind="list", metavar="list", help="Add Linux capabilities"),
            Flag("cap-drop", kind="list", metavar="list", help="Drop Linux capabilities"),
            Flag("detach", "d", help="Run container in background and print container ID"),
            Flag("entrypoint", kind="text", help="Override the entrypoint of the image"),
            Flag("env", "e", kind="list", help="Set environment variables"),
            Flag("env-from-file", kind="list", help="Set environment variables from file"),
            Flag("interactive", "i", default=True, help="Keep STDIN open even if not attached"),
            Flag("label", "l", kind="list", help="Add or override a label"),
            Flag("name", kind="text", help="Assign a name to the container"),
            Flag("no-TTY", "T", help="Disable pseudo-TTY allocation (default: auto-detected)"),
            Flag("no-deps", help="Don't start linked services"),
            Flag("publish", "p", kind="list", help="Publish a container's port(s) to the host"),
            Flag("pull", kind="text", default="policy", help='Pull image before running ("always"|"missing"|"never")'),
            Flag("quiet", "q", help="Don't print anything to STDOUT"),
            Flag("quiet-build", help="Suppress progress output from the build process"),
            Flag("quiet-pull", help="Pull without printing progress information"),
            Flag("remove-orphans", help="Remove containers for services not defined in the Compose file"),
            Flag("rm", help="Automatically remove the container when it exits"),
            Flag("service-ports", "P", help="Run command with all service's ports enabled and mapped to the host"),
            Flag("tty", "t", default=True, hidden=True),
            Flag("use-aliases", help="Use the service's network useAliases in the network(s) the container connects to"),
            Flag("user", "u", kind="text", help="Run as specified username or uid"),
            Flag("volume", "v", kind="list", help="Bind mount a volume"),
            Flag("workdir", "w", kind="text", help="Working directory inside the container"),
        ),
        run,
        least=1,
        interspersed=False,
    )
}  # fmt: skip
