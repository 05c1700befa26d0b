"""A command's flags as a table, and the parser that reads argv by it. Pure; imports nothing.

It reads as docker compose's does (pflag): --name value, --name=value, -n value, -nvalue, -abc for
switches, --switch=false, -- ends the flags. Not argparse, whose import and set-up cost more than
`version` does in all, and which knows no --switch=false.
"""

from __future__ import annotations

from compose.errors import UsageError
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TRUE = ("1", "t", "true")
FALSE = ("0", "f", "false")


class Flag(Record):
    """One flag. `kind`: "switch", "text", "number", "list" (repeatable), "strings" (repeatable, each

    may hold several, joined by commas), "decimal", "bytes" (512m -> an int), "duration" (1m30s -> ns).
    `metavar` is what help calls its value, where that is not its kind's usual word.
    """

    name: str
    short: str = ""
    kind: str = "switch"
    help: str = ""
    default: Any = None
    hidden: bool = False
    metavar: str = ""

    @property
    def key(self) -> str:
        """Its name in the parsed options."""
        return self.name.replace("-", "_")

    @property
    def unset(self) -> Any:
        """Its value if it is not given."""
        if self.default is not None:
            return self.default
        return {"switch": False, "text": "", "list": (), "strings": ()}.get(self.kind)


class Options(dict[str, "Any"]):
    """Parsed flags by key; `given` are those that were on the command line."""

    def __init__(self, flags: tuple[Flag, ...]) -> None:
        super().__init__((flag.key, flag.unset) for flag in flags)
        self.given: set[str] = set()
        self.arguments: list[str] = []

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None


def parse(argv: list[str], flags: tuple[Flag, ...], *, interspersed: bool, command: str) -> Options:
    """The options in argv; what is no flag is in `arguments`. Raises UsageError.

    Without `interspersed` the first argument ends the flags: what follows is another program's.
    """
    options = Options(flags)
    long = {flag.name: flag for flag in flags}
    short = {flag.short: flag for flag in flags if flag.short}
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            options.arguments += words
            break
        if word.startswith("--"):
            read_long(word[2:], words, long, options, command)
        elif word.startswith("-") and len(word) > 1:
            read_short(word[1:], words, short, options, command)
        else:
            options.arguments.append(word)
            if not interspersed:
                options.arguments += words
                break
    return options


def read_long(
    text: str, words: list[str], flags: dict[str, Flag], options: Options, command: str
) -> None:
    """One --flag, with its value."""
    name, equals, value = text.partition("=")
    flag = flags.get(name)
    if flag is None:
        raise UsageError(f"unknown flag: --{name}: {hint(name, list(flags), command)}")
    if flag.kind == "switch":
        store(flag, value if equals else "true", options)
    elif equals:
        store(flag, value, options)
    elif words:
        store(flag, words.pop(0), options)
    else:
        raise UsageError(f"flag needs an argument: --{name}: give it one, as in --{name} VALUE")


def read_short(
    text: str, words: list[str], flags: dict[str, Flag], options: Options, command: str
) -> None:
    """-x, -xyz, -x value, -xvalue, -x=value."""
    while text:
        letter, text = text[0], text[1:]
        flag = flags.get(letter)
        if flag is None:
            raise UsageError(
                f"unknown shorthand flag: '{letter}' in -{letter}{text}: {hint('', [], command)}"
            )
        if flag.kind == "switch":
            if text.startswith("="):
                store(flag, text[1:], options)
                return
            store(flag, "true", options)
            continue
        if text:
            store(flag, text.removeprefix("="), options)
        elif words:
            store(flag, words.pop(0), options)
        else:
            raise UsageError(f"flag needs an argument: '{letter}' in -{letter}: give it one")
        return


def store(flag: Flag, value: str, options: Options) -> None:
    """Convert and keep one flag's value. Raises UsageError."""
    key = flag.key
    if flag.kind == "switch":
        lowered = value.lower()
        if lowered not in TRUE + FALSE:
            raise UsageError(f'invalid argument "{value}" for --{flag.name}: use true or false')
        options[key] = lowered in TRUE
    elif flag.kind == "number":
        try:
            options[key] = int(value)
        except ValueError:
            raise UsageError(
                f'invalid argument "{value}" for --{flag.name}: use a number'
            ) from None
    elif flag.kind in ("list", "strings"):
        before = options[key] if key in options.given else ()
        options[key] = (*before, *(value.split(",") if flag.kind == "strings" else (value,)))
    elif flag.kind == "text":
        options[key] = value
    else:
        from compose.cli.quantities import READERS

        try:
            options[key] = READERS[flag.kind](value)
        except ValueError as error:
            raise UsageError(f'invalid argument "{value}" for --{flag.name}: {error}') from None
    options.given.add(key)


def hint(name: str, known: list[str], command: str) -> str:
    """What to do about a name that is not known."""
    near = nearest(name, known)
    if near:
        return f"did you mean --{near}?"
    return f"see '{command} --help'"


def nearest(name: str, known: list[str]) -> str:
    """The known name that a typing mistake makes of it, or ""."""
    if not name:
        return ""
    from difflib import get_close_matches  # only for mistakes, so not at the top

    found = get_close_matches(name, known, 1, 0.75)
    return found[0] if found else ""
