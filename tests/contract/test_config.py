"""Our `config` beside docker compose's, over every project in projects/.

A folder is a project. Its file `arguments`, if there is one, has a command line a line, after
variables of its environment (`NAME=value`); otherwise the whole document is compared, as JSON and
YAML, and the hashes; `stdin` is what is typed. What the reference prints is right, byte for byte
but for the last line's end; what it refuses we refuse, with its exit code. It needs no Docker.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.contract import reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

pytestmark = pytest.mark.peer

PROJECTS = Path(__file__).parent / "projects"
DEFAULT = "config --format json\nconfig\nconfig --hash '*'"


class Case(NamedTuple):
    """One command line in one project's folder."""

    folder: str
    line: str

    def __str__(self) -> str:
        return f"{self.folder}: {self.line}"


def cases() -> list[Case]:
    """All of them."""
    found = []
    for folder in sorted(path for path in PROJECTS.iterdir() if path.is_dir()):
        arguments = folder / "arguments"
        text = arguments.read_text() if arguments.exists() else DEFAULT
        found += [Case(folder.name, line) for line in text.splitlines() if line and line[0] != "#"]
    return found


class Bench:
    """The projects' copies, and the reference's answers, asked for ahead by a few workers."""

    def __init__(self, folder: Path, wanted: list[Case], pool: ThreadPoolExecutor) -> None:
        self._folder = folder
        for name in {case.folder for case in wanted}:
            shutil.copytree(PROJECTS / name, folder / name, symlinks=True)
        self._answers: dict[Case, Future[reference.Answer]] = {
            case: pool.submit(reference.theirs, self.place(case), case.line, self.typed(case))
            for case in wanted
        }

    def place(self, case: Case) -> Path:
        """The copy of the case's project."""
        return self._folder / case.folder

    def typed(self, case: Case) -> bytes:
        """What comes in on standard input."""
        stdin = PROJECTS / case.folder / "stdin"
        return stdin.read_bytes() if stdin.exists() else b""

    def right(self, case: Case) -> reference.Answer:
        """The reference's answer."""
        return self._answers[case].result()


@pytest.fixture(scope="module")
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    if reference.program() is None:
        pytest.skip("the reference is not installed: sh .ci/reference")
    wanted = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_config_is_the_reference"
    ]
    with ThreadPoolExecutor(4) as pool:
        yield Bench(tmp_path_factory.mktemp("projects"), wanted, pool)


def test_the_corpus_is_large() -> None:
    assert len({case.folder for case in cases()}) >= 250


@pytest.mark.parametrize("case", cases(), ids=str)
def test_config_is_the_reference(bench: Bench, case: Case) -> None:
    mine = reference.ours(bench.place(case), case.line, bench.typed(case))
    reference.assert_equal(case.line, mine, bench.right(case))
