"""The engine's side of the DNS server, on trio: start or adopt it, hand it sockets and zones."""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import trio

from networking.dns.server import SOCKET_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from networking.dns.zone import Zone


class Dns:
    """A connection to the server."""

    def __init__(self, channel: trio.socket.SocketType) -> None:
        self._channel = channel
        self._turn = trio.Lock()

    async def add(
        self,
        container: str,
        networks: tuple[str, ...],
        sockets: tuple[int, int],
        upstreams: tuple[str, ...],
    ) -> None:
        """Serve a container on its two sockets, which are handed over (the caller closes its copies)."""
        await self._perform(
            *sockets, op="add", container=container, networks=networks, upstreams=upstreams
        )

    async def set_networks(self, container: str, networks: tuple[str, ...]) -> None:
        """The networks whose names a container sees, in order."""
        await self._perform(op="networks", container=container, networks=networks)

    async def remove(self, container: str) -> None:
        """A container is gone. Idempotent."""
        await self._perform(op="remove", container=container)

    async def set_zone(self, zone: Zone, upstreams: tuple[str, ...]) -> None:
        """Replace all names at once."""
        await self._perform(op="zone", zone=zone.to_json(), upstreams=upstreams)

    async def clients(self) -> list[str]:
        """The containers that are served."""
        answer = await self._perform(op="list")
        return list(answer["clients"])

    async def stop(self) -> None:
        """End the server; names no longer resolve."""
        await self._perform(op="stop")

    def close(self) -> None:
        """Hang up; the server goes on."""
        self._channel.close()

    async def _perform(self, *fds: int, **request: Any) -> dict[str, Any]:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        with trio.CancelScope(shield=True):
            async with self._turn:
                await self._channel.sendmsg([json.dumps(request).encode()], rights)
                raw = await self._channel.recv(1 << 20)
        answer: dict[str, Any] = json.loads(raw) if raw else {"clients": []}
        return answer


async def open_dns(run_dir: Path) -> Dns:
    """Connect to the run folder's server, or start one, detached: it outlives this process."""
    channel = await _connect(run_dir)
    if channel is None:
        await trio.to_thread.run_sync(_start, run_dir)
        channel = await _connect(run_dir)
    if channel is None:
        raise OSError("the DNS server does not answer")
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return Dns(channel)


async def _connect(run_dir: Path) -> trio.socket.SocketType | None:
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    channel = trio.socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        await channel.connect(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
    except OSError:
        channel.close()
        return None
    finally:
        os.close(directory)
    return channel


def _start(run_dir: Path) -> None:
    """Start the server and wait for its word; two forks away, so that it is nobody's child."""
    command = [sys.executable, "-m", "networking.dns.server", str(run_dir)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        # It ends by itself, long after us: Popen must neither wait for it nor warn.
        process.returncode = 0
