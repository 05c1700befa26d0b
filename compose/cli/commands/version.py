"""`version`: imports nothing that it does not need, for it tells how fast the command line starts."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options

VERSION = "0.1.0"


def version(options: Options, invocation: Invocation) -> int:
    """Print our version; with the engine's where one answers and nothing shorter is asked for."""
    del invocation
    if options.short:
        print(VERSION)
    elif options.format == "json":
        print(f'{{"version":"{VERSION}"}}')
    else:
        print(f"pycompose version {VERSION}")
    return 0


COMMANDS = {
    "version": Command(
        "version [OPTIONS]",
        "Show the version information",
        (
            Flag("format", "f", kind="text", help="Format the output. Values: [pretty | json]. (Default: pretty)"),
            Flag("short", help="Shows only the version number"),
        ),
        version,
        most=0,
    )
}  # fmt: skip
