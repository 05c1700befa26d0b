"""Folders that have nothing to do with each other are marked so, where the file system knows of that."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from engine.storage.spread import GET_FLAGS, TOP, spread_folders_in


def flags_of(folder: Path) -> int | None:
    """A folder's flags; None where the file system has none."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        return int(struct.unpack("i4x", fcntl.ioctl(fd, GET_FLAGS, bytes(8)))[0])
    except OSError:
        return None
    finally:
        os.close(fd)


def test_a_folder_is_made_and_marked_once_and_for_all(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "containers"
    for _ in range(2):
        spread_folders_in(folder)
        flags = flags_of(folder)
        assert folder.stat().st_mode & 0o777 == 0o711
        assert flags is None or flags & TOP or "ext" not in kind_of(folder)


def test_a_file_system_that_knows_no_flags_is_no_error() -> None:
    spread_folders_in(Path("/dev/shm"))  # a tmpfs; the folder stays as it is


def kind_of(folder: Path) -> str:
    """The kind of the file system that a folder is on."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    on = [mount for mount in mounts if folder.is_relative_to(mount[1])]
    return max(on, key=lambda mount: len(mount[1]))[2]
