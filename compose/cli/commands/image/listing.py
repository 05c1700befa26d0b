"""`image ls`, `inspect` and `history`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from compose.cli.command import Command, Invocation
from compose.cli.commands.container.listing import FORMAT
from compose.cli.flags import Flag, Options
from compose.errors import UsageError
from compose.model.record import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from compose.operations.session import Session

COLUMNS = {
    "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "ID": "IMAGE ID",
    "CreatedSince": "CREATED", "Size": "SIZE", "CreatedAt": "CREATED AT",
    "Containers": "CONTAINERS", "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE",
}  # fmt: skip
HISTORY = {
    "ID": "IMAGE", "CreatedSince": "CREATED", "CreatedBy": "CREATED BY", "Size": "SIZE",
    "Comment": "COMMENT", "CreatedAt": "CREATED AT",
}  # fmt: skip
NONE = "<none>"
#: Characters of a step that history shows.
STEP_WIDTH = 45


def ls(options: Options, invocation: Invocation) -> int:
    """List images."""
    from compose.cli.formatted import formatted
    from compose.engine_client import image_calls
    from compose.operations.objects import ask, read_filters

    if options.tree:
        return tree(options, invocation)
    filters = read_filters(options.filter)
    if options.arguments:
        filters.setdefault("reference", []).append(options.arguments[0])
    shared = any(word in options.format for word in ("SharedSize", "UniqueSize", "json"))
    call = image_calls.list_images(filters, everything=options.all, shared=shared)
    items = ask(invocation.session(quiet=True), call) or []
    items = sorted(items, key=lambda item: -int(item.get("Created") or 0))
    now = time.time()
    digests = options.digests or "Digest" in options.format
    rows = [
        row
        for item in items
        for row in image_rows(item, now, trunc=not options.no_trunc, digests=digests)
    ]
    if options.quiet and not options.format:
        sys.stdout.write("".join(f"{row['ID']}\n" for row in rows))
        return 0
    fields = [
        "Repository",
        "Tag",
        *(["Digest"] if options.digests else []),
        "ID",
        "CreatedSince",
        "Size",
    ]
    columns = {name: COLUMNS[name] for name in fields} | COLUMNS

    def cells(row: Mapping[str, Any]) -> list[str]:
        return [str(row[name]) for name in fields]

    sys.stdout.write(formatted(rows, options.format, columns, cells, len(fields)))
    return 0


def tree(options: Options, invocation: Invocation) -> int:
    """List images with what they have for each platform."""
    from compose.cli.image_tree import tree_lines
    from compose.engine_client import image_calls
    from compose.operations.objects import ask, read_filters

    for flag in ("digests", "format", "no_trunc", "quiet"):
        if flag in options.given:
            raise UsageError(f"--{flag.replace('_', '-')} cannot go with --tree: choose one")
    filters = read_filters(options.filter)
    if options.arguments:
        filters.setdefault("reference", []).append(options.arguments[0])
    call = image_calls.list_images(filters, everything=options.all, manifests=True)
    items = ask(invocation.session(quiet=True), call) or []
    items = sorted(items, key=lambda item: -int(item.get("Created") or 0))
    sys.stdout.writelines(f"{line}\n" for line in tree_lines(items))
    return 0


def image_rows(
    item: Mapping[str, Any], now: float, *, trunc: bool, digests: bool
) -> Iterator[dict[str, str]]:
    """A row a name, as docker shows them: a tag with its repository's digest, or either alone."""
    tags = [name.rpartition(":")[::2] for name in item.get("RepoTags") or []]
    by_digest = [name.partition("@")[::2] for name in item.get("RepoDigests") or []]
    for repository, tag in tags:
        found = [digest for name, _, digest in _apart(by_digest) if name == repository] or [NONE]
        for digest in found if digests else found[:1]:
            yield image_row(item, (repository, tag, digest), now, trunc=trunc)
    tagged = {repository for repository, _ in tags}
    alone = [(name, digest) for name, _, digest in _apart(by_digest) if name not in tagged]
    for repository, digest in alone if digests else list(dict(alone).items()) if not tags else []:
        yield image_row(item, (repository, NONE, digest), now, trunc=trunc)
    if not tags and not alone:
        yield image_row(item, (NONE, NONE, NONE), now, trunc=trunc)


def _apart(pairs: list[tuple[str, ...]]) -> Iterator[tuple[str, str, str]]:
    for name, digest in pairs:
        yield name, "@", digest


