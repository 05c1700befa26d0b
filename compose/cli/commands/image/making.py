"""`image bootstrap` and `sbom`: images made of packages, and the packages in an image."""

from __future__ import annotations

import sys

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options


def bootstrap(options: Options, invocation: Invocation) -> int:
    """Make a base image of a distribution's packages."""
    from compose.operations.bootstrap import BootstrapRequest
    from compose.operations.image_store import bootstrap as operation

    request = BootstrapRequest(
        options.arguments[0], options.package, options.mirror, options.refresh
    )
    session = invocation.session()
    print(operation(request, session, lambda text: print(text, file=sys.stderr, flush=True)))
    return 0


COMMANDS = {
    "bootstrap": Command(
        "image bootstrap [OPTIONS] NAME",
        "Make a base image of a distribution's packages",
        (
            Flag("mirror", kind="text", help="The mirror to take packages from"),
            Flag("package", kind="list", help="A package to install beyond the minimal set"),
            Flag("refresh", help="Make it anew, though there is an archive in the cache"),
        ),
        bootstrap,
        least=1,
        most=1,
    ),
}
