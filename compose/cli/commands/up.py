"""`up`, `create` and `scale`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from compose.planner.policy import Recreate

PULL = ("policy", "always", "missing", "never", "build", "if_not_present")


def scales(texts: tuple[str, ...]) -> dict[str, int]:
    """--scale web=3. Raises UsageError."""
    found: dict[str, int] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        if not name or not equals:
            raise UsageError(f'invalid --scale option "{text}". Should be SERVICE=NUM')
        if not number.isdigit():
            raise UsageError(f'invalid --scale option "{text}": {number or "nothing"} is no number')
        found[name] = int(number)
    return found


def recreation(options: Options) -> Recreate:
    """Which containers are made anew; new anonymous volumes (-V) take new containers."""
    if options.no_recreate:
        return "never"
    return "force" if options.force_recreate or options.get("renew_anon_volumes") else "diverged"


def common(options: Options, invocation: Invocation) -> dict[str, Any]:
    """The part of a request that up and create share. Raises UsageError."""
    if options.force_recreate and options.no_recreate:
        raise UsageError("--force-recreate and --no-recreate are incompatible")
    if options.build and options.no_build:
        raise UsageError("--build and --no-build are incompatible")
    if options.pull not in PULL:
        raise UsageError(
            f'invalid --pull option "{options.pull}": use always, missing, never or build'
        )
    return {
        "services": tuple(options.arguments),
        "build": True if options.build else False if options.no_build else None,
        "pull": ""
        if options.pull == "policy"
        else options.pull.replace("if_not_present", "missing"),
        "quiet_pull": options.quiet_pull,
        "recreate": recreation(options),
        "scale": scales(options.scale),
        "remove_orphans": options.remove_orphans
        or ("remove_orphans" not in options.given and invocation.is_on("COMPOSE_REMOVE_ORPHANS")),
        "ignore_orphans": invocation.is_on("COMPOSE_IGNORE_ORPHANS"),
        "confirm": confirmer(yes=options.yes),
    }


def confirmer(*, yes: bool) -> Callable[[str], bool]:
    """How the person is asked: --yes says yes, a pipe cannot be asked and says no."""

    def confirm(question: str) -> bool:
        import sys

        if yes:
            return True
        if not sys.stdin.isatty():
            return False
        print(f"{question} (y/N) ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    return confirm


def asker(*, yes: bool) -> Callable[[str, bool], bool] | None:
    """Who asks whether a project from elsewhere is trusted; nobody after --yes.

    A terminal's Enter is the answer that the question has in capitals; a pipe must say yes, as in docker compose.
    """

    def ask(question: str, enter: bool) -> bool:  # noqa: FBT001  # by position, as a Callable
        import sys

        print(question, end="", flush=True)
        answer = sys.stdin.readline().strip().lower()
        if not answer and sys.stdin.isatty():
            return enter
        return answer in ("y", "yes", "1", "t", "true")

    return None if yes else ask


def up(options: Options, invocation: Invocation) -> int:
    """Create and start containers."""
    from compose.operations.up import up as operation
    from compose.operations.up_request import UpRequest

    detach = options.detach or options.wait or options.no_start
    cascade = options.abort_on_container_exit or options.abort_on_container_failure
    if options.exit_code_from:
        cascade = True
    if detach and (cascade or options.attach):
        raise UsageError(
            "--detach cannot be combined with --abort-on-container-exit, "
            "--abort-on-container-failure, --exit-code-from or --attach"
        )
    if options.abort_on_container_exit and options.abort_on_container_failure:
        raise UsageError(
            "--abort-on-container-exit and --abort-on-container-failure are incompatible"
        )
    if options.always_recreate_deps and options.no_recreate:
        raise UsageError("--always-recreate-deps and --no-recreate are incompatible")
    if options.watch and detach:
        raise UsageError("--watch cannot be combined with --detach, --wait or --no-start")
    if options.locked and (options.build or options.pull not in ("policy", "missing", "never")):
        raise UsageError("--locked takes the images that are locked: no --build, no --pull")
    recreate_deps = "force" if options.always_recreate_deps else "diverged"
    request = UpRequest(
        **common(options, invocation),
        recreate_dependencies="never" if options.no_recreate else recreate_deps,  # type: ignore[arg-type]
        detach=detach,
        locked=options.locked,
        check_trust=True,
        ask=asker(yes=options.yes),
        start=not options.no_start,
        no_deps=options.no_deps,
        timeout=options.timeout,
        renew_volumes=options.renew_anon_volumes,
        wait=options.wait,
        wait_timeout=options.wait_timeout or 0,
        quiet_build=options.quiet_build,
        exit_code_from=options.exit_code_from,
        abort_on="failure" if options.abort_on_container_failure else "exit" if cascade else "",
        attach=options.attach,
        no_attach=options.no_attach,
        attach_dependencies=options.attach_dependencies,
        prefix=not options.no_log_prefix,
        timestamps=options.timestamps,
        colours=invocation.colours(no_color=options.no_color),
        watch=options.watch,
        menu=not detach and wants_menu(options, invocation),
        view_services=lambda: services_text(invocation),
        view_config=lambda: config_text(invocation),
    )
    return operation(request, invocation.session())


def wants_menu(options: Options, invocation: Invocation) -> bool:
    """--menu, else COMPOSE_MENU, else yes; only a terminal has keys."""
    from compose.operations.shortcuts import can_read_keys

    if "menu" in options.given:
        wanted = bool(options.menu)
    else:
        wanted = "COMPOSE_MENU" not in invocation.environment or invocation.is_on("COMPOSE_MENU")
    return wanted and invocation.ansi() != "never" and can_read_keys()


def services_text(invocation: Invocation) -> str:
    """What `ps` shows, for the menu."""
    from compose.cli.commands.ps import listed
    from compose.operations.ps import PsRequest
    from compose.operations.ps import ps as operation

    return listed(operation(PsRequest(), invocation.session()), "table", trunc=True)


def config_text(invocation: Invocation) -> str:
    """What `config` shows, for the menu."""
    from compose.operations.config import ConfigRequest, config

    return config(ConfigRequest(invocation.load_request()))


def create(options: Options, invocation: Invocation) -> int:
    """Create containers and start none."""
    from compose.operations.up import up as operation
    from compose.operations.up_request import UpRequest

    request = UpRequest(**common(options, invocation), detach=True, start=False)
    return operation(request, invocation.session())


def scale(options: Options, invocation: Invocation) -> int:
    """Bring services to so many containers."""
    from compose.operations.up import up as operation
    from compose.operations.up_request import UpRequest

    wanted = scales(tuple(options.arguments))
    request = UpRequest(
        services=tuple(wanted), detach=True, scale=wanted, no_deps=options.no_deps, recreate="never",
        recreate_dependencies="never", ignore_orphans=True,
    )  # fmt: skip
    return operation(request, invocation.session())


COMMON = (
    Flag("build", help="Build images before starting containers"),
    Flag("force-recreate", help="Recreate containers even if their configuration and image haven't changed"),
    Flag("no-build", help="Don't build an image, even if it's policy"),
    Flag("no-recreate", help="If containers already exist, don't recreate them. Incompatible with --force-recreate."),
    Flag("pull", kind="text", default="policy", help='Pull image before running ("always"|"missing"|"never"|"build")'),
    Flag("quiet-pull", help="Pull without printing progress information"),
    Flag("remove-orphans", help="Remove containers for services not defined in the Compose file"),
    Flag("scale", kind="list", metavar="scale", help="Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file if present."),
    Flag("yes", "y", help='Assume "yes" as answer to all prompts and run non-interactively'),
)  # fmt: skip

COMMANDS = {
    "up": Command(
        "up [OPTIONS] [SERVICE...]",
        "Create and start containers",
        (
            *COMMON,
            Flag("abort-on-container-exit", help="Stops all containers if any container was stopped. Incompatible with -d"),
            Flag("abort-on-container-failure", help="Stops all containers if any container exited with failure. Incompatible with -d"),
            Flag("always-recreate-deps", help="Recreate dependent containers. Incompatible with --no-recreate."),
            Flag("attach", kind="list", help="Restrict attaching to the specified services. Incompatible with --attach-dependencies."),
            Flag("attach-dependencies", help="Automatically attach to log output of dependent services"),
            Flag("detach", "d", help="Detached mode: Run containers in the background"),
            Flag("exit-code-from", kind="text", help="Return the exit code of the selected service container. Implies --abort-on-container-exit"),
            Flag("menu", help="Enable interactive shortcuts when running attached. Incompatible with --detach. Can also be enable/disable by setting COMPOSE_MENU environment var."),
            Flag("no-attach", kind="list", help="Do not attach (stream logs) to the specified services"),
            Flag("no-color", help="Produce monochrome output"),
            Flag("no-deps", help="Don't start linked services"),
            Flag("no-log-prefix", help="Don't print prefix in logs"),
            Flag("no-start", help="Don't start the services after creating them"),
            Flag("quiet-build", help="Suppress the build output"),
            Flag("renew-anon-volumes", "V", help="Recreate anonymous volumes instead of retrieving data from the previous containers"),
            Flag("timeout", "t", kind="number", help="Use this timeout in seconds for container shutdown when attached or when containers are already running"),
            Flag("timestamps", help="Show timestamps"),
            Flag("wait", help="Wait for services to be running|healthy. Implies detached mode."),
            Flag("locked", help="Only the images that compose.lock.json has, by digest; nothing is built"),
            Flag("wait-timeout", kind="number", help="Maximum duration in seconds to wait for the project to be running|healthy"),
            Flag("watch", "w", help="Watch source code and rebuild/refresh containers when files are updated."),
        ),
        up,
    ),
    "create": Command(
        "create [OPTIONS] [SERVICE...]", "Creates containers for a service", COMMON, create
    ),
    "scale": Command(
        "scale [SERVICE=REPLICAS...]",
        "Scale services",
        (Flag("no-deps", help="Don't start linked services"),),
        scale,
        least=1,
    ),
}  # fmt: skip
