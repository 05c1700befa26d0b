"""The engine's side of the relay, on trio: started when the first port needs it, adopted after that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from networking.relay.server import SOCKET_NAME
from networking.resident.client import ResidentError, find_resident, open_resident

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from networking.resident.client import Resident

NAME, MODULE = "port relay", "networking.relay.server"


class Relay:
    """The relay of a run folder. Methods raise ResidentError where it cannot be started or asked."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._resident: Resident | None = None
        self._opening = trio.Lock()

    async def open(self, key: str, listener_fd: int, address: str, port: int) -> None:
        """Carry what comes to a bound (for TCP listening) socket to a container's port."""
        resident = await self._started()
        await resident.perform(listener_fd, op="open", key=key, address=address, port=port)

    async def close(self, key: str) -> None:
        """A port is withdrawn. Idempotent."""
        resident = await self._running()
        if resident is not None:
            await resident.perform(op="close", key=key)

    async def keep(self, keys: Iterable[str]) -> None:
        """Drop every port but these: what an earlier engine left."""
        resident = await self._running()
        if resident is not None:
            await resident.perform(op="keep", keys=list(keys))

    async def ports(self) -> list[str]:
        """The keys that are carried."""
        resident = await self._running()
        return list((await resident.perform(op="list"))["ports"]) if resident else []

    async def stop(self) -> None:
        """End the process, if there is one."""
        resident = await self._running()
        if resident is not None:
            await resident.stop()
            self.hang_up()

    def hang_up(self) -> None:
        """The process goes on without us."""
        if self._resident is not None:
            self._resident.close()
            self._resident = None

    async def _running(self) -> Resident | None:
        async with self._opening:
            if self._resident is None:
                self._resident = await find_resident(self._run_dir, SOCKET_NAME, NAME)
            return self._resident

    async def _started(self) -> Resident:
        async with self._opening:
            if self._resident is None:
                self._resident = await open_resident(self._run_dir, SOCKET_NAME, MODULE, NAME)
            return self._resident


__all__ = ["Relay", "ResidentError"]
