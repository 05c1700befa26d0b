"""The engine's part in name service: who is a member, who sees what, a DNS server that is always there.

If the server has died, the next change starts another one and tells it everything: containers get new
sockets in their namespaces.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.networks.names import member_of
from networking.dns.client import open_dns
from networking.linux.inner import redirect_names
from networking.linux.netlink import entered
from networking.resident.client import ResidentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from engine.networks.model import Endpoint
    from networking.dns.client import Dns
    from networking.dns.zone import Member, View

#: Ports are the kernel's choice; rules inside lead port 53 there (networking.linux.inner).
ADDRESS = ("127.0.0.11", 0)


@dataclass(frozen=True, slots=True)
class Served:
    """A container that has a name server: a process in its namespace, what it sees."""

    pid: int
    view: View


class Names:
    """The zone as the engine knows it, and the server that answers from it."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._dns: Dns | None = None
        self._members: dict[str, Member] = {}
        self._served: dict[str, Served] = {}
        self._silent: set[str] = set()  # containers that are not healthy
        self._ended: set[str] = set()  # containers whose namespace others keep
        self._containers: dict[str, dict[str, Endpoint]] = {}
        self._remote: dict[str, dict[str, Member]] = {}  # of other engines, by peer
        self.on_change: Callable[[], None] | None = None

    async def open(self) -> Dns:
        """Find the server, or start it."""
        self._dns = await open_dns(self._run_dir)
        return self._dns

    def hang_up(self) -> None:
        """The server goes on without us."""
        if self._dns is not None:
            self._dns.close()

    async def stop(self) -> None:
        """The server ends."""
        if self._dns is not None:
            await self._dns.stop()

    async def serve(
        self, container: str, served: Served, sockets: tuple[int, int], netns_fd: int,
        endpoints: Iterable[Endpoint] = (),
    ) -> None:  # fmt: skip
        """A container gets a name server on its sockets, and joins others' answers with `endpoints`."""
        self._ended.discard(container)
        self._served[container] = served
        fds = (*sockets, netns_fd) if served.view.upstreams else sockets
        members = [self._remember(endpoint) for endpoint in endpoints]
        await self._tell(lambda dns: dns.add(container, served.view, fds, members))
        self._announce()

    async def see(self, container: str, view: View) -> None:
        """What a container sees has changed."""
        served = self._served.get(container)
        if served is not None:
            self._served[container] = Served(served.pid, view)
            await self._tell(lambda dns: dns.see(container, view))

    async def suspend(self, container: str, pid: int) -> None:
        """A container has ended, its namespace has not: `pid` is in it."""
        served = self._served.get(container)
        if served is not None:
            self._served[container] = Served(pid, served.view)
        self._ended.add(container)
        await self.join(self._containers.get(container, {}).values())

    async def resume(self, container: str, served: Served) -> None:
        """A suspended container is back."""
        self._ended.discard(container)
        if container in self._served:
            self._served[container] = served
            await self._tell(lambda dns: dns.see(container, served.view))
        else:
            self._served[container] = served
            await self._tell(self._tell_everything)
        await self.join(self._containers.get(container, {}).values())

    async def release(self, container: str) -> None:
        """A container has ended. Idempotent."""
        self._ended.discard(container)
        if self._served.pop(container, None) is not None:
            await self._tell(lambda dns: dns.remove(container))

    async def join(self, endpoints: Iterable[Endpoint]) -> None:
        """Endpoints that are there now."""
        joined = [self._remember(endpoint) for endpoint in endpoints]
        if joined:
            await self._tell(lambda dns: dns.change(joined))
            self._announce()

    async def leave(self, endpoints: Iterable[Endpoint]) -> None:
        """Endpoints that are gone."""
        ids = []
        for endpoint in endpoints:
            mine = self._containers.get(endpoint.container_id, {})
            mine.pop(endpoint.endpoint_id, None)
            if not mine:
                self._containers.pop(endpoint.container_id, None)
            if self._members.pop(endpoint.endpoint_id, None):
                ids.append(endpoint.endpoint_id)
        if ids:
            await self._tell(lambda dns: dns.change((), ids))
            self._announce()

    def local_members(self, networks: set[str]) -> list[Member]:
        """This engine's members on some networks."""
        return [member for member in self._members.values() if member.network in networks]

    async def set_remote(self, peer: str, members: list[Member]) -> None:
        """Another engine's members, in place of what it said before."""
        before = self._remote.get(peer, {})
        now = {f"{peer} {m.id}": replace(m, id=f"{peer} {m.id}") for m in members}
        self._remote[peer] = now
        left = [key for key in before if key not in now]
        joined = [member for key, member in now.items() if before.get(key) != member]
        if left or joined:
            await self._tell(lambda dns: dns.change(joined, left))

    async def set_answering(self, container: str, *, answering: bool) -> None:
        """Whether a container is in answers. Idempotent."""
        before = container in self._silent
        (self._silent.discard if answering else self._silent.add)(container)
        if before == answering:
            await self.join(self._containers.get(container, {}).values())

    async def restore(
        self, endpoints: list[Endpoint], served: dict[str, Served], ended: set[str]
    ) -> None:
        """After a restart of the engine: all members, and all containers that are served."""
        self._ended = ended
        self._members = {}
        self._containers = {}
        for endpoint in endpoints:
            self._remember(endpoint)
        self._served = served
        await self._tell(self._tell_everything)

    def _announce(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def _remember(self, endpoint: Endpoint) -> Member:
        answering = endpoint.container_id not in self._silent | self._ended
        member = member_of(endpoint, answering=answering)
        self._members[member.id] = member
        self._containers.setdefault(endpoint.container_id, {})[member.id] = endpoint
        return member

    async def _tell(self, call: Callable[[Dns], Awaitable[Any]]) -> None:
        try:
            assert self._dns is not None
            await call(self._dns)
        except ResidentError:
            self.hang_up()
            await self._tell_everything(await self.open())

    async def _tell_everything(self, dns: Dns) -> None:
        remote = [member for part in self._remote.values() for member in part.values()]
        await dns.replace([*self._members.values(), *remote])
        known = set(await dns.clients())
        for container in known - set(self._served):
            await dns.remove(container)
        for container, served in self._served.items():
            if container in known:
                await dns.see(container, served.view)
                continue
            fds = open_inside(served.pid)
            try:
                if fds:
                    await dns.add(container, served.view, fds)
            finally:
                for fd in fds:
                    os.close(fd)


def ports_of(sockets: tuple[int, int]) -> tuple[int, int]:
    """The ports that a UDP and a TCP socket are bound to."""
    found = []
    for fd in sockets:
        with socket.socket(fileno=os.dup(fd)) as bound:
            found.append(int(bound.getsockname()[1]))
    return found[0], found[1]


def open_inside(pid: int) -> tuple[int, ...]:
    """UDP and TCP sockets at 127.0.0.11 in a process's namespace, and that; () if it is gone."""
    try:
        netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ()
    made: list[int] = []
    try:
        with entered(netns):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                server = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
                made.append(server.detach())
                with socket.socket(fileno=os.dup(made[-1])) as bound:
                    bound.bind(ADDRESS)
                    if kind == socket.SOCK_STREAM:
                        bound.listen(64)
            redirect_names(*ports_of((made[0], made[1])))
    except OSError:
        for fd in (*made, netns):
            os.close(fd)
        return ()
    return (*made, netns)
