"""Every command and flag of docker compose, and of docker's management commands, is ours too.

Both sides are read from what `--help` prints: the name, the short name, the kind of value, the default.
A flag of ours that they lack is listed here, so that it is a decision and no accident.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import NamedTuple

import pytest

from compose.cli import main as entry
from tests.own_engine import HOUSE

pytestmark = pytest.mark.peer
FLAG = re.compile(r"^  (?:-(\w), |    )--([\w-]+)(?: ([\w-]+))?(?:\s{2,}(\S.*))?$")
COMMAND = re.compile(r"^  (\w[\w-]*)\s{1,}\S")
DEFAULT = re.compile(r"\(default (\S+)\)$")
#: Defaults that say "nothing".
EMPTY = {"map[]", "[]", "0", "0s", '""'}
#: What docker compose prints as a default depends on whether it is run on a terminal.
DEPENDS_ON_TERMINAL = {"no-tty", "no-TTY"}
#: Commands of docker compose that are not in its own list of commands.
HIDDEN = ("alpha",)
#: Flags of ours beyond theirs, by command; "" are the global ones.
OURS: dict[str, set[str]] = {
    "": {"host"},
    "up": {"locked"},
    # buildx's, which docker's own help does not know
    "image build": {
        "build-context", "cache-from", "cache-to", "check", "no-cache-filter", "progress", "push", "secret", "ssh",
    },
}  # fmt: skip
DOCKERS = ("container", "image", "network", "system", "volume")


class Flag(NamedTuple):
    """A flag as help shows it."""

    name: str
    short: str
    kind: str
    default: str


class Help(NamedTuple):
    """What a help text lists."""

    flags: dict[str, Flag]
    commands: list[str]


def read(text: str) -> Help:
    """The flags and commands of a help text."""
    flags: dict[str, list[str]] = {}
    commands: list[str] = []
    section, latest = "", ""
    for line in text.splitlines():
        if line and not line.startswith((" ", "\t")):
            section, latest = line.rstrip(":"), ""
        elif section.endswith("Commands") and (found := COMMAND.match(line)):
            commands.append(found[1])
        elif section.endswith("Options") and (found := FLAG.match(line)):
            latest = found[2]
            flags[latest] = [found[1] or "", found[3] or "", found[4] or ""]
        elif latest:
            flags[latest][2] += " " + line.strip()
    return Help({name: flag(name, *facts) for name, facts in flags.items()}, commands)


def flag(name: str, short: str, kind: str, words: str) -> Flag:
    found = DEFAULT.search(words.strip())
    default = found[1] if found and found[1] not in EMPTY else ""
    return Flag(name, short, kind, "" if name in DEPENDS_ON_TERMINAL else default)


def docker_compose(*words: str) -> Help:
    program = next((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose"))
    return asked(str(program), *words)


def asked(*command: str) -> Help:
    done = subprocess.run(
        [*command, "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    return read(done.stdout)


def walked(ask, path: tuple[str, ...] = (), hidden: tuple[str, ...] = ()) -> dict[str, Help]:
    """The help of a command and of all below it."""
    found = {" ".join(path): ask(*path)}
    for word in [*found[" ".join(path)].commands, *hidden]:
        found |= walked(ask, (*path, word))
    return found


def our_help(name: str, capsys: pytest.CaptureFixture[str]) -> Help | None:
    capsys.readouterr()
    code = entry.main([*name.split(), "--help"])
    return read(capsys.readouterr().out) if code == 0 else None


def differences(name: str, theirs: Help, ours: Help | None) -> list[str]:
    """In words, what of theirs we lack, what of ours they lack, what is not alike."""
    if ours is None:
        return [f"{name}: there is no such command"]
    found = [
        f"{name} --{flag}: theirs {theirs.flags[flag][1:]}, ours {(ours.flags.get(flag) or [None])[1:]}"
        for flag in sorted(set(theirs.flags) - OURS.get(name, set()))
        if theirs.flags[flag] != ours.flags.get(flag)
    ]
    more = set(ours.flags) - set(theirs.flags) - OURS.get(name, set())
    return [*found, *(f"{name} --{flag}: they have none, and it is not listed" for flag in more)]


def test_docker_composes_commands_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    found: list[str] = []
    for name, theirs in walked(docker_compose, hidden=HIDDEN).items():
        ours = our_help(name, capsys)
        is_group = bool(theirs.commands) and bool(name)
        found += differences(name, Help({}, []) if is_group else theirs, ours)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("group", DOCKERS)
def test_dockers_commands_and_flags(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    docker = shutil.which("docker")
    assert docker, "docker's command line is installed by `make peers`"
    found: list[str] = []
    for name, theirs in walked(lambda *words: asked(docker, *words), (group,)).items():
        if theirs.commands:
            continue
        flags = {key: one for key, one in theirs.flags.items() if key != "help"}
        ours = our_help(name, capsys)
        found += differences(name, Help(flags, []), ours)
    assert not found, "\n".join(found)


def test_what_is_listed_as_ours_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    for name, flags in OURS.items():
        ours = our_help(name, capsys)
        assert ours is not None, name
        assert flags <= set(ours.flags), name
