"""`exec`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options


def execute(options: Options, invocation: Invocation) -> int:
    """Run a program in a running container."""
    from compose.operations.exec import ExecRequest
    from compose.operations.exec import execute as operation
    from compose.operations.terminal import is_terminal

    tty = is_terminal(1) and is_terminal(0)
    if "no_tty" in options.given or "no_TTY" in options.given:
        tty = not (options.no_tty or options.no_TTY)
    service, *command = options.arguments
    request = ExecRequest(
        service, tuple(command), options.detach, options.env, tty and not options.detach,
        options.interactive, options.user, options.workdir, options.index or 0, options.privileged,
    )  # fmt: skip
    return operation(request, invocation.session(quiet=True))


COMMANDS = {
    "exec": Command(
        "exec [OPTIONS] SERVICE COMMAND [ARGS...]",
        "Execute a command in a running container",
        (
            Flag("detach", "d", help="Detached mode: Run command in the background"),
            Flag("env", "e", kind="list", help="Set environment variables"),
            Flag("index", kind="number", help="Index of the container if service has multiple replicas"),
            Flag("interactive", "i", default=True, hidden=True),
            Flag("no-tty", "T", help="Disable pseudo-TTY allocation. By default one is allocated on a terminal."),
            Flag("no-TTY", hidden=True),
            Flag("privileged", help="Give extended privileges to the process"),
            Flag("tty", "t", default=True, hidden=True),
            Flag("user", "u", kind="text", help="Run the command as this user"),
            Flag("workdir", "w", kind="text", help="Path to workdir directory for this command"),
        ),
        execute,
        least=2,
        interspersed=False,
    )
}  # fmt: skip
