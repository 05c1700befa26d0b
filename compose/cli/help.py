"""Help texts from the tables of flags and commands. Pure."""

from __future__ import annotations

import textwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.cli.command import Command
    from compose.cli.flags import Flag

WIDTH = 80
SHOWN_KINDS = {"number": "int", "list": "stringArray", "text": "string"}


def flag_lines(flags: tuple[Flag, ...]) -> list[str]:
    """ "  -d, --detach          Detached mode", wrapped, in the order of their names."""
    rows: list[tuple[str, str]] = []
    for flag in sorted((flag for flag in flags if not flag.hidden), key=lambda flag: flag.name):
        short = f"-{flag.short}, " if flag.short else "    "
        usual = SHOWN_KINDS.get(flag.kind, flag.kind)
        kind = "" if flag.kind == "switch" else f" {flag.metavar or usual}"
        text = flag.help
        if flag.default not in (None, "", (), False):
            shown = (
                f'"{flag.default}"' if isinstance(flag.default, str) else str(flag.default).lower()
            )
            text += f" (default {shown})"
        rows.append((f"  {short}--{flag.name}{kind}", text))
    left = max((len(row[0]) for row in rows), default=0) + 3
    lines: list[str] = []
    for head, text in rows:
        wrapped = textwrap.wrap(text, max(WIDTH - left, 30)) or [""]
        lines.append(f"{head:<{left}}{wrapped[0]}")
        lines += [" " * left + line for line in wrapped[1:]]
    return lines


def command_help(command: Command) -> str:
    """What `pycompose COMMAND --help` prints."""
    lines = [f"Usage:  pycompose {command.usage}", "", command.summary]
    if command.flags:
        lines += ["", "Options:", *flag_lines(command.flags)]
    return "\n".join(lines)


def group_help(name: str, summary: str, commands: dict[str, str]) -> str:
    """What `pycompose GROUP --help` prints; `commands`: verb -> summary."""
    left = max(map(len, commands)) + 3
    return "\n".join([
        f"Usage:  pycompose {name} COMMAND", "", summary, "", "Commands:",
        *(f"  {verb:<{left}}{text}" for verb, text in sorted(commands.items())),
        "", f"Run 'pycompose {name} COMMAND --help' for more information on a command.",
    ])  # fmt: skip


def general_help(flags: tuple[Flag, ...], groups: dict[str, dict[str, str]]) -> str:
    """What `pycompose --help` prints; `groups`: title -> command -> summary."""
    lines = ["Usage:  pycompose [OPTIONS] COMMAND", ""]
    lines += ["Compose projects on plain Linux: our own containers, no Docker needed", ""]
    lines += ["Options:", *flag_lines(flags)]
    for title, commands in groups.items():
        left = max(map(len, commands)) + 3
        lines += ["", f"{title}:"]
        lines += [f"  {name:<{left}}{summary}" for name, summary in commands.items()]
    lines += ["", "Run 'pycompose COMMAND --help' for more information on a command."]
    return "\n".join(lines)
