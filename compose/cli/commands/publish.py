"""`publish` (and `alpha publish`): the project's files as an OCI artifact in a registry."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError


def publish(options: Options, invocation: Invocation) -> int:
    """Refuse. Raises UsageError."""
    del options, invocation
    raise UsageError(
        "publish is not supported: put the Compose file into a repository, and name it with --file"
    )


FLAGS = (
    Flag("app", help="Published compose application (includes referenced images)"),
    Flag("oci-version", kind="text", help="OCI image/artifact specification version (automatically determined by default)"),
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
