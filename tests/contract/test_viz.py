"""`alpha viz` draws what docker compose draws, but for the order of lines, which there is that of a Go map."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.own_engine import HOUSE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.peer
FILE = """
name: shop
services:
  web:
    image: nginx:1
    ports: ["8080:80", "127.0.0.1:8443:443/udp"]
    networks: [front, back]
    depends_on: {api: {condition: service_healthy}, cache: {condition: service_started}}
  api: {build: ., networks: [back], depends_on: [db]}
  db: {image: "postgres:16"}
  cache: {image: "redis:7"}
networks: {front: {}, back: {}}
"""


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--image --networks --ports",
        "--spaces --indentation-size 4 --ports",
        "--indentation-size 0",
    ],
)
def test_the_same_picture(flags: str, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(FILE)
    reference = next((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose"))
    said = [
        sorted(
            subprocess.run(
                [*program, "alpha", "viz", *flags.split()], cwd=tmp_path, check=True,
                capture_output=True, text=True,
            ).stdout.splitlines()
        )
        for program in ([str(reference)], [sys.executable, "-m", "compose"])
    ]  # fmt: skip
    assert said[1] == said[0]
