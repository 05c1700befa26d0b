"""`container attach`, `exec` and `logs`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError


def attach(options: Options, invocation: Invocation) -> int:
    """Join our streams to a container's."""
    from compose.operations.attach import AttachRequest, attach_container

    request = AttachRequest(
        options.arguments[0], 0, not options.no_stdin, options.sig_proxy, options.detach_keys
    )
    return attach_container(request, invocation.session(quiet=True))


def execute(options: Options, invocation: Invocation) -> int:
    """Run a program in a running container."""
    from compose.cli.files import read_text
    from compose.cli.key_values import read_lines
    from compose.operations.exec import ExecRequest, execute_in
    from compose.operations.terminal import is_terminal

    ref, *command = options.arguments
    if options.tty and options.interactive and not options.detach and not is_terminal(0):
        raise UsageError("the input device is not a TTY: leave --tty out")
    lines = [line for path in options.env_file for line in read_lines(read_text(path))]
    request = ExecRequest(
        service=ref,
        command=tuple(command),
        detach=options.detach,
        environment=(*lines, *options.env),
        tty=options.tty,
        stdin=options.interactive,
        user=options.user,
        workdir=options.workdir,
        privileged=options.privileged,
        detach_keys=options.detach_keys,
    )
    with invocation.session(quiet=True).client() as client:
        return execute_in(client, ref, request, invocation.environment)


def logs(options: Options, invocation: Invocation) -> int:
    """Show what a container has written."""
    from compose.cli.times import moment
    from compose.operations.container_logs import ContainerLogsRequest
    from compose.operations.container_logs import logs as operation

    request = ContainerLogsRequest(
        ref=options.arguments[0],
        follow=options.follow,
        tail=options.tail,
        since=moment(options.since),
        until=moment(options.until),
        timestamps=options.timestamps,
        details=options.details,
    )
    return operation(request, invocation.session(quiet=True))


DETACH_KEYS = Flag("detach-keys", kind="text", help="The keys to leave it with")

COMMANDS = {
    "attach": Command(
        "container attach [OPTIONS] CONTAINER",
        "Attach local standard input, output, and error streams to a running container",
        (
            DETACH_KEYS,
            Flag("no-stdin", help="Leave STDIN alone"),
            Flag("sig-proxy", default=True, help="Pass on our signals"),
        ),
        attach,
        least=1,
        most=1,
    ),
    "exec": Command(
        "container exec [OPTIONS] CONTAINER COMMAND [ARG...]",
        "Execute a command in a running container",
        (
            Flag("detach", "d", help="Do not wait for its end"),
            DETACH_KEYS,
            Flag("env", "e", kind="list", metavar="list", help="An environment variable, K=V or K for our own value"),
            Flag("env-file", kind="list", metavar="list", help="A file of environment variables"),
            Flag("interactive", "i", help="Join its STDIN"),
            Flag("privileged", help="All that the engine may do"),
            Flag("tty", "t", help="Give it a terminal"),
            Flag("user", "u", kind="text", help="The user it runs as, name or number[:group]"),
            Flag("workdir", "w", kind="text", help="The folder it starts in"),
        ),
        execute,
        least=2,
        interspersed=False,
    ),
    "logs": Command(
        "container logs [OPTIONS] CONTAINER",
        "Fetch the logs of a container",
        (
            Flag("details", help="The labels and variables that the log driver keeps too"),
            Flag("follow", "f", help="Read along"),
            Flag("since", kind="text", help="From this time on (2013-01-02T13:23:37Z, or 42m for 42 minutes ago)"),
            Flag("tail", "n", kind="text", default="all", help="So many lines from the end"),
            Flag("timestamps", "t", help="The time of each line too"),
            Flag("until", kind="text", help="Up to this time (2013-01-02T13:23:37Z, or 42m for 42 minutes ago)"),
        ),
        logs,
        least=1,
        most=1,
    ),
}  # fmt: skip
