"""docker compose v2.40 builds on our engine over BuildKit's protocol: contexts, secrets, ssh, failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.own_engine import HOUSE

if TYPE_CHECKING:
    from pathlib import Path

    import docker

    from tests.own_engine import OwnEngine

pytestmark = [pytest.mark.root, pytest.mark.peer]


class Compose:
    """docker compose in a folder, on our engine."""

    def __init__(self, engine: OwnEngine, folder: Path) -> None:
        self.folder = folder
        self.program = next(
            (HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose")
        )
        self.environment = {
            **os.environ,
            "DOCKER_HOST": engine.host,
            "COMPOSE_BAKE": "false",
            "FROM_ENV": "secret-of-env",
        }

    def write(self, **files: object) -> None:
        for name, content in files.items():
            path = self.folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.program), "--progress", "plain", *arguments], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def does(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def compose(own_engine: OwnEngine, tmp_path: Path) -> Compose:
    folder = tmp_path / "bk"
    folder.mkdir()
    return Compose(own_engine, folder)


def test_a_whole_build_section(compose: Compose, client: docker.DockerClient) -> None:
    compose.write(
        compose_yaml={
            "services": {
                "base": {"build": {"context": ".", "dockerfile_inline": "FROM busybox:bench\nRUN echo inline > /inline\n"}},
                "web": {
                    "image": "bk/web:1",
                    "build": {
                        "context": "ctx", "dockerfile": "../Other", "target": "wanted", "args": {"A": "given"},
                        "secrets": ["s", "e"], "additional_contexts": {"lib": "./lib", "base": "service:base"}, "tags": ["bk/web:2"],
                        "extra_hosts": ["somehost=1.2.3.4"], "ulimits": {"nofile": 77}, "shm_size": "16m", "labels": {"l": "v"},
                    },
                },
            },
            "secrets": {"s": {"file": "./secret"}, "e": {"environment": "FROM_ENV"}},
        },
        Other="FROM base AS wanted\nARG A\nCOPY . /ctx\nCOPY --from=lib f /f\n"
        "RUN --mount=type=secret,id=s --mount=type=secret,id=e cat /run/secrets/s /run/secrets/e\n"
        "RUN echo A=$A; cat /inline; ulimit -n; busybox grep somehost /etc/hosts; busybox find /ctx\nFROM base\nRUN exit 1\n",
        ctx__a_txt="kept", ctx__b_md="dropped", ctx__sub__deep="x", ctx___dockerignore="*.md\n", lib__f="lib", secret="secret-of-file",
    )  # fmt: skip
    said = compose.does("build")
    for text in (
        "secret-of-file",
        "secret-of-env",
        "A=given",
        "inline",
        " 77\n",
        "1.2.3.4",
        "/ctx/sub/deep",
    ):
        assert text in said, said
    assert "b.md" not in said
    assert "CACHED" in compose.does("build")
    assert client.images.get("bk/web:1").id == client.images.get("bk/web:2").id
    assert client.images.get("bk/web:1").labels["l"] == "v"


def test_up_builds_and_runs(compose: Compose, client: docker.DockerClient) -> None:
    compose.write(compose_yaml={"services": {"web": {"build": ".", "init": True}}}, Dockerfile='FROM busybox:bench\nCOPY v /v\nCMD ["sleep", "1000"]\n', v="one")  # fmt: skip
    try:
        compose.does("up", "-d", "--build")
        (container,) = client.containers.list()
        pieces, _ = container.get_archive("/v")
        assert b"one" in b"".join(pieces)
    finally:
        compose.does("down", "-t", "0")


def test_large_contexts(compose: Compose) -> None:
    compose.write(compose_yaml={"services": {"web": {"build": "."}}}, Dockerfile="FROM busybox:bench\nCOPY . /c\nRUN busybox find /c -type f | busybox wc -l; busybox md5sum /c/big\n")  # fmt: skip
    for number in range(500):
        (compose.folder / f"f{number}").write_bytes(b"x" * number)
    (compose.folder / "big").write_bytes(b"y" * (20 << 20))
    said = compose.does("build")
    assert " 503\n" in said
    assert "8b7e4e1d" in said or "/c/big" in said


def test_cache_options_are_honoured_or_named(compose: Compose, client: docker.DockerClient) -> None:
    build = {
        "context": ".", "cache_from": ["127.0.0.1:1/nobody/there:cache", "type=azblob,name=n,account_url=http://127.0.0.1:1,secret_access_key=hidden"],
        "cache_to": ["type=inline"],
    }  # fmt: skip
    compose.write(
        compose_yaml={"services": {"web": {"image": "bk/cached:1", "build": build}}},
        Dockerfile="FROM busybox:bench\nRUN echo cache-options > /x\n",
    )
    said = compose.does("build")
    assert "cache_from 127.0.0.1:1/nobody/there:cache: cannot reach the registry" in said
    assert "WARNING: cache_from type=azblob,name=n is not supported and has no effect" in said
    assert "hidden" not in said
    config = b"".join(client.images.get("bk/cached:1").save())
    assert b"pycompose.cache" in config


def test_failures_are_told_as_failures(compose: Compose) -> None:
    compose.write(compose_yaml={"services": {"web": {"build": "."}}}, Dockerfile="FROM busybox:bench\nRUN echo last-words; exit 7\n")  # fmt: skip
    done = compose.run("build")
    assert done.returncode != 0
    assert "last-words" in done.stdout + done.stderr
    assert "returned a non-zero code: 7" in done.stdout + done.stderr
    compose.write(Dockerfile="FROM busybox:bench\nRUM x\n")
    assert "Dockerfile:2: unknown instruction: RUM" in compose.run("build").stderr


def test_ctrl_c_ends_the_build(compose: Compose, client: docker.DockerClient) -> None:
    compose.write(compose_yaml={"services": {"web": {"build": "."}}}, Dockerfile="FROM busybox:bench\nRUN echo begun; sleep 1000\n")  # fmt: skip
    process = subprocess.Popen(
        [str(compose.program), "--progress", "plain", "build"], cwd=compose.folder, env=compose.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout
    for line in process.stdout:
        if "begun" in line and "RUN" not in line:
            break
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    process.wait(20)
    process.stdout.close()
    deadline = time.monotonic() + 10
    while client.containers.list(all=True, ignore_removed=True):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # it is taken away after the client has gone
