"""`plan`: what `up` would do. The exit code is 2 where there is something to do."""

from __future__ import annotations

import sys

from compose.cli.command import Command, Invocation
from compose.cli.commands.up import COMMON, common
from compose.cli.flags import Flag, Options
from compose.errors import UsageError

SOMETHING_TO_DO = 2


def plan(options: Options, invocation: Invocation) -> int:
    """Print the plan."""
    from compose.operations.planning import as_document, preview
    from compose.operations.up import aim_of, selected
    from compose.operations.up_request import UpRequest
    from compose.planner.explain import explain_actions

    if options.format not in ("text", "json"):
        raise UsageError(f'unsupported format "{options.format}": use text or json')
    if options.always_recreate_deps and options.no_recreate:
        raise UsageError("--always-recreate-deps and --no-recreate are incompatible")
    recreate_deps = "force" if options.always_recreate_deps else "diverged"
    given = {**common(options, invocation), "confirm": lambda _question: bool(options.yes)}
    request = UpRequest(
        **given,
        recreate_dependencies="never" if options.no_recreate else recreate_deps,  # type: ignore[arg-type]
        detach=True,
        start=not options.no_start,
        no_deps=options.no_deps,
        renew_volumes=options.renew_anon_volumes,
    )
    session = invocation.session(quiet=True)
    found = preview(aim_of(request, selected(request, session)), session)
    if options.format == "json":
        import json

        sys.stdout.write(json.dumps(as_document(found), indent=2) + "\n")
    else:
        for warning in found.warnings:
            session.progress.warn(warning)
        sys.stdout.write(explain_actions(found.actions, found.changes, found.plan) + "\n")
    return SOMETHING_TO_DO if found.plan.steps else 0


COMMANDS = {
    "plan": Command(
        "plan [OPTIONS] [SERVICE...]",
        "Show what up would do, and what has changed; touch nothing",
        (
            *COMMON,
            Flag("always-recreate-deps", help="Recreate dependent containers. Incompatible with --no-recreate."),
            Flag("format", kind="text", default="text", help='Output format ("text"|"json")'),
            Flag("no-deps", help="Don't start linked services"),
            Flag("no-start", help="Don't start the services after creating them"),
            Flag("renew-anon-volumes", "V", help="Recreate anonymous volumes instead of retrieving data from the previous containers"),
        ),
        plan,
    )
}  # fmt: skip
