"""Projects of the corpus with a slip of the hand in one of their files: `project(Random(seed))`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    Known = tuple[dict[str, str], list[str]]

PROJECTS = Path(__file__).parent / "projects"
DEFAULT = ["config --format json", "config"]
#: What a person may type instead of, or in the middle of, what stood there.
TYPED = (
    "!reset ", "!override ", "!reset null", "!override []", "null", "~", "''", "[]", "{}", "true", "1", "1.5", "${SET}", "${UNSET}", "${UNSET:-d}", "${X:?m}", "$$x", "&a ", "*a",
    "x-y: 1", "\n", "  ", "- ", "#", "'", '"', ":", "0", "80:80", "a", "5s", "1m", "1k", "-1", ".", "..", "/", "~/x", "[a, b]", "{a: b}", "no", "yes", "on", "|\n      t",
    "extends: {service: a}", "profiles: [p]", "depends_on: [a]",
)  # fmt: skip
OTHER_LINES = ("config --no-interpolate --format json", "config --no-normalize", "config --no-consistency --format json", "config --hash '*'", "config --images", "config --no-path-resolution --format json")  # fmt: skip


@cache
def corpus() -> list[Known]:
    """The files of every project, and its command lines."""
    found = []
    for folder in sorted(path for path in PROJECTS.iterdir() if path.is_dir()):
        files = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in ("arguments", "stdin"):
                try:
                    files[str(path.relative_to(folder))] = path.read_text()
                except UnicodeDecodeError:
                    continue
        arguments = folder / "arguments"
        lines = arguments.read_text().splitlines() if arguments.exists() else DEFAULT
        # What is by chance in the reference, or asks a registry, is no matter of a slip.
        usual = [line for line in lines if line and line[0] != "#" and "digests" not in line and "--variables" not in line]  # fmt: skip
        if usual and any(name.endswith((".yaml", ".yml")) for name in files):
            found.append((files, usual))
    return found


def project(random: Random) -> tuple[dict[str, str], str]:
    """(files, command line)."""
    files, lines = random.choice(corpus())
    files = dict(files)
    written = [name for name in files if name.endswith((".yaml", ".yml"))]
    name = random.choice(written if random.random() < 0.85 else [*files])
    files[name] = slipped(random, files[name])
    return files, random.choice(lines if random.random() < 0.9 else OTHER_LINES)


def slipped(random: Random, text: str) -> str:
    """The text with one slip or two."""
    lines = text.split("\n")
    for _ in range(random.choice((1, 1, 1, 2))):
        at = random.randrange(len(lines))
        lines = random.choice(SLIPS)(random, lines, at) or [""]
    return "\n".join(lines)


def _lost(_random: Random, lines: list[str], at: int) -> list[str]:
    return lines[:at] + lines[at + 1 :]


def _twice(random: Random, lines: list[str], at: int) -> list[str]:
    to = random.randrange(len(lines) + 1)
    return [*lines[:to], lines[at], *lines[to:]]


def _swapped(random: Random, lines: list[str], at: int) -> list[str]:
    to = random.randrange(len(lines))
    found = list(lines)
    found[at], found[to] = lines[to], lines[at]
    return found


def _indented(random: Random, lines: list[str], at: int) -> list[str]:
    text = lines[at].lstrip()
    blanks = max(0, len(lines[at]) - len(text) + random.choice((-2, 2, -1, 1)))
    return [*lines[:at], " " * blanks + text, *lines[at + 1 :]]


def _another_value(random: Random, lines: list[str], at: int) -> list[str]:
    for mark in (": ", "- "):
        before, found, _ = lines[at].partition(mark)
        if found:
            return [*lines[:at], before + mark + random.choice(TYPED), *lines[at + 1 :]]
    return lines


def _tagged(random: Random, lines: list[str], at: int) -> list[str]:
    before, found, value = lines[at].partition(": ")
    if not found and lines[at].rstrip().endswith(":"):
        before, found, value = lines[at].rstrip()[:-1], ": ", ""
    tag = random.choice(("!reset ", "!override ", "&q ", "!!str "))
    return [*lines[:at], before + found + tag + value, *lines[at + 1 :]] if found else lines


def _typed(random: Random, lines: list[str], at: int) -> list[str]:
    line, place = lines[at], random.randrange(len(lines[at]) + 1)
    behind = random.choice((place, place + 1))
    middle = random.choice(("", random.choice(TYPED), random.choice("abz019-_.:/ $")))
    return [*lines[:at], line[:place] + middle + line[behind:], *lines[at + 1 :]]


def _of_another(random: Random, lines: list[str], at: int) -> list[str]:
    files, _ = random.choice(corpus())
    line = random.choice(files[random.choice([*files])].split("\n"))
    return [*lines[:at], line, *lines[at:]]


SLIPS = (_lost, _twice, _swapped, _indented, _another_value, _another_value, _tagged, _typed, _typed, _of_another)  # fmt: skip
