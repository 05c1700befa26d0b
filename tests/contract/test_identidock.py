"""The sample is an ordinary Compose project: docker compose runs the same folder on a Docker Engine."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import docker
import pytest

from tests.contract.dockerd import running_dockerd
from tests.e2e.conftest import HOUSE, person

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Person

pytestmark = [pytest.mark.root, pytest.mark.peer]
__all__ = ["person"]
IMAGES = ("identidock-identidock", "identidock-dnmonster", "identidock-redis")
#: Asks for the page, and twice for the picture on it; prints what came.
VISIT = """
import re, urllib.request as r
page = r.urlopen("http://localhost:5000/?name=Ada").read().decode()
picture = "http://localhost:5000" + re.search('src="(/monster/[0-9a-f]+)"', page)[1]
first, second = r.urlopen(picture), r.urlopen(picture)
print(first.headers["X-Cache"], second.headers["X-Cache"], first.read()[1:4].decode())
"""


def test_docker_compose_runs_the_sample_unchanged(person: Person, tmp_path: Path) -> None:
    """Docker's engine has no way out here, so the images are built by ours and loaded there."""
    folder = tmp_path / "identidock"
    shutil.copytree(HOUSE / "samples/identidock", folder)
    at = ("--project-directory", str(folder))
    person.does("image", "bootstrap", "debian:bookworm-slim")
    person.does(*at, "build")
    tar = tmp_path / "images.tar"
    person.does("image", "save", "--output", str(tar), *IMAGES)
    program = next((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose"))
    with running_dockerd(tmp_path / "dockerd") as host:
        client = docker.DockerClient(base_url=host, timeout=120)
        with tar.open("rb") as stream:
            client.images.load(stream)
        client.close()

        def compose(*arguments: str) -> str:
            done = subprocess.run(
                [str(program), *at, *arguments], text=True, capture_output=True, timeout=180,
                env={**os.environ, "DOCKER_HOST": host}, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        compose("up", "--detach", "--no-build", "--wait")
        said = compose("exec", "-T", "identidock", "python3", "-c", VISIT)
        assert said.split() == ["miss", "hit", "PNG"]
        compose("down", "--volumes")
