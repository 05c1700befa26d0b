"""Compose files from a registry and from a Git repository, beside docker compose."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.contract import reference
from tests.integration.engine.images import docker_registry
from tests.own_engine import HOUSE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.peer
WHO = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"), "somebody@example.org")  # fmt: skip


class Sides:
    """Both programs in one folder, with a home and a cache of their own."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder = folder / "here"
        self.folder.mkdir()
        (self.folder / ".env").write_text("TAG=here\n")
        self._environment = {
            **{key: value for key, value in os.environ.items() if "COMPOSE" not in key},
            **WHO,
            **more,
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONPATH": str(HOUSE),
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A program of any kind."""
        return subprocess.run(
            words, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def ours(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "compose", *words)

    def assert_equal(self, *words: str) -> str:
        """The same but for the folder of what was fetched; returns our errors."""
        program = reference.program()
        assert program is not None, "sh .ci/reference installs it"
        right, mine = self.run(str(program), *words), self.ours(*words)
        assert mine.returncode == right.returncode, (mine.stderr, right.stderr)
        theirs = right.stdout.replace("/docker-compose/", "/pycompose/remote/")
        assert mine.stdout.rstrip("\n") == theirs.rstrip("\n")
        assert not right.returncode or len(mine.stderr.splitlines()) == 1
        return mine.stderr


def test_what_was_published_is_read_back(tmp_path: Path) -> None:
    assert docker_registry.is_installed(), "`make peers` installs docker-registry"
    with docker_registry.running(tmp_path / "registry", tls=True) as registry:
        sides = Sides(tmp_path, SSL_CERT_FILE=str(tmp_path / "registry" / "tls.crt"))
        source = tmp_path / "source"
        source.mkdir()
        (source / "x.env").write_text("B=2\n")
        (source / "compose.yaml").write_text(
            "services:\n  web: {image: 'busybox:${TAG:-1}', env_file: ./x.env, volumes: ['./data:/data']}\n"
        )
        name = f"{registry.host}/team/app"
        done = sides.ours("--project-directory", str(source), "publish", "--with-env", "-y", f"{name}:1")  # fmt: skip
        assert done.returncode == 0, done.stderr
        (sides.folder / "compose.yaml").write_text(
            f"include: ['oci://{name}:1']\nservices: {{own: {{image: i, extends: {{file: 'oci://{name}:1', service: web}}}}}}\n"
        )
        sides.assert_equal("-f", f"oci://{name}:1", "config")
        sides.assert_equal("config")
        sides.assert_equal("-f", f"oci://{name}:1", "-f", "compose.yaml", "config")
        assert "manifest unknown" in sides.assert_equal("-f", f"oci://{name}:2", "config")
        sides.assert_equal("-f", "oci://127.0.0.1:1/x", "config")
        sides.assert_equal("-f", "oci://", "config")
        assert not list((tmp_path / "cache" / "pycompose" / "remote").glob("*.*"))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """git:// of the repositories in a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    daemon = subprocess.Popen(
        ["git", "daemon", "--export-all", f"--base-path={folder}", "--listen=127.0.0.1", f"--port={port}", "--reuseaddr"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert daemon.poll() is None
                time.sleep(0.02)  # another program's start has no event to wait for
        yield f"git://127.0.0.1:{port}"
    finally:
        daemon.terminate()
        daemon.wait()


def test_a_repository(tmp_path: Path) -> None:
    assert shutil.which("git")
    work, sides = tmp_path / "work", Sides(tmp_path)
    (work / "sub").mkdir(parents=True)
    (work / "compose.yaml").write_text(
        "name: repo\nservices: {web: {image: 'w:${TAG:-1}', build: ., volumes: ['./d:/d']}}\n"
    )
    (work / "sub" / "docker-compose.yml").write_text(
        "services: {low: {image: low, env_file: e.env}}\n"
    )
    (work / "sub" / "e.env").write_text("A=1\n")
    git = ("git", "-C", str(work))
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "one"), ("tag", "v1")):  # fmt: skip
        assert sides.run(*git, *words).returncode == 0
    commit = sides.run(*git, "rev-parse", "HEAD").stdout.strip()
    (work / "compose.yaml").write_text("name: repo\nservices: {later: {image: w}}\n")
    assert sides.run(*git, "commit", "-qam", "two").returncode == 0
    assert sides.run("git", "clone", "-q", "--bare", str(work), str(tmp_path / "bare" / "x.git")).returncode == 0  # fmt: skip
    with served(tmp_path / "bare") as address:
        name = f"{address}/x.git"
        (sides.folder / "compose.yaml").write_text(f"include: ['{name}#main:sub', '{name}#v1']\n")
        for remote in (name, f"{name}#v1", f"{name}#main:sub", f"{name}#{commit}"):
            sides.assert_equal("-f", remote, "config")
        sides.assert_equal("config")
        for wrong in (f"{name}#nope", f"{name}#main:nope", f"{name}#main:../..", f"{address}/y.git"):  # fmt: skip
            sides.assert_equal("-f", wrong, "config")
        assert "no branch, tag" in sides.ours("-f", f"{name}#--upload-pack=x", "config").stderr


def test_who_brings_up_what_lies_elsewhere_is_asked(tmp_path: Path) -> None:
    work, nowhere = tmp_path / "work", "unix:///nowhere/at.all"
    sides = Sides(tmp_path, DOCKER_HOST=nowhere, PYCOMPOSE_HOST=nowhere, NEED="1", GIVEN="shell")
    work.mkdir()
    (work / "plain.yaml").write_text("name: repo\nservices: {web: {image: w}}\n")
    (work / "compose.yaml").write_text(
        "name: repo\nservices: {web: {image: 'w:${TAG:-1}', labels: {a: '${NEED?}${GIVEN-}${X+y}'}}}\n"
    )
    git = ("git", "-C", str(work))
    with served(tmp_path) as address:
        name = f"{address}/work#main"
        (work / "more.yaml").write_text(f"name: more\ninclude: ['{name}:plain.yaml']\n")
        for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "one")):
            assert sides.run(*git, *words).returncode == 0
        for command in (("up", "-d"), ("up",), ("run", "-e", "NEED=2", "web")):
            refused = sides.assert_equal("-f", name, *command)
            assert refused == "operation cancelled by user\n"
        said = sides.ours("-f", f"{name}:more.yaml", "up", "-d")
        assert said.stderr == "operation cancelled by user\n"
        assert f"  - {name}:plain.yaml\n" in said.stdout
        for remote, *command in ((f"{name}:plain.yaml", "up", "-d"), (name, "up", "-dy")):
            mine = sides.ours("-f", remote, *command)
            assert "is stored in" in mine.stdout, mine
            assert "no engine answers" in mine.stderr
