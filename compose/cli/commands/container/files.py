"""`container cp`, `export` and `commit`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options


def copy(options: Options, invocation: Invocation) -> int:
    """Copy files."""
    from compose.operations.copying import CopyRequest, copy_by_name

    source, target = options.arguments
    request = CopyRequest(source, target, archive=options.archive, follow=options.follow_link)
    return copy_by_name(request, invocation.session(quiet=options.quiet))


def export(options: Options, invocation: Invocation) -> int:
    """Write a container's file system as a tar."""
    from compose.operations.copying import export_container

    with invocation.session(quiet=True).client() as client:
        return export_container(client, options.arguments[0], options.output)


def commit(options: Options, invocation: Invocation) -> int:
    """Make an image of a container."""
    from compose.operations.committing import CommitRequest, commit_container

    ref, name = (*options.arguments, "")[:2]
    request = CommitRequest(
        name, options.author, options.message, options.change, pause=options.pause
    )
    with invocation.session(quiet=True).client() as client:
        print(commit_container(client, ref, request))
    return 0


COMMIT_FLAGS = (
    Flag("author", "a", kind="text", help='Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")'),
    Flag("change", "c", kind="list", metavar="list", help="Apply Dockerfile instruction to the created image"),
    Flag("message", "m", kind="text", help="Commit message"),
    Flag("pause", "p", default=True, help="Pause container during commit"),
)  # fmt: skip

COMMANDS = {
    "cp": Command(
        "container cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        pycompose container cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
        "Copy files/folders between a container and the local filesystem",
        (
            Flag("archive", "a", help="Keep owners and groups"),
            Flag("follow-link", "L", help="Copy what a link leads to"),
            Flag("quiet", "q", help="Tell nothing of its progress"),
        ),
        copy,
        least=2,
        most=2,
    ),
    "export": Command(
        "container export [OPTIONS] CONTAINER",
        "Export a container's filesystem as a tar archive",
        (Flag("output", "o", kind="text", help="Write to a file, instead of STDOUT"),),
        export,
        least=1,
        most=1,
    ),
    "commit": Command(
        "container commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
        "Create a new image from a container's changes",
        COMMIT_FLAGS,
        commit,
        least=1,
        most=2,
    ),
}  # fmt: skip
