"""docker compose, docker and we, on one engine: what is listed reads the same, word by word."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.bench.sides import import_image
from tests.own_engine import HOUSE, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.own_engine import OwnEngine

pytestmark = [pytest.mark.root, pytest.mark.peer]
STAY = ["sleep", "1000"]
PROJECT = {
    "name": "listed",
    "services": {
        "web": {
            "image": "busybox:bench", "command": STAY, "ports": ["127.0.0.1:28080:80", "90", "127.0.0.1:28053:53/udp"],
            "labels": {"a": "1"}, "networks": ["front", "back"], "volumes": ["data:/data", "/anonymous"],
            "scale": 1,
            # asked while `up --wait` waits, and not again: a probe would be one process more in `top`
            "healthcheck": {"test": ["CMD", "true"], "interval": "1h"},
        },
        "worker": {"image": "busybox:bench", "command": STAY, "scale": 2, "networks": ["back"], "expose": ["7000-7002"]},
        "once": {"image": "busybox:bench", "command": ["sh", "-c", "exit 3"], "networks": ["back"]},
    },
    "networks": {"front": {}, "back": {"internal": True}},
    "volumes": {"data": {"labels": {"of": "tests"}}, "spare": {}},
}  # fmt: skip
#: Times go on between two calls.
TIMES = re.compile(r"(Up )?(Less than a second|About an? \w+|\d+ (seconds?|minutes?))( ago)?|\d\d:\d\d(:\d\d)?")  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "10.109.0.0/16") as made:
        import_image(made.host)
        yield made


@pytest.fixture(scope="module")
def folder(engine: OwnEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("listed")
    (made / "compose.yaml").write_text(json.dumps(PROJECT))
    run(ours(), engine, made, "up", "-d")
    run(ours(), engine, made, "up", "-d", "--wait", "web")
    yield made
    run(ours(), engine, made, "down", "-v", "-t", "0")


def ours() -> list[str]:
    return [sys.executable, "-m", "compose"]


def theirs() -> list[str]:
    return [str(next((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose")))]  # fmt: skip


def run(program: list[str], engine: OwnEngine, folder: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*program, *words], cwd=folder, text=True, capture_output=True, timeout=60, check=False,
        env={**os.environ, "DOCKER_HOST": engine.host, "PYCOMPOSE_HOST": engine.host, "PYTHONPATH": str(HOUSE)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def told(text: str) -> list[Any]:
    """The lines, blanks run together and times taken out; of JSON the documents, by name."""
    lines = [re.sub(r" +", " ", TIMES.sub("TIME", line)).rstrip() for line in text.splitlines()]
    if not text.startswith(("{", "[")):
        return lines
    found = json.loads(text) if text.startswith("[") else [json.loads(line) for line in lines]
    rows: list[dict[str, Any]] = json.loads(TIMES.sub("TIME", json.dumps(found)))
    for row in rows:
        for key in ("Labels", "Mounts", "Networks"):
            if isinstance(row.get(key), str):
                row[key] = sorted(row[key].split(","))
        if isinstance(row.get("Publishers"), list):
            row["Publishers"].sort(key=str)
        row.pop("Platform", None)  # the list of an older engine has none
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


@pytest.mark.parametrize(
    "words",
    [
        "ps", "ps -a", "ps --format json", "ps -a --format json", "ps -q", "ps --services", "ps web",
        "ps --status exited", "ps --filter status=exited --format json", "ps --no-trunc", "ps --orphans=false",
        "ps --format {{.Name}}|{{.State}}|{{.Health}}|{{.ExitCode}}|{{.Ports}}",
        "ps --format table|{{.Service}}\\t{{.Status}}", "ls", "ls -a", "ls --format json", "ls -q",
        "ls --filter name=list", "ls --filter name=nothing", "images", "images --format json", "images -q",
        "images web", "port web 80", "port --protocol udp web 53", "port --index 2 worker 1", "port web 1234",
        "top", "top web", "volumes", "volumes --format json", "volumes -q", "volumes web",
        "volumes --format {{.Name}}={{.Driver}}", "version --format nonsense --short", "ps nothing",
        "-p other ps", "-p other images", "-p other top",
    ],
)  # fmt: skip
def test_docker_compose(words: str, engine: OwnEngine, folder: Path) -> None:
    split = [word.replace("|", " ", 1) if word.startswith("table|") else word for word in words.split()]  # fmt: skip
    code, out, err = run(ours(), engine, folder, *split)
    their_code, their_out, their_err = run(theirs(), engine, folder, *split)
    assert code == their_code, (err, their_err)
    if words.startswith("version"):
        return
    assert told(out) == told(their_out)


def test_events(engine: OwnEngine, folder: Path) -> None:
    since = "1"
    found = []
    for program in (theirs(), ours()):
        # docker compose calls the end that it has asked for an error; what it tells is the same.
        _, out, _ = run(
            program, engine, folder, "events", "--json", "--since", since, "--until", "0s"
        )
        rows = [json.loads(line) for line in out.splitlines()]
        found.append([row for row in rows if row["service"] in ("once", "worker")])
    assert found[1] == found[0]
    assert {"create", "start", "die"} <= {row["action"] for row in found[1]}


@pytest.mark.parametrize(
    "words",
    [
        "container ls", "container ls -a", "container ls -a --no-trunc", "container ls -aq", "container ls -n 2",
        "container ls -a --format json", "container ls -l --format {{.Names}}", "container ls -a --filter status=exited",
        "container ls --filter label=com.docker.compose.service=web", "container ls -a --size --format {{.Names}}",
        "container ls --format table|{{.Names}}\\t{{.Ports}}",
        'container ls --format {{.Label|"com.docker.compose.service"}}',
        "container inspect listed-web-1", "container inspect -f {{.State.Status}} listed-web-1 listed-once-1",
        "container inspect -f {{json|.Mounts}} listed-worker-1",
        "container inspect -f {{range|$k,$v:=.NetworkSettings.Networks}}{{$k}}:{{$v.IPAddress}};{{end}} listed-web-1",
        "container inspect nothing", "container port listed-web-1", "container port listed-web-1 80",
        "container port listed-web-1 53/udp", "container port listed-web-1 1", "container top listed-web-1",
        "container diff listed-once-1", "container wait listed-once-1",
        "network ls", "network ls --format json", "network ls -q", "network ls --no-trunc", "network ls -f driver=host",
        "network inspect listed_front", "network inspect nothing", "network inspect -f {{.Driver}} listed_back",
        "volume ls", "volume ls --format json", "volume ls -q", "volume ls -f dangling=true",
        "volume inspect listed_data", "volume inspect nothing", "system df --format json", "system df",
        "system info --format {{.OSType}}|{{.Containers}}", "container rm nothing", "container start nothing",
        "network rm nothing", "volume rm nothing", "container stop nothing", "container kill nothing",
        "container rename nothing x", "container logs nothing", "container exec nothing true", "container cp nothing:/x .",
    ],
)  # fmt: skip
def test_docker(words: str, engine: OwnEngine, folder: Path) -> None:
    split = [word.replace("|", " ", 1) if "|" in word and "\\" not in word.partition("|")[0] else word for word in words.split()]  # fmt: skip
    code, out, err = run(ours(), engine, folder, *split)
    their_code, their_out, their_err = run(["docker"], engine, folder, *split)
    assert code == their_code, (err, their_err)
    if " inspect " in words and " -f " not in words:
        assert [drop_clock(one) for one in json.loads(out)] == [drop_clock(one) for one in json.loads(their_out)]  # fmt: skip
    else:
        assert told(out) == told(their_out)
    assert not err or err.count("\n") == 1


def drop_clock(document: dict[str, Any]) -> dict[str, Any]:
    """Without the log of a health check, which goes on."""
    (document.get("State") or {}).pop("Health", None)
    return document
