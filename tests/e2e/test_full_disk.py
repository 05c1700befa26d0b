"""A full disk: whatever `up` was at, it says so, nothing is half there, and with room again it goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.bench.sides import import_image
from tests.e2e.conftest import Person
from tests.e2e.projects import sleeping, write
from tests.own_engine import running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.root
FULL = "o space left on device"
NAMES = ("one", "two", "three", "four")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small file system for an engine's state."""
    folder = tmp_path_factory.mktemp("disk")
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,nr_inodes=3000", "small", folder], check=True
    )
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="module")
def dweller(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A person whose engine lives there."""
    folder = tmp_path_factory.mktemp("e2e")
    with running_engine(folder, "10.198.0.0/16", PYCOMPOSE_ROOT=str(disk / "root")) as engine:
        import_image(engine.host)
        yield Person(engine)


@pytest.fixture
def home(dweller: Person, tmp_path: Path) -> Iterator[Path]:
    """Four services with a volume; nothing is left of them, though the disk may be full."""
    volumes = {name: {} for name in NAMES}
    folder = tmp_path / "shop"
    folder.mkdir()
    write(folder, {name: sleeping(volumes=[f"{name}:/data"]) for name in NAMES}, volumes=volumes)
    yield folder
    dweller.does("down", "-t", "0", "-v", cwd=folder)
    assert dweller.does("ps", "-aq", cwd=folder) == ""
    assert dweller.does("volume", "ls", "-q") == ""


@contextmanager
def filled(disk: Path, files: int) -> Iterator[None]:
    """No byte is left on the disk while the block runs, and room for so many files without any."""
    ballast = disk / "ballast"
    ballast.mkdir()
    try:
        for number in range(os.statvfs(disk).f_favail - files - 1):
            (ballast / str(number)).touch()
        state = os.statvfs(disk)
        (ballast / "bytes").write_bytes(bytes(state.f_bavail * state.f_frsize))
        yield
    finally:
        shutil.rmtree(ballast)


@pytest.mark.parametrize("left", [0, 4, 10, 20])
def test_up_says_so_and_goes_on_when_there_is_room(
    dweller: Person, disk: Path, home: Path, left: int
) -> None:
    with filled(disk, left):
        done = dweller.pycompose("up", "-d", cwd=home)
        assert done.returncode == 1, done
        assert FULL in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        states = dweller.does("ps", "-a", "--format", "{{.State}}", cwd=home).split()
        assert set(states) <= {"running", "created"}
    dweller.does("up", "-d", cwd=home)
    assert dweller.does("ps", "--format", "{{.State}}", cwd=home).split() == ["running"] * 4
    assert dweller.pycompose("plan", cwd=home).returncode == 0


def test_down_needs_no_room(dweller: Person, disk: Path, home: Path) -> None:
    dweller.does("up", "-d", cwd=home)
    with filled(disk, 0):
        dweller.does("down", "-t", "0", "-v", cwd=home)
        assert dweller.does("ps", "-aq", cwd=home) == ""
