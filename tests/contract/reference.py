"""The two sides of a differential test: docker compose v2.40's program, and our command line.

Neither needs an engine for `config`. Ours runs in this process, the reference in a few of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HOUSE = Path(__file__).resolve().parents[2]
#: What both see of the shell.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/home/somebody",
    "SHELL_VARIABLE": "from the shell",
}
#: Listings whose order the reference leaves to chance.
UNSORTED = frozenset(
    {"--volumes", "--networks", "--images", "--services", "--variables", "--models"}
)


class Answer(NamedTuple):
    """What one side said."""

    code: int
    out: str
    err: str

    @property
    def crashed(self) -> bool:
        """Whether the reference panicked: nothing to be held against."""
        return self.code == 2 and "panic:" in self.err


def program() -> Path | None:
    """The reference, if `sh .ci/reference` has installed it."""
    found = (HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose")
    return next(found, None)


def split(line: str) -> tuple[dict[str, str], list[str]]:
    """A case's line: NAME=value words are its environment, the rest is argv."""
    words = shlex.split(line)
    variables = {}
    while words and "=" in words[0] and not words[0].startswith("-"):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    return variables, words


def theirs(place: Path, line: str, typed: bytes = b"") -> Answer:
    """The reference's answer to a command line in a folder."""
    variables, words = split(line)
    where = program()
    assert where is not None
    done = subprocess.run(
        [where, *words], cwd=place, env={**ENVIRONMENT, **variables}, input=typed, capture_output=True, check=False, timeout=60
    )  # fmt: skip
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def ours(place: Path, line: str, typed: bytes = b"") -> Answer:
    """Our answer to the same."""
    from compose.cli.main import main

    variables, words = split(line)
    out, err = io.StringIO(), io.StringIO()
    before, folder, stdin = dict(os.environ), Path.cwd(), sys.stdin
    os.environ.clear()
    os.environ.update({**ENVIRONMENT, "PWD": str(place), **variables})
    os.chdir(place)
    sys.stdin = io.TextIOWrapper(io.BytesIO(typed))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
    finally:
        sys.stdin = stdin
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)
    return Answer(code, out.getvalue(), err.getvalue())


def assert_equal(line: str, mine: Answer, right: Answer) -> None:
    """The same text and exit code; a refusal is a line for each fault, and never a bug of ours."""
    assert "bug in pycompose" not in mine.err, mine.err
    assert mine.code == right.code, (mine.err, right.err)
    if right.code:
        assert all(fault.strip() for fault in mine.err.splitlines())
        assert mine.err
        return
    if UNSORTED & set(line.split()):
        assert sorted(mine.out.splitlines()) == sorted(right.out.splitlines())
    else:
        assert mine.out.removesuffix("\n") == right.out.removesuffix("\n")
