"""A terminal of the container's own devpts: its master for the monitor, its slave for the program.

It is made inside, so that /dev/pts/0 is there for those who ask for the terminal's name. What is
opened is checked: a mount of the user's could have put something else at /dev/ptmx. Sources: pty(7),
ioctl_tty(2).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct

from engine.runtime import mounting
from engine.runtime import syscalls as sc

TIOCSPTLCK, TIOCGPTPEER = 0x40045431, 0x5441
#: The multiplexer's device number.
PTMX = os.makedev(5, 2)


def open_terminal(root: int) -> tuple[int, int]:
    """(master, slave) of a new terminal in the root's /dev/pts. Raises OSError."""
    flags = os.O_RDWR | os.O_NOCTTY
    master = mounting.open_in_root(root, "/dev/pts/ptmx", flags)
    if master is None:
        raise OSError(errno.ENOENT, "no terminal can be made: the container has no /dev/pts/ptmx")
    status = os.fstat(master)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != PTMX:
        os.close(master)
        raise OSError(
            errno.ENODEV, "/dev/pts/ptmx in the container is not the terminal multiplexer"
        )
    fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
    return master, fcntl.ioctl(master, TIOCGPTPEER, flags | os.O_CLOEXEC)


def bind_console(root: int, slave: int) -> None:
    """The terminal as /dev/console too."""
    tree = sc.open_tree(slave, "", sc.OPEN_TREE_CLONE | sc.OPEN_TREE_CLOEXEC | sc.AT_EMPTY_PATH)
    try:
        mounting.place(root, tree, "/dev/console", folder=False)
    finally:
        os.close(tree)
