"""Parsed files kept by content: the same trees, the same places of errors, and nobody else's files."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compose.errors import ProjectError
from compose.loader import cache
from compose.loader.load import LoadRequest, load_project

TEXT = "services:\n  a: &a {image: x, ports: ['80:80'], command: !reset c}\n  b: {<<: *a, scale: 2}\n---\nservices: {a: {tty: true}}\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def load(folder: Path, home: Path, text: str, **more: str) -> object:
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "compose.yaml").write_text(text)
    environment = {"HOME": str(home), **more}
    return load_project(LoadRequest(working_dir=str(project), environment=environment)).project


def kept(home: Path) -> list[Path]:
    return sorted((home / ".cache" / "pycompose" / "parsed").glob("*"))


def test_what_is_kept_is_what_was_read(tmp_path: Path, home: Path) -> None:
    first = load(tmp_path, home, TEXT)
    (file,) = kept(home)
    assert file.stat().st_mode & 0o077 == 0 or file.parent.stat().st_mode & 0o077 == 0
    assert load(tmp_path, home, TEXT) == first
    load(tmp_path, home, TEXT.replace("80:80", "81:80"))
    assert len(kept(home)) == 2


def test_it_is_used(tmp_path: Path, home: Path) -> None:
    load(tmp_path, home, "services: {a: &a {image: x}}")
    (file,) = kept(home)
    file.write_bytes(marshal.dumps([({"services": {"z": {"image": "other"}}}, ())]))
    project = load(tmp_path, home, "services: {a: &a {image: x}}")
    assert set(project.services) == {"z"}  # type: ignore[attr-defined]


def test_a_large_file_that_needs_no_reader_is_kept_too(tmp_path: Path, home: Path) -> None:
    text = "services: {a: {image: x}}\n"
    first = load(tmp_path, home, text)
    assert kept(home) == []
    large = text + "#" * 20_000
    assert load(tmp_path, home, large) == first
    assert len(kept(home)) == 1
    assert load(tmp_path, home, large) == first


@pytest.mark.parametrize("rubbish", [b"", b"\xff\xff", b"{", marshal.dumps(5)[:2]])
def test_what_is_broken_is_read_anew(tmp_path: Path, home: Path, rubbish: bytes) -> None:
    first = load(tmp_path, home, TEXT)
    kept(home)[0].write_bytes(rubbish)
    assert load(tmp_path, home, TEXT) == first


def test_errors_have_their_places(tmp_path: Path, home: Path) -> None:
    text = "services:\n  a: {image: x}\n---\nservices:\n  a:\n    ports: ['1:x', '2:y']\n    networks: [nope]\n"
    messages = []
    for _ in range(2):
        with pytest.raises(ProjectError) as refused:
            load(tmp_path, home, text)
        messages.append(refused.value.lines)
    assert len(kept(home)) == 1
    assert messages[0] == messages[1]
    assert [line.split(": ")[0] for line in messages[0]] == [
        "compose.yaml:6:13",
        "compose.yaml:6:20",
        "compose.yaml:7:16",
    ]


def test_what_is_faulty_or_has_dates_is_not_kept(tmp_path: Path, home: Path) -> None:
    load(tmp_path, home, "services: {a: {image: x}}\nx-day: 2024-01-02\n")
    with pytest.raises(ProjectError):
        load(tmp_path, home, "services: {a: {image: x, image: y}}\n")
    assert kept(home) == []


@pytest.mark.parametrize(
    "switch", [{"PYCOMPOSE_NO_CACHE": "1"}, {"HOME": "/nonexistent"}, {"HOME": ""}]
)
def test_it_can_be_off(tmp_path: Path, home: Path, switch: dict[str, str]) -> None:
    load(tmp_path, home, TEXT, **switch)
    assert kept(home) == []


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, home: Path) -> None:
    (home / ".cache").write_text("a file")
    load(tmp_path, home, TEXT)


def test_the_oldest_go(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_KEPT", 4)
    for number in range(6):
        load(tmp_path, home, f"services: {{a: &a {{image: 'x:{number}'}}}}")
        newest = kept(home)[-1]
        os.utime(newest)
    assert len(kept(home)) <= 4


def test_the_second_load_imports_no_yaml(tmp_path: Path, home: Path) -> None:
    load(tmp_path, home, "services: {a: &a {image: x}}")
    script = (
        "import sys\n"
        "from compose.cli.main import main\n"
        "assert main(['config', '-q']) == 0\n"
        "heavy = {'yaml', 'jsonschema', 'dataclasses', 'compose.loader.render', 'compose.loader.go_json'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    house = Path(__file__).parents[4]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(house)}
    subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "project", check=True, env=environment
    )
