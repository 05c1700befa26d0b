"""--dry-run: whatever the command, the project and its folder are after it what they were before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Person

pytestmark = pytest.mark.root
COMMANDS = [
    "stop", "kill", "pause", "restart", "rm -fs", "down -v --rmi all", "up -d --force-recreate",
    "up -d --scale web=3", "create --force-recreate", "scale web=2", "cp compose.yaml web:/x",
    "cp web:/bin/busybox out", "exec -T web sh -c x>/y", "run --rm web true", "run -d web sleep 6",
    "commit web x:1", "export -o out web", "start", "build", "attach web", "publish -y localhost:1/x",
]  # fmt: skip


def snapshot(person: Person, folder: Path) -> tuple[str, ...]:
    return (
        person.does("container", "ls", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}} {{.Names}}"),
        person.does("container", "diff", f"{folder.name}-web-1"),
        person.does("volume", "ls", "-q"),
        person.does("image", "ls", "-q"),
        " ".join(sorted(path.name for path in folder.iterdir())),
    )  # fmt: skip


def test_nothing_is_touched(person: Person, busybox: str, tmp_path: Path) -> None:
    folder = tmp_path / "rehearsed"
    folder.mkdir()
    service = {"image": busybox, "command": ["sleep", "1000"], "volumes": ["data:/data"]}
    document = {"services": {"web": service}, "volumes": {"data": {}}}
    (folder / "compose.yaml").write_text(json.dumps(document))
    person.does("up", "-d", cwd=folder)
    try:
        before = snapshot(person, folder)
        for line in COMMANDS:
            done = person.pycompose("--dry-run", *line.split(), cwd=folder, stdin="", timeout=20)
            refuses = line.startswith(("exec", "run --rm"))
            assert done.returncode == refuses, (line, done.stderr)
            assert refuses == ("is not supported in dry-run mode" in done.stderr)
        refused = person.pycompose("--dry-run", "container", "rm", "-f", "rehearsed-web-1")
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert snapshot(person, folder) == before
    finally:
        person.does("down", "-v", "-t", "0", cwd=folder)
