"""`image bootstrap|ls|rm|pull|load|save`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.cli.groups import GROUPS
from compose.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


def one(options: Options, usage: str) -> str:
    """The one argument. Raises UsageError."""
    if len(options.arguments) != 1:
        raise UsageError(f"one image is to be named: pycompose {usage}")
    return options.arguments[0]


def bootstrap(options: Options, invocation: Invocation) -> int:
    """Make a base image of a distribution's packages."""
    from compose.operations.bootstrap import BootstrapRequest
    from compose.operations.image_store import bootstrap as operation

    request = BootstrapRequest(
        one(options, "image bootstrap NAME"), options.package, options.mirror, options.refresh
    )
    session = invocation.session()
    print(operation(request, session, lambda text: print(text, file=sys.stderr, flush=True)))
    return 0


def ls(options: Options, invocation: Invocation) -> int:
    """List images."""
    from compose.cli.table import table
    from compose.cli.units import decimal_size, duration
    from compose.operations.image_store import listed

    rows = listed(invocation.session(quiet=True))
    if options.quiet:
        sys.stdout.write("".join(f"{row['ID']}\n" for row in rows))
        return 0
    now = time.time()
    shown = [
        [
            row["Repository"], row["Tag"], row["ID"].partition(":")[2][:12],
            duration(now - row["Created"]) + " ago", decimal_size(row["Size"]),
        ]
        for row in rows
    ]  # fmt: skip
    sys.stdout.write(table([["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"], *shown]))
    return 0


def rm(options: Options, invocation: Invocation) -> int:
    """Remove images."""
    from compose.operations.image_store import remove

    if not options.arguments:
        raise UsageError("an image is to be named: pycompose image rm IMAGE...")
    for line in remove(invocation.session(), options.arguments, force=options.force):
        print(line)
    return 0


def pull(options: Options, invocation: Invocation) -> int:
    """Pull an image."""
    from compose.operations.image_store import pull as operation

    session = invocation.session(quiet=options.quiet)
    name = operation(session, one(options, "image pull NAME"), options.platform)
    invocation.close()
    print(name)
    return 0


def load(options: Options, invocation: Invocation) -> int:
    """Load images from a tar."""
    from pathlib import Path

    from compose.operations.image_store import CHUNK, file_pieces
    from compose.operations.image_store import load as operation

    if options.input:
        path = Path(options.input)
        if not path.is_file():
            raise UsageError(f"{path}: no such file: check --input")
        pieces = file_pieces(path)
    elif sys.stdin.isatty():
        raise UsageError("nothing to load: give a tar with --input, or on standard input")
    else:
        pieces = iter(lambda: sys.stdin.buffer.read(CHUNK), b"")
    for line in operation(invocation.session(), pieces):
        print(line)
    return 0


def save(options: Options, invocation: Invocation) -> int:
    """Save images as a tar."""
    from pathlib import Path

    from compose.operations.image_store import save as operation

    if not options.arguments:
        raise UsageError("an image is to be named: pycompose image save IMAGE... -o FILE")
    pieces = operation(invocation.session(quiet=True), options.arguments)
    if options.output:
        with Path(options.output).open("wb") as file:
            file.writelines(pieces)
    elif sys.stdout.isatty():
        raise UsageError("output to a terminal refused: use -o FILE, or redirect")
    else:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return 0


VERBS: dict[str, tuple[str, tuple[Flag, ...], Callable[[Options, Invocation], int]]] = {
    "bootstrap": (
        "image bootstrap [OPTIONS] NAME",
        (
            Flag("mirror", kind="text", help="The mirror to take packages from"),
            Flag("package", kind="list", help="A package to install beyond the minimal set"),
            Flag("refresh", help="Make it anew, though there is an archive in the cache"),
        ),
        bootstrap,
    ),
    "ls": ("image ls [OPTIONS]", (Flag("quiet", "q", help="Only display IDs"),), ls),
    "rm": (
        "image rm [OPTIONS] IMAGE...",
        (Flag("force", "f", help="Force removal of the image"),),
        rm,
    ),
    "pull": (
        "image pull [OPTIONS] NAME",
        (
            Flag(
                "platform",
                kind="text",
                help="The platform to pull for, of an image that has several",
            ),
            Flag("quiet", "q", help="Suppress verbose output"),
        ),
        pull,
    ),
    "load": (
        "image load [OPTIONS]",
        (
            Flag("input", "i", kind="text", help="Read from a tar, instead of STDIN"),
            Flag("quiet", "q", help="Suppress the load output"),
        ),
        load,
    ),
    "save": (
        "image save [OPTIONS] IMAGE...",
        (Flag("output", "o", kind="text", help="Write to a file, instead of STDOUT"),),
        save,
    ),
}

COMMANDS = {
    verb: Command(usage, GROUPS["image"].commands[verb][1], flags, run)
    for verb, (usage, flags, run) in VERBS.items()
}
