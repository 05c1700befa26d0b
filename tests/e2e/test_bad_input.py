"""Bad input: one line with what, where and what to do; docker compose's exit code; no traceback."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.conftest import HOUSE, Person

pytestmark = pytest.mark.root


def refused(person: Person, folder: Path, text: str, *arguments: str) -> str:
    """What a command that must fail says: exit code 1, one line on stderr, nothing of a traceback."""
    (folder / "compose.yaml").write_text(text)
    done = person.pycompose(*arguments, cwd=folder)
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("services: [a: b\n", ("compose.yaml:", "expected")),
        ("services:\n  a:\n    imagge: x\n", ("compose.yaml:3:5", "services.a.imagge", 'did you mean "image"')),
        (
            "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n",
            ("cycle", "a -> b -> a"),
        ),
        ("services:\n  a: {image: x, networks: [nowhere]}\n", ("nowhere", "undefined network")),
        ("services:\n\ta: {image: x}\n", ("compose.yaml:2:1", "tab")),
    ],
)  # fmt: skip
def test_a_broken_project_is_one_clear_line(
    person: Person, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    line = refused(person, tmp_path, text, "config")
    assert not [word for word in words if word not in line], line


def test_a_missing_image_is_named(person: Person, tmp_path: Path) -> None:
    text = "services: {a: {image: 'localhost:1/nowhere/nothing:1'}}"
    line = refused(person, tmp_path, text, "up", "-d")
    assert "localhost:1/nowhere/nothing:1" in line
    assert person.does("ps", "-aq", cwd=tmp_path).strip() == ""


def test_a_taken_port_is_named_with_its_holder_and_the_rest_runs_on(
    person: Person, busybox: str, tmp_path: Path
) -> None:
    holder = http.server.ThreadingHTTPServer(("0.0.0.0", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=holder.serve_forever)
    thread.start()
    try:
        port = holder.server_address[1]
        sleeping = {"image": busybox, "command": ["sleep", "1000"], "init": True}
        good = {"services": {"good": sleeping}}
        (tmp_path / "compose.yaml").write_text(json.dumps(good))
        person.does("up", "-d", cwd=tmp_path)
        both = {"services": {"good": sleeping, "bad": {**sleeping, "ports": [f"{port}:80"]}}}
        line = refused(person, tmp_path, json.dumps(both), "up", "-d")
        assert f"{port}" in line
        assert "already allocated" in line
        assert "python" in line
        assert "good-1" in person.does("ps", cwd=tmp_path)
    finally:
        holder.shutdown()
        thread.join()
        holder.server_close()
        person.does("down", "-t", "0", cwd=tmp_path)


def test_a_program_that_is_not_there(person: Person, busybox: str, tmp_path: Path) -> None:
    text = json.dumps({"services": {"a": {"image": busybox, "command": ["no-such-program"]}}})
    line = refused(person, tmp_path, text, "up", "-d")
    assert 'exec: "no-such-program": executable file not found in $PATH' in line
    person.does("down", cwd=tmp_path)


def test_without_root_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {a: {image: x}}")
    tmp_path.chmod(0o755)
    script = (
        # SECBIT_NO_SETUID_FIXUP: not root by name, but able to read wherever Python is installed
        "import ctypes, os, sys; ctypes.CDLL(None).prctl(28, 4, 0, 0, 0)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        f"os.environ.update(HOME={str(tmp_path)!r}, XDG_RUNTIME_DIR={str(tmp_path / 'none')!r})\n"
        f"sys.path.insert(0, {str(HOUSE)!r}); sys.argv = ['pycompose', 'up', '-d']\n"
        "from compose.cli.main import run; run()\n"
    )
    for folder in tmp_path.parents:
        if folder != Path("/") and folder.stat().st_uid == 0 and "pytest" in str(folder):
            folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done
    assert "root" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("up", "--nope"), "--nope"),
        (("frobnicate",), "frobnicate"),
        (("-f", "nope.yaml", "ps"), "nope.yaml"),
    ],
)
def test_a_wrong_command_line(
    person: Person, tmp_path: Path, arguments: tuple[str, ...], word: str
) -> None:
    assert word in refused(person, tmp_path, "services: {a: {image: x}}", *arguments)


@pytest.mark.parametrize("name", ["compose.yaml", ".env", "e.env", "more.yaml", "base.yaml"])
def test_a_file_that_may_not_be_read(tmp_path: Path, name: str) -> None:
    texts = {
        "compose.yaml": "include: [more.yaml]\nservices: {a: {env_file: e.env, extends: {file: base.yaml, service: a}}}",
        ".env": "A=1",
        "e.env": "B=1",
        "more.yaml": "services: {b: {image: x}}",
        "base.yaml": "services: {a: {image: x}}",
    }
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    (tmp_path / name).chmod(0o600)
    (tmp_path / "warm").mkdir()
    (tmp_path / "warm/compose.yaml").write_text("services: {a: {image: x, env_file: none}}")
    script = (
        "import os, sys; from compose.cli.main import main\n"
        "warm = [main(['--project-directory', where, 'config', '-q']) for where in ('.', 'warm')]\n"
        "assert warm == [0, 1]; print(file=sys.stderr)\n"  # all is imported that must be readable
        "os.seteuid(65534); sys.exit(main(['config', '-q']))\n"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/") and folder.stat().st_uid == 0 and "pytest" in str(folder):
            folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(HOUSE)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    *_, line = done.stderr.splitlines()
    assert done.returncode == 1, done
    assert line.endswith(f"{name}: permission denied: make it readable for you"), line
