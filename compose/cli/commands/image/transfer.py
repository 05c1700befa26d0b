"""`image pull`, `push`, `save`, `load` and `import`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from compose.cli.command import Command, Invocation
from compose.cli.commands.image.listing import PLATFORM, require_platform
from compose.cli.flags import Flag, Options
from compose.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pull(options: Options, invocation: Invocation) -> int:
    """Pull an image, or all of a repository."""
    from compose.operations.image_store import pull as operation

    refuse_trust(options)
    name = options.arguments[0]
    if options.all_tags and (":" in name.rpartition("/")[2] or "@" in name):
        raise UsageError(f'"{name}" names one image: --all-tags is for a repository')
    session = invocation.session(quiet=options.quiet)
    full = operation(session, name, options.platform, every=options.all_tags)
    invocation.close()
    print(full)
    return 0


def push(options: Options, invocation: Invocation) -> int:
    """Push an image, or all of a repository."""
    from compose.operations.image_store import push as operation

    refuse_trust(options)
    name = options.arguments[0]
    if options.all_tags and ":" in name.rpartition("/")[2]:
        raise UsageError(f'"{name}" names one image: --all-tags is for a repository')
    if options.all_tags and "platform" in options.given:
        raise UsageError("--platform cannot go with --all-tags: push one image at a time")
    session = invocation.session(quiet=options.quiet)
    require_platform(options, session, [name])
    full = operation(session, name, every=options.all_tags, platform=options.platform)
    invocation.close()
    if options.quiet:
        print(full)
    return 0


def refuse_trust(options: Options) -> None:
    """UsageError where Docker's content trust is asked for: there is none any more."""
    if not options.disable_content_trust:
        raise UsageError("--disable-content-trust=false is not supported: content trust is no more")


def save(options: Options, invocation: Invocation) -> int:
    """Save images as a tar."""
    from compose.operations.image_store import save as operation

    session = invocation.session(quiet=True)
    require_platform(options, session, options.arguments)
    if options.output:
        write_file(options.output, operation(session, options.arguments, options.platform))
    elif sys.stdout.isatty():
        raise UsageError("output to a terminal refused: use -o FILE, or redirect")
    else:
        for piece in operation(session, options.arguments, options.platform):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return 0


def write_file(name: str, pieces: Iterator[bytes]) -> None:
    """All of it or nothing: what was there stays if it fails. Raises ComposeError."""
    import os
    from pathlib import Path

    path = Path(name)
    if path.exists() and not path.is_file():  # a device, a pipe
        with path.open("wb") as file:
            file.writelines(pieces)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.writelines(pieces)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {name}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def load(options: Options, invocation: Invocation) -> int:
    """Load images from a tar."""
    from compose.operations.image_store import load as operation

    pieces = read_input(options.input or "-")
    session = invocation.session(quiet=options.quiet)
    lines = operation(session, pieces, quiet=options.quiet, platform=options.platform)
    invocation.close()
    for line in lines:
        print(line)
    return 0


def read_input(name: str) -> Iterator[bytes]:
    """A file's pieces, or standard input's for "-". Raises UsageError."""
    from pathlib import Path

    from compose.operations.image_store import CHUNK, file_pieces

    if name == "-":
        if sys.stdin.isatty():
            raise UsageError("nothing to load: give a tar with --input, or on standard input")
        return iter(lambda: sys.stdin.buffer.read(CHUNK), b"")
    path: Path = Path(name)
    if not path.exists() or path.is_dir():
        raise UsageError(f"open {name}: no such file")
    return file_pieces(path)


def import_root(options: Options, invocation: Invocation) -> int:
    """Make an image of a root file system: a tar file, a URL, or standard input."""
    from compose.engine_client import image_calls
    from compose.engine_client.payloads.references import split_reference
    from compose.operations.image_store import imported

    source, *target = options.arguments
    repository, tag = split_reference(target[0]) if target else ("", "")
    remote = source.startswith(("http://", "https://"))
    pieces = iter(()) if remote else read_input(source)
    call = image_calls.import_image(
        source if remote else "-", repository, tag, options.change, options.message,
        options.platform,
    )  # fmt: skip
    with invocation.session(quiet=True).client() as client:
        print(imported(client.upload(call, pieces)))
    return 0


TRUST = Flag("disable-content-trust", default=True, help="Content trust is no more: only true")

COMMANDS = {
    "pull": Command(
        "image pull [OPTIONS] NAME[:TAG|@DIGEST]",
        "Download an image from a registry",
        (
            Flag("all-tags", "a", help="All tags of the repository"),
            TRUST,
            Flag("platform", kind="text", help="Of an image that has several, as in linux/arm64"),
            Flag("quiet", "q", help="Only what it is called in the end"),
        ),
        pull,
        least=1,
        most=1,
    ),
    "push": Command(
        "image push [OPTIONS] NAME[:TAG]",
        "Upload an image to a registry",
        (
            Flag("all-tags", "a", help="All tags of the repository"),
            TRUST,
            PLATFORM,
            Flag("quiet", "q", help="Only what it is called"),
        ),
        push,
        least=1,
        most=1,
    ),
    "save": Command(
        "image save [OPTIONS] IMAGE [IMAGE...]",
        "Save one or more images to a tar archive (streamed to STDOUT by default)",
        (
            Flag("output", "o", kind="text", help="To this file instead of standard output"),
            PLATFORM,
        ),
        save,
        least=1,
    ),
    "load": Command(
        "image load [OPTIONS]",
        "Load an image from a tar archive or STDIN",
        (
            Flag("input", "i", kind="text", help="From this tar instead of standard input"),
            Flag("platform", kind="text", help="Of an image that has several, as in linux/arm64"),
            Flag("quiet", "q", help="No progress"),
        ),
        load,
        most=0,
    ),
    "import": Command(
        "image import [OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
        "Import the contents from a tarball to create a filesystem image",
        (
            Flag("change", "c", kind="list", metavar="list", help="A Dockerfile instruction, as in CMD [\"bash\"]"),
            Flag("message", "m", kind="text", help="What is said of it"),
            Flag("platform", kind="text", help="What it is for, as in linux/arm64"),
        ),
        import_root,
        least=1,
        most=2,
    ),
}  # fmt: skip