def image_row(
    item: Mapping[str, Any], name: tuple[str, str, str], now: float, *, trunc: bool
) -> dict[str, str]:
    """The fields that --format knows."""
    from compose.cli.units import decimal_size, duration

    created = int(item.get("Created") or 0)
    size, shared = int(item.get("Size") or 0), int(item.get("SharedSize", -1))
    containers = item.get("Containers", -1)
    return {
        "Containers": "N/A" if containers < 0 else str(containers),
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(created)),
        "CreatedSince": "N/A" if created <= 0 else duration(now - created) + " ago",
        "Digest": name[2],
        "ID": str(item["Id"]).partition(":")[2][:12] if trunc else str(item["Id"]),
        "Repository": name[0],
        "SharedSize": "N/A" if shared < 0 else decimal_size(shared),
        "Size": decimal_size(size),
        "Tag": name[1],
        "UniqueSize": "N/A" if shared < 0 else decimal_size(size - shared),
        "VirtualSize": decimal_size(size),
    }


def inspect(options: Options, invocation: Invocation) -> int:
    """Show all about images."""
    from compose.cli.inspecting import show_documents
    from compose.engine_client import image_calls
    from compose.operations.objects import inspected

    session = invocation.session(quiet=True)
    require_platform(options, session, options.arguments)
    found = inspected(
        session, options.arguments, lambda name: image_calls.inspect_image(name, options.platform)
    )
    return show_documents(found, options.format)


def history(options: Options, invocation: Invocation) -> int:
    """Show how an image came to be."""
    from compose.cli.formatted import formatted
    from compose.engine_client import image_calls
    from compose.operations.objects import ask

    session = invocation.session(quiet=True)
    require_platform(options, session, options.arguments)
    items = ask(session, image_calls.image_history(options.arguments[0], options.platform)) or []
    now = time.time()
    trunc = not options.no_trunc
    rows = [history_row(item, now, trunc=trunc, human=options.human) for item in items]
    if options.quiet:
        sys.stdout.write("".join(f"{row['ID']}\n" for row in rows))
        return 0

    def cells(row: Mapping[str, Any]) -> list[str]:
        return [str(row[name]) for name in ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")]

    sys.stdout.write(formatted(rows, options.format, HISTORY, cells, 5))
    return 0


def history_row(item: Mapping[str, Any], now: float, *, trunc: bool, human: bool) -> dict[str, str]:
    """The fields that --format knows."""
    from compose.cli.units import decimal_size, duration, shortened

    created = int(item.get("Created") or 0)
    by = str(item.get("CreatedBy") or "").replace("\t", " ").strip()
    image_id = str(item.get("Id") or "")
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created))
    since = "N/A" if created <= 0 else duration(now - created) + " ago"
    return {
        "Comment": str(item.get("Comment") or ""),
        "CreatedAt": at,
        "CreatedBy": shortened(by, STEP_WIDTH) if trunc else by,
        "CreatedSince": since if human else at,
        "ID": image_id.removeprefix("sha256:")[:12] if trunc and ":" in image_id else image_id,
        "Size": decimal_size(int(item.get("Size") or 0)) if human else str(item.get("Size") or 0),
    }


def require_platform(options: Options, session: Session, names: Iterable[str]) -> None:
    """ComposeError where --platform is given and an image is for another one."""
    if "platform" in options.given:
        from compose.operations.image_platform import check_platform

        wanted = [options.platform] if isinstance(options.platform, str) else options.platform
        for one in wanted:
            check_platform(session, names, one)


PLATFORM = Flag("platform", kind="text", help="Of an image that has several, as in linux/arm64")

COMMANDS = {
    "ls": Command(
        "image ls [OPTIONS] [REPOSITORY[:TAG]]",
        "List images",
        (
            Flag("all", "a", help="Those that others are built on, too"),
            Flag("digests", help="With digests"),
            Flag("filter", "f", kind="list", metavar="filter", help="Only those for which this holds, as in dangling=true"),
            FORMAT,
            Flag("no-trunc", help="Shorten nothing"),
            Flag("quiet", "q", help="IDs alone"),
            Flag("tree", help="An image's platforms as a tree"),
        ),
        ls,
        most=1,
    ),
    "inspect": Command(
        "image inspect [OPTIONS] IMAGE [IMAGE...]",
        "Display detailed information on one or more images",
        (
            changed(FORMAT, short="f", help="How to write it: 'json' or a Go TEMPLATE"),
            PLATFORM,
        ),
        inspect,
        least=1,
    ),
    "history": Command(
        "image history [OPTIONS] IMAGE",
        "Show the history of an image",
        (
            FORMAT,
            Flag("human", "H", default=True, help="Sizes and times as people read them"),
            Flag("no-trunc", help="Shorten nothing"),
            PLATFORM,
            Flag("quiet", "q", help="IDs alone"),
        ),
        history,
        least=1,
        most=1,
    ),
}  # fmt: skip
