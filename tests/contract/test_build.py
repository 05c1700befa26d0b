"""Builds beside the real ones: our client on dockerd, docker's clients on our engine, the same bake file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bench.sides import import_image
from tests.contract.dockerd import is_installed, running_dockerd
from tests.own_engine import HOUSE, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.peer]
DOCKERFILE = """FROM busybox:bench AS dep
ARG A=default
RUN echo "$A" > /a
FROM busybox:bench
WORKDIR /w
COPY . .
COPY --from=dep /a /a
ENV X=1 Y="two words"
LABEL l=v
EXPOSE 80 53/udp
USER 5:6
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT ["sleep"]
CMD ["1000"]
"""
PROJECT = """
services:
  b:
    image: foo/b:1
    build:
      context: ./b
      dockerfile_inline: |
        FROM busybox
      args: {A: "1", N: }
      labels: {x: y}
      tags: ["foo/b:2"]
      target: t
      platforms: [linux/amd64]
      secrets: [s, {source: e, target: envs}]
      ssh: [default, "k=/tmp/x"]
      network: host
      additional_contexts: {lib: ./lib, img: docker-image://busybox, a: "service:a"}
      cache_from: ["type=local,src=/x", "foo/b:0"]
      cache_to: ["type=local,dest=/x"]
      no_cache: true
      pull: true
      shm_size: 64m
      ulimits: {nofile: 100, nproc: {soft: 1, hard: 2}}
      extra_hosts: ["h=1.2.3.4"]
      entitlements: [network.host]
  a:
    build: {context: ./a, dockerfile: D}
secrets: {s: {file: ./s}, e: {environment: E}}
"""


def reference() -> str:
    return str(next((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose")))


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Both engines, each with busybox:bench."""
    if not is_installed():
        pytest.skip("needs Debian's docker.io")
    with (
        running_engine(tmp_path_factory.mktemp("own"), "10.106.128.0/17") as own,
        running_dockerd(tmp_path_factory.mktemp("dockerd")) as docker,
    ):
        for host in (own.host, docker):
            import_image(host)
        yield {"own": own.host, "docker": docker}


def facts(host: str, image: str) -> dict:
    """What both engines must make the same."""
    import docker

    client = docker.DockerClient(base_url=host)
    try:
        found = client.images.get(image).attrs
        config = {key: value for key, value in found["Config"].items() if value}
        for name in ("Image", "Hostname", "Domainname", "ArgsEscaped", "OnBuild"):
            config.pop(name, None)
        config["Labels"] = {
            k: v for k, v in config["Labels"].items() if not k.startswith("com.docker")
        }
        container = client.containers.create(image)
        pieces, _ = container.get_archive("/w/f")
        archive = b"".join(pieces)
        container.remove(v=True)
        return {**config, "Env": sorted(config["Env"]), "f": b"content" in archive}
    finally:
        client.close()


def test_the_same_image_by_every_way(hosts: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "f").write_text("content")
    (tmp_path / "compose.yaml").write_text(
        json.dumps(
            {
                "services": {
                    "web": {"image": "same:1", "build": {"context": ".", "args": {"A": "1"}}}
                }
            }
        )
    )
    ours = [sys.executable, "-m", "compose", "--project-directory", str(tmp_path)]
    ways = [
        ("docker", [*ours, "build"]), ("own", [*ours, "build"]),
        ("own", [reference(), "--project-directory", str(tmp_path), "build"]),
        ("own", ["docker", "build", "-t", "same:1", "--build-arg", "A=1", "--label", "l=v", str(tmp_path)]),
    ]  # fmt: skip
    found = []
    for side, command in ways:
        host = hosts[side]
        environment = {
            **os.environ, "PYCOMPOSE_HOST": host, "DOCKER_HOST": host, "DOCKER_BUILDKIT": "0",
            "COMPOSE_BAKE": "false", "PYTHONPATH": str(HOUSE),
        }  # fmt: skip
        if "docker-compose" in command[0]:
            environment["DOCKER_BUILDKIT"] = "1"
        done = subprocess.run(command, cwd=HOUSE, env=environment, capture_output=True, text=True, check=False, timeout=100)  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        found.append(facts(host, "same:1"))
    assert found[1] == found[0]
    assert found[2] == found[0]
    assert found[3] == found[0]


def test_what_only_our_engine_takes_is_refused_elsewhere(
    hosts: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox:bench\n")
    (tmp_path / "s").write_text("x")
    project = {
        "services": {"web": {"build": {"context": ".", "secrets": ["s"]}}},
        "secrets": {"s": {"file": "./s"}},
    }
    (tmp_path / "compose.yaml").write_text(json.dumps(project))
    done = subprocess.run(
        [sys.executable, "-m", "compose", "--project-directory", str(tmp_path), "build"], cwd=HOUSE,
        env={**os.environ, "PYCOMPOSE_HOST": hosts["docker"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "secrets needs pycompose's own engine" in done.stderr


def test_the_bake_file_is_docker_compose_s(tmp_path: Path) -> None:
    for name in ("a", "b", "lib"):
        (tmp_path / name).mkdir()
    (tmp_path / "s").touch()
    (tmp_path / "compose.yaml").write_text(PROJECT)
    environment = {
        **os.environ,
        "E": "1",
        "PYTHONPATH": str(HOUSE),
        "DOCKER_HOST": "unix:///nowhere",
    }
    documents = []
    for command in ([reference()], [sys.executable, "-m", "compose"]):
        done = subprocess.run(
            [*command, "build", "--print"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )  # fmt: skip
        documents.append(json.loads(done.stdout))
    theirs, ours = documents
    assert sorted(ours["group"]["default"]["targets"]) == sorted(
        theirs["group"]["default"]["targets"]
    )
    for document in documents:
        for target in document["target"].values():
            for key in ("ulimits", "ssh", "secret"):  # theirs are in a map's order
                target[key] = sorted(target.get(key, ()))
    assert ours["target"] == theirs["target"]
