"""What the shell's TAB offers: the words of a command line so far -> what may come next. Pure.

The tables of commands and flags are what is read; what depends on a project or an engine is asked for
by its kind, in `Wanted`, so that nothing is loaded that is not needed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from compose.cli.groups import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from compose.cli.command import Command
    from compose.cli.flags import Flag

#: A flag's name -> what its value may be: words, or the kind of a thing.
VALUES: Mapping[str, tuple[str, ...] | str] = {
    "ansi": ("never", "always", "auto"), "progress": ("auto", "tty", "plain", "json", "quiet"),
    "profile": "profiles", "file": "files", "env-file": "files", "env-from-file": "files",
    "output": "files", "input": "files", "project-directory": "folders", "cidfile": "files",
    "label-file": "files", "rmi": ("local", "all"), "policy": ("missing", "always"),
    "pull": ("always", "missing", "never"), "protocol": ("tcp", "udp"),
    "status": ("paused", "restarting", "removing", "running", "dead", "created", "exited"),
    "exit-code-from": "services", "attach": "services", "no-attach": "services", "scale": "services=",
    "signal": ("SIGHUP", "SIGINT", "SIGKILL", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGSTOP"),
    "restart": ("no", "always", "on-failure", "unless-stopped"), "network": "networks",
    "volumes-from": "containers", "link": "containers", "project-name": "projects",
    "driver": ("bridge", "host", "none", "local"), "templates": "folders",
}  # fmt: skip
#: The same flag means another thing for one command.
OWN_VALUES: Mapping[tuple[str, str], tuple[str, ...] | str] = {
    ("graph", "format"): ("tree", "dot", "mermaid", "svg"), ("config", "format"): ("yaml", "json"),
    ("version", "format"): ("pretty", "json"), ("up", "pull"): ("always", "missing", "never", "build"),
    ("create", "pull"): ("always", "missing", "never", "build"),
    ("container run", "attach"): ("stdin", "stdout", "stderr"),
    ("container create", "attach"): ("stdin", "stdout", "stderr"), ("alpha viz", "networks"): (),
}  # fmt: skip
#: Words of a usage line -> the kind of thing.
ARGUMENTS = {
    "SERVICE": "services", "SERVICES": "services", "SERVICE=REPLICAS": "services=",
    "SERVICE:SRC_PATH": "services:", "SERVICE:DEST_PATH": "services:", "CONTAINER": "containers",
    "CONTAINERS": "containers", "CONTAINER:SRC_PATH": "containers:", "NETWORK": "networks",
    "VOLUME": "volumes", "IMAGE": "images", "PATH": "folders", "DEST_PATH": "files", "SRC_PATH": "files", "FILE": "files",
}  # fmt: skip
SHELLS = ("bash", "zsh", "fish")


class Wanted(NamedTuple):
    """What may come next: words with what they mean, kinds of things, or files and folders."""

    words: tuple[tuple[str, str], ...] = ()
    kind: str = ""


class Tables(NamedTuple):
    """The command line's own tables; `find` imports a command's module."""

    flags: tuple[Flag, ...]
    commands: Mapping[str, str]
    find: Callable[[str], Command]


def wanted(words: Sequence[str], tables: Tables) -> tuple[Wanted, list[str]]:
    """What the last of the words may be; and the words of global flags, for who looks it up."""
    *before, current = words or [""]
    at, global_words = skip_flags(before, tables.flags)
    if at == len(before) and before and takes_next(before[-1], tables.flags):
        global_words.pop()  # its value is what is being typed
    name, rest = command_of(before[at:])
    if not name:
        options = flag_words(before, current, tables.flags, "")
        return options or Wanted(tuple(sorted(known_commands(tables)))), global_words
    if name in GROUPS:
        verbs = {verb: text for verb, (_, text) in GROUPS[name].commands.items()}
        inner = {key.split()[-1]: one.summary for key, one in GROUPS.items() if key.rpartition(" ")[0] == name}  # fmt: skip
        return Wanted(tuple(sorted({**verbs, **inner}.items()))), global_words
    if name == "completion":
        return Wanted(tuple((shell, "") for shell in SHELLS)), global_words
    if name == "help":
        return Wanted(tuple(sorted(known_commands(tables)))), global_words
    if name not in tables.commands and name.rpartition(" ")[0] not in GROUPS:
        return Wanted(), global_words
    if name == "engine":
        return Wanted(tuple((word, "") for word in ("serve", "status", "stop", "unit"))), global_words  # fmt: skip
    command = tables.find(name)
    if "--" not in rest:
        options = flag_words(rest, current, command.flags, name)
        if options is not None:
            return options, global_words
    return argument(command, rest), global_words


def known_commands(tables: Tables) -> list[tuple[str, str]]:
    """All first words, with what they are for."""
    groups = [
        (key, one.summary) for key, one in GROUPS.items() if " " not in key and not one.hidden
    ]
    return [*tables.commands.items(), *groups]


def skip_flags(words: Sequence[str], flags: tuple[Flag, ...]) -> tuple[int, list[str]]:
    """How many words are flags before the command, with their values."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        at += 2 if takes_next(words[at], flags) else 1
    return min(at, len(words)), list(words[:at])


