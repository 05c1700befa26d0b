"""An engine of its own for each end-to-end test module, and the proof that nothing of it is left."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.bench.sides import import_image
from tests.own_engine import HOUSE, OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POOL = "10.198.0.0/16"
COMMAND = [sys.executable, "-m", "compose"]


@dataclass(frozen=True)
class Person:
    """Somebody at a shell prompt with an engine of their own."""

    engine: OwnEngine

    @property
    def environment(self) -> dict[str, str]:
        """The shell's variables; a test may set more."""
        return self.engine.environment

    @property
    def run_dir(self) -> Path:
        """The engine's run folder."""
        return self.engine.run_dir

    def pycompose(
        self, *arguments: str, cwd: Path = HOUSE, stdin: str | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end; the result is not checked."""
        return subprocess.run(
            [*COMMAND, *arguments], cwd=cwd, env=self.environment, input=stdin, timeout=timeout,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def does(self, *arguments: str, cwd: Path = HOUSE, stdin: str | None = None) -> str:
        """Run one command that must succeed; returns its standard output."""
        done = self.pycompose(*arguments, cwd=cwd, stdin=stdin)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A person with an engine that is gone without a trace after the module."""
    with running_engine(tmp_path_factory.mktemp("e2e"), POOL) as engine:
        yield Person(engine)


@pytest.fixture(scope="module")
def busybox(person: Person) -> str:
    """The name of an image with Debian's static busybox in the person's engine."""
    import_image(person.engine.host)
    return "busybox:bench"
