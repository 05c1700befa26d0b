"""`bridge`: conversion into other models is done by docker's own images; refused by name, with what to do."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError


def convert(options: Options, invocation: Invocation) -> int:
    """Refuse. Raises UsageError."""
    del options, invocation
    raise UsageError(
        "bridge convert is not supported: its transformations are programs of Docker Desktop; "
        "`pycompose config` prints the canonical model, which tools such as kompose convert"
    )


def transformations(options: Options, invocation: Invocation) -> int:
    """Refuse. Raises UsageError."""
    del options, invocation
    raise UsageError("bridge transformations is not supported: there is no bridge to use them with")


COMMANDS = {
    "convert": Command(
        "bridge convert",
        "Convert compose files to Kubernetes manifests, Helm charts, or another model",
        (
            Flag("output", "o", kind="text", default="out", help="The output directory for the Kubernetes resources"),
            Flag("templates", kind="text", help="Directory containing transformation templates"),
            Flag("transformation", "t", kind="list", help="Transformation to apply to compose model"),
        ),
        convert,
    ),
    "create": Command(
        "bridge transformations create [OPTION] PATH",
        "Create a new transformation",
        (Flag("from", "f", kind="text", help="Existing transformation to copy (default: docker/compose-bridge-kubernetes)"),),
        transformations,
    ),
    "list": Command(
        "bridge transformations list",
        "List available transformations",
        (
            Flag("format", kind="text", default="table", help="Format the output. Values: [table | json]"),
            Flag("quiet", "q", help="Only display transformer names"),
        ),
        transformations,
    ),
}  # fmt: skip
