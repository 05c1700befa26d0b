"""`image tag`, `rm` and `prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.cli.command import Command, Invocation
from compose.cli.commands.image.listing import require_platform
from compose.cli.commands.up import confirmer
from compose.cli.flags import Flag, Options
from compose.errors import UsageError

if TYPE_CHECKING:
    from compose.engine_client.call import Call


def tag(options: Options, invocation: Invocation) -> int:
    """Give an image another name."""
    from compose.engine_client import calls
    from compose.engine_client.payloads.references import split_reference
    from compose.operations.objects import ask

    source, target = options.arguments
    if "@" in target:
        raise UsageError(f'"{target}" is no tag: a digest cannot be given, it is what it is')
    repository, name = split_reference(target)
    ask(invocation.session(quiet=True), calls.tag_image(source, repository, name))
    return 0


def rm(options: Options, invocation: Invocation) -> int:
    """Remove images; what went wrong with one does not keep the others."""
    from compose.engine_client import image_calls
    from compose.errors import EngineRefusedError
    from compose.operations.objects import SeveralFailedError, answers

    failed: list[str] = []

    def removal(name: str) -> Call:
        return image_calls.remove_image(
            name, force=options.force, no_prune=options.no_prune, platforms=options.platform
        )

    session = invocation.session(quiet=True)
    require_platform(options, session, options.arguments)
    for one in options.arguments:  # in turn: the last name of an image takes it away
        for _, answer in answers(session, [one], removal):
            if not isinstance(answer, EngineRefusedError):
                for done in answer.json() or []:
                    print("\n".join(f"{what}: {which}" for what, which in done.items()), flush=True)
            elif not (options.force and answer.status == 404):
                failed.append(str(answer))
    if failed:
        raise SeveralFailedError("; ".join(failed))
    return 0


def prune(options: Options, invocation: Invocation) -> int:
    """Remove images that nobody needs."""
    from compose.cli.units import decimal_size
    from compose.operations.objects import pruned, read_filters

    filters = read_filters(options.filter)
    which = (
        "images without at least one container associated to them"
        if options.all
        else "dangling images"
    )
    question = f"WARNING! This will remove all {which}. Are you sure you want to continue?"
    if not confirmer(yes=options.force)(question):
        raise UsageError("image prune has been cancelled: --force does not ask")
    filters["dangling"] = ["false" if options.all else "true"]
    found = pruned(invocation.session(quiet=True), "images", filters)
    removed = found.get("ImagesDeleted") or []
    if removed:
        print("Deleted Images:")
        for one in removed:
            print("\n".join(f"{what.lower()}: {which}" for what, which in one.items()))
        print()
    print(f"Total reclaimed space: {decimal_size(found.get('SpaceReclaimed') or 0, 4)}")
    return 0


COMMANDS = {
    "tag": Command(
        "image tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
        (),
        tag,
        least=2,
        most=2,
    ),
    "rm": Command(
        "image rm [OPTIONS] IMAGE [IMAGE...]",
        "Remove one or more images",
        (
            Flag("force", "f", help="Though a stopped container uses it; one that is not there is no error"),
            Flag("no-prune", help="Keep parents that have no name"),
            Flag("platform", kind="strings", help="Its image for this platform alone, as in linux/arm64"),
        ),
        rm,
        least=1,
    ),
    "prune": Command(
        "image prune [OPTIONS]",
        "Remove unused images",
        (
            Flag("all", "a", help="All that no container uses, not those without a name alone"),
            Flag("filter", kind="list", metavar="filter", help="Only those for which this holds, as in until=24h"),
            Flag("force", "f", help="Do not ask"),
        ),
        prune,
        most=0,
    ),
}  # fmt: skip
