"""`build`, `pull` and `push`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError


def build(options: Options, invocation: Invocation) -> int:
    """Build images."""
    from compose.operations.images import BuildRequest
    from compose.operations.images import build as operation

    if options.builder not in ("", "default"):
        raise UsageError(
            f'no builder "{options.builder}" found: the engine builds by itself, leave --builder out'
        )
    request = BuildRequest(
        tuple(options.arguments), options.build_arg, options.no_cache, options.pull, options.push,
        options.quiet, size_of(options.memory), options.with_dependencies, options.ssh,
        options.check, options.print, options.no_cache_filter,
    )  # fmt: skip
    if options.progress:
        invocation.options["progress"] = options.progress
    session = invocation.session(quiet=options.quiet)
    for name in ("provenance", "sbom"):
        if options[name] not in ("", "false"):
            session.progress.warn(f"--{name} is not supported, it will be ignored")
    return operation(request, session)


def size_of(text: str) -> int:
    """ "512m" -> bytes; 0 for "". Raises UsageError."""
    units = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    number = text.rstrip("bkmgBKMG")
    unit = (
        text[len(number) :].lower().removesuffix("b")
        if len(text) - len(number) > 1
        else text[len(number) :].lower()
    )
    if not text:
        return 0
    if not number.isdigit() or unit not in units:
        raise UsageError(f'invalid --memory "{text}": give a size, as in 512m')
    return int(number) * units[unit]


def pull(options: Options, invocation: Invocation) -> int:
    """Pull images."""
    from compose.operations.images import PullRequest
    from compose.operations.images import pull as operation

    if options.policy not in ("", "missing", "always"):
        raise UsageError(f'invalid --policy "{options.policy}": use missing or always')
    request = PullRequest(
        tuple(options.arguments), options.ignore_buildable, options.ignore_pull_failures,
        options.include_deps, options.policy, options.quiet,
    )  # fmt: skip
    return operation(request, invocation.session(quiet=options.quiet))


def push(options: Options, invocation: Invocation) -> int:
    """Push images."""
    from compose.operations.images import PullRequest
    from compose.operations.images import push as operation

    request = PullRequest(
        tuple(options.arguments), ignore_failures=options.ignore_push_failures,
        include_dependencies=options.include_deps, quiet=options.quiet,
    )  # fmt: skip
    return operation(request, invocation.session(quiet=options.quiet))


COMMANDS = {
    "build": Command(
        "build [OPTIONS] [SERVICE...]",
        "Build or rebuild services",
        (
            Flag("build-arg", kind="list", help="Set build-time variables for services"),
            Flag("builder", kind="text", help="Set builder to use"),
            Flag("check", help="Check build configuration"),
            Flag("compress", hidden=True),
            Flag("force-rm", hidden=True),
            Flag("memory", "m", kind="text", metavar="bytes", help="Set memory limit for the build container."),
            Flag("no-cache", help="Do not use cache when building the image"),
            Flag("no-cache-filter", kind="strings", hidden=True),
            Flag("parallel", hidden=True),
            Flag("print", help="Print equivalent bake file"),
            Flag("progress", kind="text", hidden=True),
            Flag("provenance", kind="text", help="Add a provenance attestation"),
            Flag("pull", help="Always attempt to pull a newer version of the image"),
            Flag("push", help="Push service images"),
            Flag("quiet", "q", help="Suppress the build output"),
            Flag("sbom", kind="text", help="Add a SBOM attestation"),
            Flag("ssh", kind="list", metavar="string", help="Set SSH authentications used when building service images. (use 'default' for using your default SSH Agent)"),
            Flag("with-dependencies", help="Also build dependencies (transitively)"),
        ),
        build,
    ),
    "pull": Command(
        "pull [OPTIONS] [SERVICE...]",
        "Pull service images",
        (
            Flag("ignore-buildable", help="Ignore images that can be built"),
            Flag("ignore-pull-failures", help="Pull what it can and ignores images with pull failures"),
            Flag("include-deps", help="Also pull services declared as dependencies"),
            Flag("policy", kind="text", help='Apply pull policy ("missing"|"always")'),
            Flag("quiet", "q", help="Pull without printing progress information"),
        ),
        pull,
    ),
    "push": Command(
        "push [OPTIONS] [SERVICE...]",
        "Push service images",
        (
            Flag("ignore-push-failures", help="Push what it can and ignores images with push failures"),
            Flag("include-deps", help="Also push images of services declared as dependencies"),
            Flag("quiet", "q", help="Push without printing progress information"),
        ),
        push,
    ),
}  # fmt: skip
