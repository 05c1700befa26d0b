"""Tells a file system that the folders in a folder have nothing to do with each other.

Why: ext4 puts a folder near the one it is in, and all that is in it nearby. There it looks for an inode
past each one that was deleted in the last minutes (without a journal; recently_deleted in the kernel's
fs/ext4/ialloc.c), so that each container that has come and gone makes the next one dearer: a tenth to a
third of a start's CPU. Marked as the top of hierarchies (chattr +T), a folder has its folders spread.
"""

from __future__ import annotations

import fcntl
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: _IOR('f', 1, long), _IOW('f', 2, long), FS_TOPDIR_FL: linux/fs.h.
_SIZE = struct.calcsize("l") << 16
GET_FLAGS, SET_FLAGS = 0x80000000 | _SIZE | 0x6601, 0x40000000 | _SIZE | 0x6602
TOP = 0x00020000


def spread_folders_in(folder: Path) -> None:
    """Make the folder if it is not there, and mark it. Idempotent; elsewhere than on ext4 nothing."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        (flags,) = struct.unpack("i4x", fcntl.ioctl(fd, GET_FLAGS, bytes(8)))
        if not flags & TOP:
            fcntl.ioctl(fd, SET_FLAGS, struct.pack("i4x", flags | TOP))
    except OSError:
        pass  # a file system without the flag
    finally:
        os.close(fd)
