"""`config`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.errors import EngineRefusedError
    from compose.operations.pinning import Resolve

LISTINGS = (
    "services",
    "volumes",
    "networks",
    "models",
    "profiles",
    "images",
    "variables",
    "environment",
)


def config(options: Options, invocation: Invocation) -> int:
    """Print the project as it was understood."""
    import sys

    from compose.model.record import changed
    from compose.operations.config import ConfigRequest, config_output

    load = changed(
        invocation.load_request(),
        services=tuple(options.arguments),
        interpolate=not options.no_interpolate,
        # With --compatibility the reference's `config` does not normalize either.
        normalize=not (options.no_normalize or invocation.options.compatibility),
        resolve_paths=not options.no_path_resolution,
        consistency=not options.no_consistency,
        resolve_environment=not options.no_env_resolution,
    )
    listing = next((name for name in LISTINGS if options[name]), None)
    hashed: tuple[str, ...] = ()
    if "hash" in options.given:
        listing = "hash"
        hashed = () if options.hash == "*" else tuple(options.hash.split(","))
    done = config_output(
        ConfigRequest(
            load=load,
            format=options.format,
            listing=listing,  # type: ignore[arg-type]  # the tuple above holds its names
            hashed=hashed,
            quiet=options.quiet,
            resolve_image_digests=options.resolve_image_digests,
            lock_image_digests=options.lock_image_digests,
            resolve_digests=digest_resolver(invocation),
        )
    )
    for warning in done.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    text = done.text if not done.text or done.text.endswith("\n") else done.text + "\n"
    if options.output and not options.quiet:
        write(options.output, text)
    else:
        sys.stdout.write(text)
    return 0


def write(path: str, text: str) -> None:
    """Save the text to a file. Raises UsageError."""
    try:
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path}: {reason}: choose another file for --output") from None


def digest_resolver(invocation: Invocation) -> Resolve:
    """Asks the engine, which asks the registries; an engine is looked for when there is need."""

    def resolve(names: list[str]) -> Mapping[str, str | EngineRefusedError]:
        from compose.operations.pinning import ask_registries

        return ask_registries(invocation.session(quiet=True), names)

    return resolve


COMMANDS = {
    "config": Command(
        "config [OPTIONS] [SERVICE...]",
        "Parse, resolve and render compose file in canonical format",
        (
            Flag("environment", help="Print environment used for interpolation."),
            Flag("format", kind="text", help="Format the output. Values: [yaml | json]"),
            Flag("hash", kind="text", help="Print the service config hash, one per line."),
            Flag("images", help="Print the image names, one per line."),
            Flag("lock-image-digests", help="Produces an override file with image digests"),
            Flag("models", help="Print the model names, one per line."),
            Flag("networks", help="Print the network names, one per line."),
            Flag("no-consistency", help="Don't check model consistency - warning: may produce invalid Compose output"),
            Flag("no-env-resolution", help="Don't resolve service env files"),
            Flag("no-interpolate", help="Don't interpolate environment variables"),
            Flag("no-normalize", help="Don't normalize compose model"),
            Flag("no-path-resolution", help="Don't resolve file paths"),
            Flag("output", "o", kind="text", help="Save to file (default to stdout)"),
            Flag("profiles", help="Print the profile names, one per line."),
            Flag("quiet", "q", help="Only validate the configuration, don't print anything"),
            Flag("resolve-image-digests", help="Pin image tags to digests"),
            Flag("services", help="Print the service names, one per line."),
            Flag("variables", help="Print model variables and default values."),
            Flag("volumes", help="Print the volume names, one per line."),
        ),
        config,
    )
}  # fmt: skip
