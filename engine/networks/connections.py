"""Containers on networks: attached all or nothing, connected and disconnected hot, taken off.

Rules: the records are the truth, the kernel follows; whoever changes where a container is also
settles its default routes, its published ports and what its name server answers.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from engine.errors import ConflictError, EngineError, InvalidRequestError
from engine.networks.addressing import lease_addresses
from engine.networks.gateways import default_routes, free_interface, gateway_endpoint
from engine.networks.model import Endpoint
from engine.networks.names import names_of, view_of
from engine.networks.naming import Served, ports_of
from engine.networks.options import endpoint_interface, endpoint_sysctls
from engine.networks.orders import endpoint_order
from networking.ipam import AddressError, mac_for, parse_mac
from networking.linux.client import NetworkWorkerError
from networking.resident.client import ResidentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.events.bus import EventBus
    from engine.networks.addressing import Lease
    from engine.networks.model import EndpointRequest, Network, Sandbox
    from engine.networks.naming import Names
    from engine.networks.publishing import Publisher
    from engine.networks.records import Entry, Records
    from networking.dns.zone import View
    from networking.linux.client import NetworkWorker


class Connections:
    """Everything that happens between containers and networks."""

    def __init__(
        self, records: Records, events: EventBus, worker: NetworkWorker, names: Names,
        publisher: Publisher, veth_prefix: str,
    ) -> None:  # fmt: skip
        self._records = records
        self._events = events
        self._worker = worker
        self._names = names
        self._publisher = publisher
        self._veth_prefix = veth_prefix

    async def attach(self, sandbox: Sandbox, networks: dict[str, Network]) -> tuple[Endpoint, ...]:
        """Connect a prepared container to its networks and publish its ports: all or nothing.

        `networks` are those of the sandbox's requests, by the name asked for.
        """
        made: list[Endpoint] = []
        with _mapped(f"cannot connect {sandbox.name}"):
            try:
                only = len(sandbox.endpoints) == 1
                extra = {"dns": ports_of(sandbox.dns_sockets)} if sandbox.dns_sockets else {}
                for request in sandbox.endpoints:
                    network = networks[request.network]
                    made.append(await self._connect(sandbox, request, network, only=only, **extra))
                    extra = {}
                if not only:
                    await self._route(sandbox.netns_fd, made)
                made = await self._publish(sandbox, made)
                if sandbox.dns_sockets:
                    served = Served(sandbox.pid, self.view(made, sandbox.dns_servers))
                    sockets, netns = sandbox.dns_sockets, sandbox.netns_fd
                    await self._names.serve(sandbox.container_id, served, sockets, netns, made)
                else:
                    await self._names.join(made)
            except BaseException:
                with trio.CancelScope(shield=True):
                    await self.detach(sandbox.container_id)
                raise
        return tuple(made)

    async def resume(self, sandbox: Sandbox, networks: dict[str, Network]) -> tuple[Endpoint, ...]:
        """A container is back in a namespace that others have kept; its wishes may have changed."""
        wanted = {networks[request.network].id: request for request in sandbox.endpoints}
        for endpoint in self._records.endpoints_for(sandbox.container_id):
            if endpoint.network_id not in wanted:
                await self.disconnect(sandbox.container_id, endpoint.network_id, sandbox.netns_fd)
            wanted.pop(endpoint.network_id, None)
        for request in wanted.values():
            one = replace(sandbox, endpoints=(request,))
            await self.connect(one, networks[request.network])
        there = self._records.endpoints_for(sandbox.container_id)
        with _mapped(f"cannot connect {sandbox.name}"):
            served = Served(sandbox.pid, self.view(there, sandbox.dns_servers))
            await self._names.resume(sandbox.container_id, served)
        return tuple(there)

    async def connect(self, sandbox: Sandbox, network: Network) -> Endpoint:
        """Connect a running container to one more network: all or nothing."""
        with _mapped(f"cannot connect {sandbox.name}"):
            endpoint = await self._connect(sandbox, sandbox.endpoints[0], network)
            try:
                everywhere = self._records.endpoints_for(sandbox.container_id)
                await self._route(sandbox.netns_fd, everywhere)
                if not any(other.ports for other in everywhere):
                    everywhere = await self._publish(sandbox, everywhere)
            except BaseException:
                with trio.CancelScope(shield=True):
                    await self._drop(endpoint, netns_fd=sandbox.netns_fd)
                    left = self._records.endpoints_for(sandbox.container_id)
                    await self._route(sandbox.netns_fd, left)
                raise
            view = self.view(everywhere, sandbox.dns_servers)
            await self._names.see(sandbox.container_id, view)
            await self._names.join([endpoint])
        return next(e for e in everywhere if e.network_id == network.id)

    async def disconnect(self, container_id: str, network_id: str, netns_fd: int | None) -> None:
        """Take a running container off one network; its ports move to another one. Idempotent."""
        everywhere = self._records.endpoints_for(container_id)
        leaving = next((e for e in everywhere if e.network_id == network_id), None)
        if leaving is None:
            return
        with _mapped(f"cannot disconnect {leaving.container_name}"):
            await self._drop(leaving, netns_fd=netns_fd, keep_ports=True)
            await self._move_ports(leaving, [e for e in everywhere if e is not leaving])
            staying = self._records.endpoints_for(container_id)
            if netns_fd is not None:
                await self._route(netns_fd, staying)
            await self._names.see(container_id, self.view(staying, leaving.dns_servers))

    async def detach(self, container_id: str, *, alive: bool = False) -> None:
        """Take a stopped container off all its networks. Idempotent."""
        for endpoint in self._records.endpoints_for(container_id):
            await self._drop(endpoint, dying=not alive)
        await self._names.release(container_id)

    def view(self, endpoints: list[Endpoint], servers: tuple[str, ...]) -> View:
        """What a container on these endpoints sees."""
        networks = {e.network_id: self._records.entry(e.network_id).network for e in endpoints}
        return view_of(endpoints, networks, servers)

    async def _connect(
        self, sandbox: Sandbox, request: EndpointRequest, network: Network, *,
        only: bool = False, **extra: Any,
    ) -> Endpoint:  # fmt: skip
        """A link into the container; the `only` one brings the default routes along."""
        entry = self._records.entry(network.id)
        endpoint = self._plan(sandbox, request, entry)
        self._records.store(endpoint)
        try:
            order = endpoint_order(network, entry.options, endpoint)
            if only:
                order["gateways"] = [gateway for _, gateway in default_routes([endpoint]).values()]
            await self._worker.perform("attach", sandbox.netns_fd, **order, **extra)
        except NetworkWorkerError as error:
            self._records.forget(endpoint)
            raise EngineError(
                f"cannot connect {sandbox.name} to {network.name}: {error}"
            ) from error
        self._publish_event("connect", endpoint, network)
        return endpoint

    def _plan(self, sandbox: Sandbox, request: EndpointRequest, entry: Entry) -> Endpoint:
        """The endpoint that is to be. Raises InvalidRequestError, ConflictError."""
        network = entry.network
        if sandbox.container_id in entry.endpoints:
            raise ConflictError(f"{sandbox.name} is on the network {network.name} already")
        leases = lease_addresses(network, entry.subnets, entry.used, request, entry.last)
        four, six = leases.get(4), leases.get(6)
        mac = self._mac(request, entry, four or six)
        there = [e.interface for e in self._records.endpoints_for(sandbox.container_id)]
        interface = endpoint_interface(request.driver_opts)
        if interface in there:
            raise InvalidRequestError(
                f"there is an interface {interface} in {sandbox.name} already"
            )
        interface = interface or free_interface(entry.options.prefix, there)
        inward = network.internal
        return Endpoint(
            network_id=network.id,
            network_name=network.name,
            endpoint_id=secrets.token_hex(32),
            container_id=sandbox.container_id,
            container_name=sandbox.name,
            ipv4=str(four.address) if four else "",
            prefix=four.subnet.network.prefixlen if four else 0,
            gateway=str(four.subnet.gateway) if four and not inward else "",
            ipv6=str(six.address) if six else "",
            prefix6=six.subnet.network.prefixlen if six else 0,
            gateway6=str(six.subnet.gateway) if six and not inward else "",
            mac=mac,
            interface=interface,
            veth=f"{self._veth_prefix}{secrets.token_hex(4)}",
            link_local_ips=request.link_local_ips,
            gw_priority=request.gw_priority,
            sysctls=endpoint_sysctls(request.driver_opts, interface),
            aliases=request.aliases,
            dns_names=names_of(sandbox, request, default_bridge=entry.options.default_bridge),
            links=request.links,
            dns_servers=sandbox.dns_servers,
        )

    @staticmethod
    def _mac(request: EndpointRequest, entry: Entry, lease: Lease | None) -> str:
        try:
            mac = parse_mac(request.mac) if request.mac else ""
        except AddressError as error:
            raise InvalidRequestError(str(error)) from error
        if mac in entry.macs:
            raise ConflictError(f"MAC address {mac} is in use on the network {entry.network.name}")
        if not mac and lease:
            mac = mac_for(lease.address)
        while not mac or (not request.mac and mac in entry.macs):
            mac = "02:42:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(4))
        return mac

    async def _publish(self, sandbox: Sandbox, endpoints: list[Endpoint]) -> list[Endpoint]:
        """Publish the ports on the endpoint that the default route goes by; all endpoints after it.

        A container that is on internal networks only has no ports: there is no way in.
        """
        door = gateway_endpoint(endpoints, 4) or gateway_endpoint(endpoints, 6)
        if door is None or not sandbox.ports:
            return endpoints
        entry = self._records.entry(door.network_id)
        if not entry.network.has_bridge:
            return endpoints  # a macvlan's addresses are on the wire themselves
        published = await self._publisher.publish(entry, door, sandbox)
        self._records.store(published)
        return [published if e is door else e for e in endpoints]

    async def _move_ports(self, leaving: Endpoint, staying: list[Endpoint]) -> None:
        if not leaving.ports:
            return
        door = gateway_endpoint(staying, 4) or gateway_endpoint(staying, 6)
        entry = self._records.entry(leaving.network_id)
        if door is None:
            await self._publisher.withdraw(entry, leaving)
            return
        moved = replace(door, ports=leaving.ports)
        self._records.store(moved)
        await self._publisher.carry(self._records.entry(door.network_id), moved)

    async def _route(self, netns_fd: int, endpoints: list[Endpoint]) -> None:
        await self._worker.perform("route", netns_fd, routes=default_routes(endpoints))

    async def _drop(
        self, endpoint: Endpoint, *, dying: bool = False, netns_fd: int | None = None,
        keep_ports: bool = False,
    ) -> None:  # fmt: skip
        entry = self._records.entry(endpoint.network_id)
        try:
            if endpoint.ports and keep_ports:
                await self._publisher.halt(entry, endpoint)
            elif endpoint.ports:
                await self._publisher.withdraw(entry, endpoint)
            fds = () if netns_fd is None else (netns_fd,)
            order = endpoint_order(entry.network, entry.options, endpoint)
            await self._worker.perform("detach", *fds, **order, dying=dying)
        finally:
            self._records.forget(endpoint)
        await self._names.leave([endpoint])
        self._publish_event("disconnect", endpoint, entry.network)

    def _publish_event(self, action: str, endpoint: Endpoint, network: Network) -> None:
        self._events.publish(
            "network", action, network.id,
            {"container": endpoint.container_id, "name": network.name, "type": network.driver},
        )  # fmt: skip


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    """The processes beside us speak of their own trouble; a client hears what it was about."""
    try:
        yield
    except (NetworkWorkerError, ResidentError) as error:
        raise EngineError(f"{what}: {error}") from error
