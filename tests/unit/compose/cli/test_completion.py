"""What TAB offers, from the tables; and what the three shells make of it, in the shells themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compose.cli import main as entry
from compose.cli.commands.completion import SCRIPTS
from compose.cli.completion import Tables, argument_kinds, wanted

HOUSE = Path(__file__).resolve().parents[4]
TABLES = Tables(
    entry.GLOBAL_FLAGS,
    {name: text for name, (_, text) in {**entry.COMMANDS, **entry.MANAGEMENT}.items()},
    entry.find_command,
)
PROJECT = {
    "name": "tabs",
    "services": {
        "web": {"image": "x"},
        "worker": {"image": "x"},
        "db": {"image": "x", "profiles": ["debug"]},
    },
    "include": ["more.yaml"],
}


def words(line: str) -> set[str]:
    found, _ = wanted(line.split(" "), TABLES)
    return {word for word, _ in found.words}


def kind(line: str) -> str:
    return wanted(line.split(" "), TABLES)[0].kind


def test_commands_groups_and_flags() -> None:
    assert {"up", "container", "completion", "graph"} <= words("")
    assert "alpha" not in words("")
    assert {"run", "ls"} <= words("container ")
    assert {"--follow", "-f", "--help"} <= words("logs -")
    assert "-f" not in words("logs --")
    assert {"--file", "--profile"} <= words("--")
    assert words("completion ") == {"bash", "zsh", "fish"}
    assert words("nonsense ") == set()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("logs ", "services"),
        ("logs web ", "services"),
        ("-f x --profile y logs --tail 5 ", "services"),
        ("exec -u me ", "services"),
        ("exec web ", ""),
        ("port web ", ""),
        ("--profile ", "profiles"),
        ("-p ", "projects"),
        ("-f ", "files"),
        ("--project-directory ", "folders"),
        ("cp ", "services: files"),
        ("scale ", "services="),
        ("up --no-attach ", "services"),
        ("container rm a ", "containers"),
        ("container ps ", ""),
        ("network connect ", "networks"),
        ("network connect n ", "containers"),
        ("volume rm ", "volumes"),
        ("container run ", "images"),
        ("container run --network ", "networks"),
        ("container run --network=", "--network= networks"),
        ("logs -- ", "services"),
    ],
)
def test_what_an_argument_is(line: str, expected: str) -> None:
    assert kind(line) == expected


def test_choices() -> None:
    assert words("--progress ") == {"auto", "tty", "plain", "json", "quiet"}
    assert words("up --pull=") == {f"--pull={one}" for one in ("always", "missing", "never", "build")}  # fmt: skip


def test_usages() -> None:
    assert argument_kinds("wait SERVICE [SERVICE...] [OPTIONS]") == [("services", True)]
    assert argument_kinds("port [OPTIONS] SERVICE PRIVATE_PORT") == [("services", False), ("", False)]  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(json.dumps(PROJECT))
    (tmp_path / "more.yaml").write_text("services: {extra: {image: x}}")
    program = tmp_path / "bin" / "pycompose"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m compose "$@"\n')
    program.chmod(0o755)
    for shell, text in SCRIPTS.items():
        (tmp_path / f"script.{shell}").write_text(text)
    return tmp_path


def run(project: Path, *command: str) -> list[str]:
    """The lines that a program prints in the project's folder, sorted; no engine answers there."""
    environment = {
        **os.environ, "PATH": f"{project / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(HOUSE),
        "PYCOMPOSE_HOST": "unix:///nowhere", "HOME": str(project),
    }  # fmt: skip
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return sorted(line for line in done.stdout.splitlines() if line)


def test_names_come_from_the_files_and_no_engine_is_started(project: Path) -> None:
    ask = ("pycompose", "__complete")
    assert run(project, *ask, "logs", "") == ["db", "extra", "web", "worker"]
    assert run(project, *ask, "--profile", "") == ["debug"]
    assert run(project, *ask, "container", "rm", "") == []
    assert run(project, *ask, "-f", "missing.yaml", "logs", "") == []
    (project / "compose.yaml").write_text("services: [")
    assert run(project, *ask, "logs", "") == []


def test_bash(project: Path) -> None:
    script = (
        'source ./script.bash; try() { COMP_LINE="pycompose $1"; COMP_POINT=${#COMP_LINE}; '
        'COMPREPLY=(); _pycompose 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"; }; '
    )
    assert run(project, "bash", "-c", script + "try 'logs w'") == ["web", "worker"]
    assert run(project, "bash", "-c", script + "try '--progress=p'") == ["plain"]
    assert run(project, "bash", "-c", script + "try 'scale we'") == ["web="]
    assert run(project, "bash", "-c", script + "try '-f comp'") == ["compose.yaml"]
    assert "container" in run(project, "bash", "-c", script + "try 'con'")


@pytest.mark.peer  # of the shells, only bash is everywhere; `make peers` installs the others
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_read_their_scripts(shell: str, project: Path) -> None:
    if shell == "fish":
        told = run(project, "fish", "-c", "source script.fish; complete -C 'pycompose logs w'")
        assert [line.split("\t")[0] for line in told] == ["web", "worker"]
    else:
        script = "autoload -Uz compinit; compinit -D; source ./script.zsh; print $_comps[pycompose]"
        assert run(project, "zsh", "-fc", script) == ["_pycompose"]
