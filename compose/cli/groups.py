"""Commands below a word of their own: `container run`, `alpha viz`. Data; imports nothing of them.

A group's key is all the words before its commands. A command's module below compose.cli.commands has
a table COMMANDS with the last word as the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Group(NamedTuple):
    """A group: verb -> (module, summary); other words for some verbs.

    `usage_code` is the exit code for a command line that is wrong: docker's is 125.
    """

    summary: str
    commands: Mapping[str, tuple[str, str]]
    aliases: Mapping[str, str] = {}  # a default that nobody may change
    usage_code: int = 1


GROUPS: Mapping[str, Group] = {
    "image": Group(
        "Manage images",
        {
            "bootstrap": ("image", "Make a base image of a distribution's packages"),
            "load": ("image", "Load an image from a tar archive or STDIN"),
            "ls": ("image", "List images"),
            "pull": ("image", "Download an image from a registry"),
            "rm": ("image", "Remove one or more images"),
            "save": ("image", "Save one or more images to a tar archive (streamed to STDOUT by default)"),
        },
        {"list": "ls", "remove": "rm"},
        usage_code=125,
    ),
}  # fmt: skip
