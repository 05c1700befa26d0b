"""`image bootstrap`, `sbom` and `verify`: where images come from, and what is in them."""

from __future__ import annotations

import sys

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError


def bootstrap(options: Options, invocation: Invocation) -> int:
    """Make a base image of a distribution's packages."""
    from compose.operations.bootstrap import BootstrapRequest
    from compose.operations.image_store import bootstrap as operation

    request = BootstrapRequest(
        options.arguments[0],
        options.package,
        options.mirror,
        options.refresh,
        options.variant,
    )
    session = invocation.session()
    print(operation(request, session, lambda text: print(text, file=sys.stderr, flush=True)))
    return 0


def sbom(options: Options, invocation: Invocation) -> int:
    """Write what packages are in an image."""
    from importlib import metadata

    from compose.cli.commands.image.transfer import write_file
    from compose.operations.sbom import sbom as operation

    if options.format != "spdx-json":
        raise UsageError(f'unsupported --format "{options.format}": use spdx-json')
    session = invocation.session(quiet=True)
    document = operation(session, options.arguments[0], metadata.version("pycompose"))
    if options.output:
        write_file(options.output, iter([document]))
    else:
        sys.stdout.write(document.decode())
    return 0


def verify(options: Options, invocation: Invocation) -> int:
    """Print the digest that is signed."""
    from compose.operations.signatures import verify as operation

    if not options.key:
        raise UsageError("image verify needs a public key: give --key FILE")
    name = options.arguments[0]
    print(f"{name}: {operation(invocation.session(quiet=True), name, options.key)} is signed")
    return 0


COMMANDS = {
    "bootstrap": Command(
        "image bootstrap [OPTIONS] NAME",
        "Make a base image of a distribution's packages",
        (
            Flag("mirror", kind="text", help="The mirror to take packages from"),
            Flag("package", kind="list", help="A package to install beyond the minimal set"),
            Flag("refresh", help="Make it anew, though there is an archive in the cache"),
            Flag(
                "variant",
                kind="text",
                default="minbase",
                help="What it is made of at least: apt, essential, minbase, buildd, important or standard",
            ),
        ),
        bootstrap,
        least=1,
        most=1,
    ),
    "sbom": Command(
        "image sbom [OPTIONS] IMAGE",
        "List the packages in an image (dpkg, apk, pip, npm) as SPDX JSON",
        (
            Flag("format", kind="text", default="spdx-json", help="How to write it: spdx-json"),
            Flag("output", "o", kind="text", help="To this file instead of standard output"),
        ),
        sbom,
        least=1,
        most=1,
    ),
    "verify": Command(
        "image verify --key FILE IMAGE",
        "Check that an image is signed (cosign) by the owner of a public key",
        (Flag("key", kind="text", help="The public key, in PEM"),),
        verify,
        least=1,
        most=1,
    ),
}
