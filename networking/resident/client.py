"""The engine's side of a resident, on trio: start or adopt it, ask it, hand it descriptors."""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import trio

from networking.resident.server import LIMIT

if TYPE_CHECKING:
    from pathlib import Path


class ResidentError(OSError):
    """The resident refused, or is gone."""


class Resident:
    """A connection; one request at a time, in order."""

    def __init__(self, channel: trio.socket.SocketType, name: str) -> None:
        self._channel = channel
        self._name = name
        self._turn = trio.Lock()

    async def perform(self, *fds: int, **request: Any) -> dict[str, Any]:
        """One request with descriptors (the caller's to close). Raises ResidentError."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        # Once sent, the answer must be taken by whoever sent, or the next one would get it.
        with trio.CancelScope(shield=True):
            async with self._turn:
                try:
                    await self._channel.sendmsg([json.dumps(request).encode()], rights)
                    raw = await self._channel.recv(LIMIT)
                except OSError as error:
                    raise ResidentError(f"the {self._name} is gone: {error.strerror}") from error
        if not raw:
            raise ResidentError(f"the {self._name} is gone: restart the engine")
        answer: dict[str, Any] = json.loads(raw)
        if "error" in answer:
            raise ResidentError(f"the {self._name} refused: {answer['error']}")
        return answer

    async def stop(self) -> None:
        """End the process. Idempotent."""
        try:
            await self.perform(op="stop")
        except ResidentError:
            pass  # that is what was wanted

    def close(self) -> None:
        """Hang up; the process goes on."""
        self._channel.close()


async def find_resident(run_dir: Path, socket_name: str, name: str) -> Resident | None:
    """The one that runs for a run folder already, if any."""
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    channel = trio.socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        await channel.connect(f"/proc/self/fd/{directory}/{socket_name}")
    except OSError:
        channel.close()
        return None
    finally:
        os.close(directory)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LIMIT)
    return Resident(channel, name)


async def open_resident(run_dir: Path, socket_name: str, module: str, name: str) -> Resident:
    """Connect to the run folder's, or start one, detached. Raises ResidentError."""
    found = await find_resident(run_dir, socket_name, name)
    if found is None:
        await trio.to_thread.run_sync(_start, run_dir, module)
        found = await find_resident(run_dir, socket_name, name)
    if found is None:
        raise ResidentError(f"the {name} does not answer: see {run_dir}/engine.log")
    return found


def _start(run_dir: Path, module: str) -> None:
    """Start it and wait for its word, in a session of its own: it ends when it is told to."""
    command = [sys.executable, "-m", module, str(run_dir)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        # It ends by itself, long after us: Popen must neither wait for it nor warn.
        process.returncode = 0
