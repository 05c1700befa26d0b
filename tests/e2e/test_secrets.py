"""Secrets are in memory: nowhere on a disk, and there again after every kind of restart."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.projects import sleeping, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Person

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("busybox")]
WORDS = "xyzzy-plugh-4711"
KEY = "/run/secrets/key"
SOURCES = {"secrets": {"key": {"environment": "KEY"}}}


def vault(**more: Any) -> dict[str, Any]:
    """A service with the secret."""
    return sleeping(secrets=[{"source": "key", "uid": "7", "gid": "8", "mode": 0o440}], **more)


@pytest.fixture
def home(person: Person, tmp_path: Path) -> Iterator[Path]:
    """A project whose secret is given; after `down` nothing holds memory for it."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / ".env").write_text(f"KEY={WORDS}")
    write(folder, {"web": vault()}, **SOURCES)
    person.does("up", "-d", cwd=folder)
    yield folder
    person.does("down", "-t", "0", "-v", cwd=folder)
    assert not (person.run_dir / "secrets").exists()


def shown(person: Person, home: Path) -> str:
    """The secret as the container sees it."""
    return person.does("exec", "-T", "web", "cat", KEY, cwd=home)


def test_it_is_read_only_in_memory_and_owned(person: Person, home: Path) -> None:
    said = person.does("exec", "-T", "web", "stat", "-c", "%u:%g %a", KEY, cwd=home)
    assert said == "7:8 440\n"
    (line,) = person.does("exec", "-T", "web", "grep", KEY, "/proc/self/mounts", cwd=home).splitlines()  # fmt: skip
    kind, options = line.split()[2:4]
    assert kind == "tmpfs"
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options.split(","))
    written = person.pycompose("exec", "-T", "web", "sh", "-c", f"echo x > {KEY}", cwd=home)
    assert "Read-only file system" in written.stderr


def test_no_disk_has_it(person: Person, home: Path) -> None:
    person.does("stop", "-t", "0", cwd=home)
    person.does("commit", "web", "kept", cwd=home)
    root = person.environment["PYCOMPOSE_ROOT"]
    found = subprocess.run(["grep", "-rl", WORDS, root], capture_output=True, text=True, check=False)  # fmt: skip
    assert found.stdout == ""
    person.does("image", "rm", "kept")


def test_it_is_there_after_restarts_of_container_and_engine(person: Person, home: Path) -> None:
    person.does("restart", "-t", "0", cwd=home)
    assert shown(person, home) == WORDS
    person.does("stop", "-t", "0", cwd=home)
    assert person.engine.command("stop").returncode == 0
    assert person.engine.command("serve", "--detach").returncode == 0
    person.does("start", cwd=home)
    assert shown(person, home) == WORDS


def test_after_a_boot_its_lack_is_told_and_up_gives_it_again(person: Person, home: Path) -> None:
    person.does("stop", "-t", "0", cwd=home)
    assert person.engine.command("stop").returncode == 0
    subprocess.run(["umount", person.run_dir / "secrets"], check=True)
    assert person.engine.command("serve", "--detach").returncode == 0
    refused = person.pycompose("start", cwd=home)
    assert refused.returncode == 1
    assert "/run/secrets/key of container shop-web-1 was in memory only" in refused.stderr
    container = person.does("ps", "-aq", cwd=home)
    person.does("up", "-d", cwd=home)
    assert person.does("ps", "-q", cwd=home) == container
    assert shown(person, home) == WORDS


def test_another_secret_is_another_container(person: Person, home: Path) -> None:
    (home / ".env").write_text("KEY=another")
    person.does("up", "-d", "-t", "0", cwd=home)
    assert shown(person, home) == "another"
    assert len(os.listdir(person.run_dir / "secrets")) == 1


def test_a_read_only_root_and_a_one_off_have_it_too(person: Person, home: Path) -> None:
    hook = {"command": ["sh", "-c", f"grep -q {WORDS} {KEY}"]}
    write(home, {"web": vault(read_only=True, pre_start=[hook])}, **SOURCES)
    person.does("up", "-d", "-t", "0", cwd=home)
    assert shown(person, home) == WORDS
    assert person.does("run", "--rm", "-T", "web", "cat", KEY, cwd=home) == WORDS


def test_a_file_with_an_owner_reaches_a_read_only_service(person: Person, home: Path) -> None:
    (home / "key.txt").write_text("first")
    write(home, {"web": vault(read_only=True)}, secrets={"key": {"file": "key.txt"}})
    assert "ignored" not in person.pycompose("up", "-d", "-t", "0", cwd=home).stderr
    said = person.does("exec", "-T", "web", "stat", "-c", "%u:%g %a", KEY, cwd=home)
    assert (said, shown(person, home)) == ("7:8 440\n", "first")
    (home / "key.txt").write_text("second")
    person.does("up", "-d", "-t", "0", cwd=home)
    assert shown(person, home) == "second"
    assert person.pycompose("plan", cwd=home).returncode == 0
    owned = {"config": {"file": "key.txt"}}
    web = sleeping(read_only=True, configs=[{"source": "config", "uid": "7"}])
    write(home, {"web": web}, configs=owned)
    done = person.pycompose("up", "-d", "-t", "0", cwd=home)
    assert "services.web.configs.config: `uid`, `gid` and `mode` are not supported" in done.stderr