def takes_next(word: str, flags: tuple[Flag, ...]) -> bool:
    """Whether the word after this flag is its value."""
    flag = flag_of(word, flags)
    return flag is not None and flag.kind != "switch" and "=" not in word and (
        word.startswith("--") or word[-1] == flag.short
    )  # fmt: skip


def flag_of(word: str, flags: tuple[Flag, ...]) -> Flag | None:
    """The flag that a word is; of several short ones the last."""
    if word.startswith("--"):
        name = word[2:].partition("=")[0]
        return next((flag for flag in flags if flag.name == name), None)
    letters = word[1:]
    for letter in letters:
        flag = next((one for one in flags if one.short == letter), None)
        if flag is None or flag.kind != "switch":
            return flag
    return None


def command_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """The command that the words name, down through groups, and the words after it."""
    name = ""
    rest = list(words)
    while rest and (not name or name in GROUPS):
        word = rest.pop(0)
        if word.startswith("-"):
            continue
        group = GROUPS.get(name)
        word = group.aliases.get(word, word) if group else word
        name = f"{name} {word}".strip()
    return name, rest


def flag_words(
    before: Sequence[str], current: str, flags: tuple[Flag, ...], name: str
) -> Wanted | None:
    """A flag, or a flag's value; None where it is an argument."""
    if before and before[-1].startswith("-") and takes_next(before[-1], flags):
        flag = flag_of(before[-1], flags)
        assert flag is not None
        return value_of(flag, name)
    if current.startswith("--") and "=" in current:
        flag = flag_of(current, flags)
        if flag is None:
            return Wanted()
        found = value_of(flag, name)
        words = tuple((f"--{flag.name}={word}", text) for word, text in found.words)
        return Wanted(words, f"--{flag.name}= {found.kind}" if found.kind else "")
    if current.startswith("-"):
        shown = [flag for flag in flags if not flag.hidden]
        names = [(f"--{flag.name}", flag.help) for flag in shown]
        if not current.startswith("--"):
            names += [(f"-{flag.short}", flag.help) for flag in shown if flag.short]
        return Wanted(tuple(sorted([*names, ("--help", "Show help")])))
    return None


def value_of(flag: Flag, name: str) -> Wanted:
    """What a flag's value may be."""
    found = OWN_VALUES.get((name, flag.name), VALUES.get(flag.name, ()))
    if isinstance(found, str):
        return Wanted(kind=found)
    return Wanted(tuple((word, "") for word in found))


def argument(command: Command, rest: Sequence[str]) -> Wanted:
    """What the next argument is, by the command's usage line."""
    given = 0
    at = 0
    while at < len(rest):
        if rest[at].startswith("-") and rest[at] != "-":
            at += 2 if takes_next(rest[at], command.flags) else 1
        else:
            given += 1
            at += 1
    kinds = argument_kinds(command.usage.splitlines()[0])
    if not kinds or (given >= len(kinds) and not kinds[-1][1]):
        return Wanted()
    kind = kinds[min(given, len(kinds) - 1)][0]
    if kind == "services:":
        return Wanted(kind="services: files")
    return Wanted(kind=kind)


def argument_kinds(usage: str) -> list[tuple[str, bool]]:
    """(kind, whether it may come again) of each argument of a usage line."""
    found: list[tuple[str, bool]] = []
    for word in usage.split():
        again = "..." in word
        plain = re.sub(r"[\[\].]", "", word).split("|")[0]
        if plain in ("OPTIONS", "URL", "-") or not plain.isupper():
            continue
        kind = ARGUMENTS.get(plain, "")
        if again and found and found[-1][0] == kind:
            found[-1] = (kind, True)
        else:
            found.append((kind, again))
    return found
