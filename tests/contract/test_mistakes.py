"""Command lines that cannot be meant: one line of ours, and docker compose's or docker's exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.own_engine import HOUSE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.peer
COMPOSE = [
    "frobnicate", "up --nope", "--nope ps", "up -Z", "-p", "up -t x", "up -t", "ps --all=perhaps",
    "exec web", "exec", "port web", "port web x", "port", "run", "scale", "scale web", "scale web=x", "wait",
    "up --scale web", "up --scale web=x", "up --pull sometimes", "up --build --no-build",
    "up --force-recreate --no-recreate", "up -d --abort-on-container-exit", "down --rmi some",
    "config --format toml", "config --hash nothing", "logs --index 2", "logs nothing", "attach", "attach web db",
    "export", "export web db", "commit", "cp a", "cp a b c", "cp web:/a db:/b", "cp /a /b", "events --since yesterday",
    "ls extra", "ls --filter x", "version extra", "ps --filter x", "ps --filter a=b", "kill --signal", "top --nope",
    "--ansi sometimes ps", "--progress fancy ps", "--env-file missing ps", "-f missing.yaml ps",
    "--project-directory /missing/folder config", "-p BAD ps", "run --service-ports -p 80:80 web", "run -l x web",
    "watch nothing", "build nothing", "pull nothing", "create nothing", "start nothing", "publish", "alpha viz extra",
    "images nothing", "stats web db", "restart nothing", "--parallel x ps", "volumes nothing", "up nothing",
    "up --wait --attach web", "up --exit-code-from nothing", "config nothing", "push nothing",
]  # fmt: skip
#: Commands that need an engine to find out; none answers here, so both fail.
DOCKER = [
    "container frob", "container run", "container run --nope x", "container run -m much x", "container run --cpus x y",
    "container run -p x y", "container run --restart sometimes x", "container run --mount dst y",
    "container run --network name=a,b=c x", "container run --rm --restart always x", "container run -a nowhere x",
    "container rm", "container rename a", "container exec a", "container cp a b", "container inspect", "container ls x",
    "container ls --filter x", "container update", "container start", "container wait", "container stop -t x y",
    "network create", "network create --subnet x n", "network rm", "network connect n", "network frob",
    "volume create a b", "volume rm", "volume inspect", "system df x", "system frob", "container logs a b",
    "container run --env-file missing x", "container run --gpus some x", "container run -v relative x",
]  # fmt: skip


def run(program: list[str], folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "PYTHONPATH": str(HOUSE), "DOCKER_HOST": "unix:///nowhere/at.all",
        "PYCOMPOSE_HOST": "unix:///nowhere/at.all", "HOME": str(folder),
    }  # fmt: skip
    return subprocess.run(
        [*program, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    services = {"web": {"image": "x", "ports": ["80"]}, "db": {"image": "x"}}
    (tmp_path / "compose.yaml").write_text(json.dumps({"name": "m", "services": services}))
    return tmp_path


def check(program: list[str], folder: Path, line: str, other: set[int]) -> None:
    theirs = run(program, folder, line.split())
    ours = run([sys.executable, "-m", "compose"], folder, line.split())
    assert "bug in pycompose" not in ours.stderr
    assert ours.returncode in {theirs.returncode, *other}, (theirs.stderr, ours.stderr)
    if ours.returncode:
        assert ours.stderr.strip().count("\n") == 0, ours.stderr


@pytest.mark.parametrize("line", COMPOSE)
def test_docker_compose(line: str, folder: Path) -> None:
    reference = next((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose"))
    # What it takes without a word and cannot honour, we call a mistake.
    lenient = {1} if line in LENIENT else set()
    check([str(reference)], folder, line, lenient)


@pytest.mark.parametrize("line", DOCKER)
def test_docker(line: str, folder: Path) -> None:
    check(["docker"], folder, line, {1} if line in LENIENT else set())


#: Command lines that they accept.
LENIENT = {"alpha viz extra"}
