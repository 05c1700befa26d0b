"""`lock`: the digests of a project's images, for `up --locked`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options


def lock(options: Options, invocation: Invocation) -> int:
    """Write the lock file, and say where it is."""
    from compose.operations.locking import LockRequest
    from compose.operations.locking import lock as operation

    path = operation(LockRequest(options["update"], options.check), invocation.session())
    if not options.check:
        print(path)
    return 0


COMMANDS = {
    "lock": Command(
        "lock [OPTIONS]",
        "Write the digests of all images of the project into compose.lock.json, for up --locked",
        (
            Flag("check", help="Write nothing; fail if the file does not say what there is"),
            Flag("update", help="Ask the registries, though an image is here"),
        ),
        lock,
        most=0,
    ),
}
