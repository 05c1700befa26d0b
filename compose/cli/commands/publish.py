"""`publish` (and `alpha publish`): the project's files as an OCI artifact in a registry."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.commands.up import confirmer
from compose.cli.flags import Flag, Options
from compose.errors import UsageError


def publish(options: Options, invocation: Invocation) -> int:
    """Publish the project. Raises UsageError."""
    from compose.operations.publishing import PublishRequest
    from compose.operations.publishing import publish as operation

    if options.oci_version not in ("", "1.0", "1.1"):
        raise UsageError(f'unsupported --oci-version "{options.oci_version}": use 1.0 or 1.1')
    request = PublishRequest(
        options.arguments[0], confirmer(yes=options.yes), options.with_env,
        options.oci_version or "1.1", resolve_image_digests=options.resolve_image_digests, app=options.app,
    )  # fmt: skip
    operation(request, invocation.session())
    return 0


FLAGS = (
    Flag("app", help="Published compose application (includes referenced images)"),
    Flag("oci-version", kind="text", help="OCI image/artifact specification version (1.1 without it)"),
    Flag("resolve-image-digests", help="Pin image tags to digests"),
    Flag("with-env", help="Include environment variables in the published OCI artifact"),
    Flag("yes", "y", help='Assume "yes" as answer to all prompts'),
)  # fmt: skip

COMMANDS = {
    "publish": Command(
        "publish [OPTIONS] REPOSITORY[:TAG]",
        "Publish compose application",
        FLAGS,
        publish,
        least=1,
        most=1,
    )
}
