"""The house rules that a person would otherwise have to keep an eye on."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
PACKAGES = ("compose", "engine", "networking")
ROOMS = sorted(path for package in PACKAGES for path in (HOUSE / package).rglob("*.py"))
NAMES = [str(path.relative_to(HOUSE)) for path in ROOMS]
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "manager", "misc", "base"}
#: Rooms that may be longer than 400 lines, each with its reason.
LONG_ROOMS: dict[str, str] = {
    "compose/loader/schema.py": "one JSON Schema, which is data",
}


@pytest.mark.parametrize("path", ROOMS, ids=NAMES)
def test_a_room_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the first line of a module says what it is for"


@pytest.mark.parametrize("path", ROOMS, ids=NAMES)
def test_public_things_have_docstrings(path: Path) -> None:
    silent = [
        f"{node.name}:{node.lineno}"
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not silent


def test_rooms_are_small_enough_to_see_at_a_glance() -> None:
    long = {
        name: lines
        for path, name in zip(ROOMS, NAMES, strict=True)
        if (lines := len(path.read_text().splitlines())) > 450 and name not in LONG_ROOMS
    }
    assert not long


def test_no_room_is_a_drawer() -> None:
    assert not [name for name in NAMES if Path(name).stem in FORBIDDEN_NAMES]


def test_the_version_is_told_without_loading_the_house() -> None:
    script = (
        "import sys; sys.argv = ['pycompose', 'version', '--short']\n"
        "from compose.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'trio', 'yaml', 'jsonschema', 'rich', 'httpx', 'pyroute2', 'h11'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize(
    "folder", [p.parent for p in (HOUSE / "samples").glob("*/compose.yaml")], ids=lambda p: p.name
)
def test_every_sample_loads(folder: Path) -> None:
    command = [sys.executable, "-m", "compose", "--project-directory", str(folder), "config", "-q"]
    done = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_tells_of_the_machine_it_was_written_on() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: no list of files to read")
    telling = ("/work" + "/main", "/work" + "/shared", "/work" + "/brief")
    for name in listed.stdout.splitlines():
        path = HOUSE / name
        if path.is_file() and path.suffix != ".png":
            text = path.read_text(errors="replace")
            assert not [word for word in telling if word in text], name
