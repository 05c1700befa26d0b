"""Starting the engine's helper processes: without trio, so that they boot while it is imported."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass

from engine.runtime import syscalls as sc

#: What a process that is seen inside keeps of the engine's environment.
PLAIN = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE",
         "PYCOMPOSE_ROOT", "PYCOMPOSE_RUN_DIR")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Helper:
    """A process and our end of its SOCK_SEQPACKET channel; it ends when that is closed."""

    process: subprocess.Popen[bytes]
    channel: socket.socket

    def close(self) -> None:
        """Hang up, and wait for its end. Idempotent."""
        self.channel.close()
        self.process.wait()


def spawn(module: str, *, seen_inside: bool = False) -> Helper:
    """Run `python -m module FD` in a session of its own, FD being the channel's other end.

    `seen_inside` is for what those in a container may come to see with CAP_SYS_PTRACE: its
    environment says nothing of the host's, and its interpreter's file cannot be written through
    /proc/PID/exe.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = {name: os.environ[name] for name in PLAIN if name in os.environ}
    interpreter = _read_only(sys.executable) if seen_inside else None
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(theirs.fileno())],
            executable=None if interpreter is None else f"/proc/self/fd/{interpreter}",
            pass_fds=(theirs.fileno(), *(() if interpreter is None else (interpreter,))),
            start_new_session=True,
            # The engine may have left the folder that its modules were found from.
            env={
                **(kept if seen_inside else os.environ),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
        )
    if interpreter is not None:
        os.close(interpreter)
    return Helper(process, ours)


def _read_only(path: str) -> int | None:
    """A file in a read-only mount of its own, in nobody's tree; None where that cannot be made.

    Whoever opens a process's executable goes through the mount it was executed from.
    """
    try:
        fd = sc.open_tree(sc.AT_FDCWD, path, sc.OPEN_TREE_CLONE | sc.OPEN_TREE_CLOEXEC)
    except OSError:  # without CAP_SYS_ADMIN, which containers need as well, or before Linux 5.12
        return None
    try:
        sc.mount_setattr(fd, set_=sc.MOUNT_ATTR_RDONLY)
    except OSError:
        os.close(fd)
        return None
    return fd
