"""Version 1's layout loads as what it meant, with a note; what only resembles it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.errors import ProjectError
from compose.loader.load import Loaded, LoadRequest, load_project

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path, text: str) -> Loaded:
    (folder / "compose.yaml").write_text(text)
    return load_project(LoadRequest(working_dir=str(folder), project_name="p"))


BOOK = """\
identidock:
  build: .
  dockerfile: Dockerfile.dev
  ports: ["5000:5000"]
  links: [dnmonster, redis]
  volumes: ["./app:/app", "data:/data"]
dnmonster:
  image: amouat/dnmonster:1.0
  log_driver: syslog
  log_opt: {tag: x}
redis:
  image: redis
  net: "container:dnmonster"
"""


def test_the_book_s_file_loads(tmp_path: Path) -> None:
    loaded = load(tmp_path, BOOK)
    services = loaded.project.services
    assert list(services) == ["dnmonster", "identidock", "redis"]
    assert services["identidock"].build is not None
    assert services["identidock"].build.dockerfile == "Dockerfile.dev"
    assert set(services["identidock"].depends_on) == {"dnmonster", "redis"}
    assert services["dnmonster"].logging_driver == "syslog"
    assert services["redis"].network_mode == "service:dnmonster"
    assert loaded.project.volumes["data"].name == "data"
    (note,) = loaded.warnings
    assert note.startswith("compose.yaml: this is the layout of version 1")
    assert "write `services:` as the first line" in note


def test_its_faults_have_their_places(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as refused:
        load(tmp_path, "web:\n  image: x\n  prots: ['80:80']\n  links: [gone]\n")
    assert refused.value.lines == [
        'compose.yaml:3:3: services.web.prots: unknown attribute, did you mean "ports"?',
        "compose.yaml:4:11: services.web.links[0]: depends on undefined service 'gone': define it, or remove this",
    ]


@pytest.mark.parametrize(
    "text",
    ["web: {image: x}\nnetworks: {n: }\n", "web: {command: x}\n", "web: {image: x}\nx-a: 1\n", "web: text\n", "service: {web: {image: x}}\n"],
)  # fmt: skip
def test_what_is_not_quite_it_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProjectError, match=r"unknown attribute"):
        load(tmp_path, text)
