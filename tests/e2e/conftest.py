"""An engine of its own for each end-to-end test module, and the proof that nothing of it is left."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bench.sides import import_image
from tests.e2e.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Iterator

POOL = "10.198.0.0/16"
COMMAND = [sys.executable, "-m", "compose"]
HOUSE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Person:
    """Somebody at a shell prompt with an engine of their own."""

    environment: dict[str, str]
    run_dir: Path

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

    @property
    def socket(self) -> str:
        """The engine's address for other clients."""
        return f"unix://{self.run_dir}/engine.sock"


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A person with an engine that is gone without a trace after the module."""
    if os.geteuid() != 0:
        pytest.skip("needs root: namespaces, cgroups and mounts are made for real")
    folder = tmp_path_factory.mktemp("e2e")
    environment = {
        **{
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PYCOMPOSE_", "COMPOSE_", "DOCKER_"))
        },
        "PYTHONPATH": str(HOUSE),
        "PYCOMPOSE_ROOT": str(folder / "root"),
        "PYCOMPOSE_RUN_DIR": str(folder / "run"),
        "PYCOMPOSE_ADDRESS_POOL": POOL,
    }
    someone = Person(environment, folder / "run")
    someone.does("engine", "serve", "--detach")
    try:
        yield someone
    finally:
        log = folder / "run" / "engine.log"
        stopped = someone.pycompose("engine", "stop")
        if stopped.returncode:
            print(log.read_text()[-4000:] if log.exists() else "no log")
        assert stopped.returncode == 0, stopped.stderr
    assert Traces.of(folder).words() == []


@pytest.fixture(scope="module")
def busybox(person: Person) -> str:
    """The name of an image with Debian's static busybox in the person's engine."""
    import_image(person.socket)
    return "busybox:bench"
