"""A project that one of docker compose and pycompose has begun is continued by the other: same labels,
same hashes, same names, so that neither finds anything to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.own_engine import HOUSE

if TYPE_CHECKING:
    from tests.own_engine import OwnEngine

pytestmark = [pytest.mark.root, pytest.mark.peer]
Run = Callable[..., str]
SLEEPS: dict[str, Any] = {"image": "busybox:bench", "command": ["sleep", "1000"], "init": True}
PROBE = {"test": ["CMD", "true"], "interval": "1s"}
PROJECT = {
    "services": {
        "web": {
            **SLEEPS,
            "env_file": "web.env",
            "environment": {"A": "b", "EMPTY": None},
            "ports": ["80", "127.0.0.1::81/udp"],
            "volumes": ["data:/data", "./note:/note:ro", "/anonymous"],
            "networks": {"default": {}, "back": {"aliases": ["w"]}},
            "depends_on": {"db": {"condition": "service_healthy", "restart": True}},
            "labels": {"l": "1"},
            "configs": ["inline"],
            "secrets": ["file"],
            "deploy": {"resources": {"limits": {"memory": "64M", "cpus": "0.5"}}},
            "scale": 2,
            "healthcheck": PROBE,
        },
        "db": {
            **SLEEPS,
            "healthcheck": PROBE,
            "stop_grace_period": "3s",
            "tmpfs": ["/t"],
            "ulimits": {"nofile": 100},
            "extra_hosts": ["a:1.2.3.4"],
            "dns": "1.1.1.1",
            "sysctls": {"net.core.somaxconn": 64},
            "logging": {"driver": "json-file", "options": {"max-size": "1m"}},
            "cap_drop": ["MKNOD"],
            "mem_limit": "64m",
        },
        "side": {**SLEEPS, "network_mode": "service:db", "pid": "service:db"},
        "heir": {**SLEEPS, "volumes_from": ["web:ro"], "links": ["db:database"]},
        "none": {**SLEEPS, "network_mode": "none", "read_only": True},
    },
    "networks": {"back": {"internal": True, "labels": {"x": "y"}}},
    "volumes": {"data": {"labels": {"q": "r"}}},
    "configs": {"inline": {"content": "hi"}},
    "secrets": {"file": {"file": "./note"}},
}


@pytest.fixture
def both(own_engine: OwnEngine, tmp_path: Path) -> Iterator[tuple[Run, Run, Path]]:
    """docker compose, pycompose, and the project's folder."""
    program = next((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose"))
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "web.env").write_text("X=1\n")
    (folder / "note").write_text("hello")
    (folder / "compose.yaml").write_text(json.dumps(PROJECT))

    def runner(command: list[str], environment: dict[str, str]) -> Run:
        def run(*arguments: str) -> str:
            done = subprocess.run(
                [*command, *arguments], cwd=folder, env=environment, text=True,
                capture_output=True, timeout=120, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        return run

    theirs = runner([str(program)], {**os.environ, "DOCKER_HOST": own_engine.host})
    ours = runner([sys.executable, "-m", "compose"], own_engine.environment)
    yield theirs, ours, folder
    ours("down", "-v", "-t", "0")


def ids(run: Run) -> set[str]:
    """The ids of the project's containers, as one of the two sees them."""
    return set(run("ps", "-aq", "--no-trunc").split())


def test_ours_is_continued_by_docker_compose(both: tuple[Run, Run, Path]) -> None:
    theirs, ours, _ = both
    ours("up", "-d")
    before = ids(ours)
    assert len(before) == 6
    theirs("up", "-d")
    assert ids(theirs) == before
    theirs("down", "-t", "0")
    assert ids(ours) == set()


def test_docker_composes_is_continued_by_us(both: tuple[Run, Run, Path]) -> None:
    theirs, ours, folder = both
    theirs("up", "-d")
    before = ids(theirs)
    assert ours("plan") == "nothing to do\n"
    ours("up", "-d")
    assert ids(ours) == before
    (folder / "web.env").write_text("X=2\n")
    ours("up", "-d", "-t", "0")
    kept = before & ids(ours)
    assert len(kept) == 3  # db, side, none; the heir of web's volumes follows web
    theirs("up", "-d")
    assert ids(theirs) >= kept
    after = ids(theirs)
    ours("up", "-d")
    assert ids(ours) == after
    ours("down", "-t", "0")
    assert ids(theirs) == set()


def test_scaling_in_turns(both: tuple[Run, Run, Path]) -> None:
    theirs, ours, _ = both
    ours("up", "-d", "--scale", "none=3", "none")
    theirs("up", "-d", "--scale", "none=2", "none")
    names = set(ours("ps", "-a", "--format", "{{.Name}}").split())
    assert names == {"shop-none-1", "shop-none-2"}
    ours("up", "-d", "--scale", "none=3", "none")
    names = set(theirs("ps", "-a", "--format", "{{.Name}}").split())
    assert names == {"shop-none-1", "shop-none-2", "shop-none-3"}


def test_stop_start_and_one_off_runs(both: tuple[Run, Run, Path]) -> None:
    theirs, ours, _ = both
    ours("up", "-d", "db")
    theirs("stop", "-t", "0")
    ours("start", "db")
    assert theirs("run", "--rm", "-T", "none", "sh", "-c", "echo one").strip() == "one"
    assert ours("run", "--rm", "-T", "none", "sh", "-c", "echo two").strip() == "two"
    assert theirs("exec", "-T", "db", "hostname").strip()
    assert len(ids(theirs)) == 1
