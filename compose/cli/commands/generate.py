"""`alpha generate`."""

from __future__ import annotations

import sys

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError


def generate(options: Options, invocation: Invocation) -> int:
    """Write a Compose file of containers that are there."""
    from compose.loader.go_json import indented_json
    from compose.loader.render import yaml_text
    from compose.operations.generating import generate as operation

    if options.format not in ("yaml", "json"):
        raise UsageError(f'unsupported --format "{options.format}": use yaml or json')
    print("generate command is EXPERIMENTAL", file=sys.stderr)
    folder = options.project_dir or invocation.load_request().working_dir
    name = options.name or folder.rstrip("/").rpartition("/")[2]
    document = operation(invocation.session(quiet=True), options.arguments, name)
    text = indented_json(document) if options.format == "json" else yaml_text(document)
    print(text.replace("$", "$$"))
    return 0


COMMANDS = {
    "generate": Command(
        "alpha generate [OPTIONS] [CONTAINERS...]",
        "EXPERIMENTAL - Generate a Compose file from existing containers",
        (
            Flag("format", kind="text", default="yaml", help="Format the output. Values: [yaml | json]"),
            Flag("name", kind="text", help="Project name to set in the Compose file"),
            Flag("project-dir", kind="text", help="Directory to use for the project"),
        ),
        generate,
    )
}  # fmt: skip
