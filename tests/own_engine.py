"""An engine of a test's own: own root, run folder and network pool; gone without a trace afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class OwnEngine:
    """Where a test's engine lives; `environment` is for programs that are to find it."""

    folder: Path
    environment: dict[str, str]
    prefix: tuple[str, ...] = ()

    @property
    def run_dir(self) -> Path:
        """The run folder."""
        return self.folder / "run"

    @property
    def host(self) -> str:
        """The address for clients."""
        return f"unix://{self.run_dir}/engine.sock"

    @property
    def pid(self) -> int:
        """The engine's process."""
        return int((self.run_dir / "engine.lock").read_text().split()[0])

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`pycompose engine ...`."""
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "engine", *arguments], cwd=HOUSE, env=self.environment,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@contextmanager
def running_engine(
    folder: Path, pool: str, *, prefix: tuple[str, ...] = (), **environ: str
) -> Iterator[OwnEngine]:
    """Start an engine; at the end nothing of it may be left.

    `prefix` is a program that runs it ("unshare --net" for a network of its own).
    """
    if os.geteuid() != 0:
        pytest.skip("needs root: namespaces, cgroups and mounts are made for real")
    environment = {
        **{
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PYCOMPOSE_", "COMPOSE_", "DOCKER_"))
        },
        "PYTHONPATH": str(HOUSE),
        "PYCOMPOSE_ROOT": str(folder / "root"),
        "PYCOMPOSE_RUN_DIR": str(folder / "run"),
        "PYCOMPOSE_ADDRESS_POOL": pool,
        **environ,
    }
    engine = OwnEngine(folder, environment, prefix)
    started = engine.command("serve", "--detach")
    assert started.returncode == 0, started.stderr
    try:
        yield engine
    finally:
        log = folder / "run" / "engine.log"
        stopped = engine.command("stop")
        said = log.read_text() if log.exists() else ""
        assert stopped.returncode == 0, stopped.stderr + said
        assert "Traceback" not in said, said
    left = Traces.of(folder).words()
    assert not left, left
