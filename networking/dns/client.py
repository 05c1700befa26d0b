"""The engine's side of the DNS server, on trio: hand it sockets, tell it who is where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from networking.dns.server import SOCKET_NAME
from networking.resident.client import open_resident

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from networking.dns.zone import Member, View
    from networking.resident.client import Resident

#: Members in one message when a zone is replaced whole.
AT_ONCE = 200


class Dns:
    """A connection to the server. Every method may raise ResidentError."""

    def __init__(self, resident: Resident) -> None:
        self._resident = resident

    async def add(
        self, container: str, view: View, fds: tuple[int, ...], joined: Iterable[Member] = ()
    ) -> None:
        """Serve a container on its UDP and TCP sockets; a third descriptor is its namespace.

        `joined` are members that come with it.
        """
        members = [member.to_json() for member in joined]
        await self._resident.perform(
            *fds, op="add", container=container, view=view.to_json(), members=members
        )

    async def see(self, container: str, view: View) -> None:
        """What a container sees has changed. One that is not served is no error."""
        await self._resident.perform(op="see", container=container, view=view.to_json())

    async def remove(self, container: str) -> None:
        """A container is gone. Idempotent."""
        await self._resident.perform(op="remove", container=container)

    async def change(self, joined: Iterable[Member] = (), left: Iterable[str] = ()) -> None:
        """Members that come or change, ids of members that go; one moment for all of them."""
        members = [member.to_json() for member in joined]
        await self._resident.perform(op="join", members=members, ids=list(left))

    async def replace(self, members: list[Member]) -> None:
        """All members anew; until the last word the old ones are answered for."""
        await self._resident.perform(op="begin")
        for start in range(0, len(members), AT_ONCE):
            part = [member.to_json() for member in members[start : start + AT_ONCE]]
            await self._resident.perform(op="stage", members=part)
        await self._resident.perform(op="commit")

    async def clients(self) -> list[str]:
        """The containers that are served."""
        return list((await self._resident.perform(op="list"))["clients"])

    async def stop(self) -> None:
        """End the server; names no longer resolve. Idempotent."""
        await self._resident.stop()

    def close(self) -> None:
        """Hang up; the server goes on."""
        self._resident.close()


async def open_dns(run_dir: Path) -> Dns:
    """The run folder's server, started if need be, detached. Raises ResidentError."""
    module = "networking.dns.server"
    return Dns(await open_resident(run_dir, SOCKET_NAME, module, "DNS server"))
