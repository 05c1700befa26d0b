"""`logs`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.cli.times import moment


def logs(options: Options, invocation: Invocation) -> int:
    """Show what the project's containers have written."""
    from compose.errors import UsageError
    from compose.operations.logs import LogsRequest
    from compose.operations.logs import logs as operation

    if options.index and len(options.arguments) != 1:
        raise UsageError("--index requires one service to be selected")
    request = LogsRequest(
        services=tuple(options.arguments),
        follow=options.follow,
        tail=options.tail,
        since=moment(options.since),
        until=moment(options.until),
        timestamps=options.timestamps,
        colours=invocation.colours(no_color=options.no_color),
        prefix=not options.no_log_prefix,
        index=options.index or 0,
    )
    return operation(request, invocation.session())


COMMANDS = {
    "logs": Command(
        "logs [OPTIONS] [SERVICE...]",
        "View output from containers",
        (
            Flag("follow", "f", help="Follow log output"),
            Flag("index", kind="number", help="index of the container if service has multiple replicas"),
            Flag("no-color", help="Produce monochrome output"),
            Flag("no-log-prefix", help="Don't print prefix in logs"),
            Flag("since", kind="text", help="Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)"),
            Flag("tail", "n", kind="text", default="all", help="Number of lines to show from the end of the logs for each container"),
            Flag("timestamps", "t", help="Show timestamps"),
            Flag("until", kind="text", help="Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)"),
        ),
        logs,
    )
}  # fmt: skip
