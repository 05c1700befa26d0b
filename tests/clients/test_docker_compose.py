"""docker compose v2.40, the reference client, drives the engine: the seam is Docker's, byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.own_engine import HOUSE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.own_engine import OwnEngine

pytestmark = [pytest.mark.root, pytest.mark.peer]
PROJECT = {
    "services": {
        "first": {
            "image": "busybox:bench",
            "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
            "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
        },
        "second": {
            "image": "busybox:bench",
            "command": ["sh", "-c", "echo up; exec sleep 1000"],
            "depends_on": {"first": {"condition": "service_healthy"}},
            "volumes": ["data:/data"],
            "configs": [{"source": "note", "target": "/note"}],
            "environment": ["A=1"],
            "mem_limit": "64m",
        },
    },
    "volumes": {"data": {}},
    "configs": {"note": {"content": "written by compose"}},
}


@pytest.fixture
def compose(own_engine: OwnEngine, tmp_path: Path):
    program = next((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose"))
    folder = tmp_path / "reference"
    folder.mkdir()
    (folder / "compose.yaml").write_text(json.dumps(PROJECT))

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(program), *arguments], cwd=folder, text=True, capture_output=True, timeout=120,
            env={**os.environ, "DOCKER_HOST": own_engine.host}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    yield run
    run("down", "-v", "-t", "0")


def test_a_projects_life(compose) -> None:
    compose("up", "-d", "--wait")
    states = [json.loads(line) for line in compose("ps", "--format", "json").splitlines()]
    assert {(s["Service"], s["State"], s["Health"]) for s in states} == {
        ("first", "running", "healthy"),
        ("second", "running", ""),
    }
    assert "up" in compose("logs", "--no-color", "second")
    assert compose("exec", "-T", "second", "cat", "/note") == "written by compose"
    assert compose("exec", "-T", "second", "sh", "-c", "echo $A").strip() == "1"
    ids = compose("ps", "-q")
    compose("up", "-d")
    assert compose("ps", "-q") == ids
    compose("restart", "-t", "1", "second")
    assert compose("run", "--rm", "-T", "first", "sh", "-c", "echo once").strip() == "once"
    compose("stop")
    assert compose("ps", "-q").strip() == ""
    compose("start")
    compose("up", "-d", "--force-recreate", "-t", "1")
    assert compose("ps", "-q") != ids


def test_every_verb_that_needs_no_build(compose, tmp_path: Path) -> None:
    compose("up", "-d", "--wait")
    assert "sleep 1000" in compose("top", "second")
    assert "second" in compose("stats", "--no-stream", "second")
    compose("cp", "second:/note", str(tmp_path / "note"))
    assert (tmp_path / "note").read_text() == "written by compose"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "f").write_text("up")
    compose("cp", str(tmp_path / "folder"), "second:/data")
    assert compose("exec", "-T", "second", "cat", "/data/folder/f") == "up"
    compose("pause")
    states = [json.loads(line)["State"] for line in compose("ps", "--format", "json").splitlines()]
    assert states == ["paused", "paused"]
    compose("unpause")
    compose("kill", "second")
    assert compose("ps", "-q", "second") == ""
    compose("start", "second")
    compose("restart", "-t", "0")
    compose("export", "-o", str(tmp_path / "root.tar"), "second")
    assert (tmp_path / "root.tar").stat().st_size > 1_000_000
    compose("up", "-d", "--scale", "second=3")
    assert len(compose("ps", "-q", "second").split()) == 3
    log = compose("logs", "--no-color", "--timestamps", "--tail", "1", "second")
    assert len(log.splitlines()) == 3
    compose("rm", "-fsv", "second")
    assert len(compose("ps", "-aq").split()) == 1
    compose("down", "-v", "-t", "0")
    assert compose("ps", "-aq") == ""
