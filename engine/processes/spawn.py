"""Starting the engine's helper processes: without trio, so that they boot while it is imported."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Helper:
    """A process and our end of its SOCK_SEQPACKET channel; it ends when that is closed."""

    process: subprocess.Popen[bytes]
    channel: socket.socket

    def close(self) -> None:
        """Hang up, and wait for its end. Idempotent."""
        self.channel.close()
        self.process.wait()


def spawn(module: str) -> Helper:
    """Run `python -m module FD` in a session of its own, FD being the channel's other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
            # The engine may have left the folder that its modules were found from.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    return Helper(process, ours)
