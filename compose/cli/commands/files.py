"""`cp`, `export` and `commit`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.commands.container.files import COMMIT_FLAGS
from compose.cli.flags import Flag, Options


def copy(options: Options, invocation: Invocation) -> int:
    """Copy files."""
    from compose.operations.copying import CopyRequest
    from compose.operations.copying import copy as operation

    source, target = options.arguments
    request = CopyRequest(
        source, target, options.all, options.archive, options.follow_link, options.index or 0
    )
    return operation(request, invocation.session())


def export(options: Options, invocation: Invocation) -> int:
    """Write a container's file system as a tar."""
    from compose.operations.copying import export as operation

    session = invocation.session(quiet=True)
    return operation(session, options.arguments[0], options.index or 0, options.output)


def commit(options: Options, invocation: Invocation) -> int:
    """Make an image of a service's container."""
    from compose.operations.committing import CommitRequest
    from compose.operations.committing import commit as operation

    service, name = (*options.arguments, "")[:2]
    request = CommitRequest(
        name, options.author, options.message, options.change, pause=options.pause
    )
    operation(request, invocation.session(), service, options.index or 0)
    return 0


COMMANDS = {
    "cp": Command(
        "cp [OPTIONS] SERVICE:SRC_PATH DEST_PATH|-\n        pycompose cp [OPTIONS] SRC_PATH|- SERVICE:DEST_PATH",
        "Copy files/folders between a service container and the local filesystem",
        (
            Flag("all", help="Include containers created by the run command"),
            Flag("archive", "a", help="Archive mode (copy all uid/gid information)"),
            Flag("follow-link", "L", help="Always follow symbol link in SRC_PATH"),
            Flag("index", kind="number", help="Index of the container if service has multiple replicas"),
        ),
        copy,
        least=2,
        most=2,
    ),
    "commit": Command(
        "commit [OPTIONS] SERVICE [REPOSITORY[:TAG]]",
        "Create a new image from a service container's changes",
        (
            *COMMIT_FLAGS,
            Flag("index", kind="number", help="index of the container if service has multiple replicas."),
        ),
        commit,
        least=1,
        most=2,
    ),
    "export": Command(
        "export [OPTIONS] SERVICE",
        "Export a service container's filesystem as a tar archive",
        (
            Flag("index", kind="number", help="index of the container if service has multiple replicas."),
            Flag("output", "o", kind="text", help="Write to a file, instead of STDOUT"),
        ),
        export,
        least=1,
        most=1,
    ),
}  # fmt: skip
