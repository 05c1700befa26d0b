"""Networks of one engine: made, found, removed; containers connected to them and taken off again.

Rules: the database is the truth, the kernel follows; attach is all or nothing; every change of who
is where replaces the DNS zone whole. Kernel work goes through the network worker.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING

from engine.errors import (
    ConflictError,
    EngineError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
)
from engine.networks.host import host_resolvers, host_routes, wait_unused
from engine.networks.model import (
    Endpoint,
    EndpointRequest,
    IpamConfig,
    Network,
    NetworkRequest,
    PortBinding,
    Sandbox,
)
from networking.dns.zone import Zone
from networking.ipam import AddressError, Subnet, choose_subnet, lease, make_subnet
from networking.linux.client import NetworkWorkerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.events.bus import EventBus
    from engine.networks.ports import PortHolder
    from engine.storage.database import Database
    from networking.dns.client import Dns
    from networking.linux.client import NetworkWorker

OPTION = "com.docker.network.bridge."
PREDEFINED = ("bridge", "host", "none")


class Networks:
    """See the module."""

    def __init__(  # the composition root names them all
        self, database: Database, events: EventBus, worker: NetworkWorker, dns: Dns, engine_id: str,
        pools: tuple[tuple[IPv4Network, int], ...], ports: PortHolder,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._worker = worker
        self._dns = dns
        self._pools = pools
        self._ports = ports
        self._veth_prefix = f"ve{engine_id[:4]}"
        self._last: dict[str, IPv4Address] = {}
        self._dead: set[str] = set()  # containers that must not be in answers (unhealthy ones)

    @property
    def veth_prefix(self) -> str:
        """How our veths' names begin; the rules against spoofing hold for these."""
        return self._veth_prefix

    async def open(self) -> None:
        """Bring the rules and the links of all known networks about; make the predefined ones."""
        await self._worker.perform("open", veth_prefix=self._veth_prefix)
        known = {network.name for network in self.all()}
        for name in ("host", "none"):
            if name not in known:
                driver = "host" if name == "host" else "null"
                self._store(Network(secrets.token_hex(32), name, driver, time.time_ns()))
        for network in self.all():
            if network.driver == "bridge":
                await self._make_link(network)
        if "bridge" not in known:
            options = {f"{OPTION}default_bridge": "true"}
            await self.create(NetworkRequest("bridge", options=options))

    async def close(self) -> None:
        """Take every bridge and every rule away; the next `open` makes them again."""
        for network in self.all():
            if network.driver == "bridge":
                await self._worker.perform("remove_network", **self._link_fields(network))
        await self._worker.perform("close")

    def all(self) -> list[Network]:
        """Every network, by name."""
        rows = self._database.rows("SELECT document FROM networks ORDER BY name")
        return [Network.from_json(json.loads(row[0])) for row in rows]

    def find(self, name: str) -> Network:
        """By name, id or a prefix of one. Raises NotFoundError."""
        if name == "default":
            name = "bridge"
        networks = self.all()
        for network in networks:
            if name in (network.name, network.id):
                return network
        fitting = [n for n in networks if len(name) >= 3 and n.id.startswith(name)]
        if len(fitting) == 1:
            return fitting[0]
        raise NotFoundError(f"network {name} not found")

    async def create(self, request: NetworkRequest) -> Network:
        """Make a network. Raises ConflictError for a name in use, InvalidRequestError."""
        _check_request(request)
        if any(network.name == request.name for network in self.all()):
            raise ConflictError(f"network with name {request.name} already exists")
        network_id = secrets.token_hex(32)
        link = request.options.get(f"{OPTION}name") or f"br-{network_id[:12]}"
        subnet = self._subnet_for(request)
        network = Network(
            id=network_id,
            name=request.name,
            driver="bridge",
            created_ns=time.time_ns(),
            link=link,
            internal=request.internal,
            attachable=request.attachable,
            ipam=(
                IpamConfig(
                    str(subnet.network),
                    str(subnet.gateway),
                    request.ipam[0].ip_range if request.ipam else "",
                    request.ipam[0].aux_addresses if request.ipam else {},
                ),
            ),
            options=request.options,
            labels=request.labels,
        )
        self._store(network)
        try:
            await self._make_link(network)
        except BaseException:
            self._database.execute("DELETE FROM networks WHERE id = ?", (network.id,))
            raise
        self._events.publish(
            "network", "create", network.id, {"name": network.name, "type": network.driver}
        )
        return network

    async def remove(self, name: str) -> Network:
        """Remove a network nobody is on. Raises ForbiddenError, ConflictError, NotFoundError."""
        network = self.find(name)
        if network.name in PREDEFINED:
            raise ForbiddenError(f"{network.name} is a pre-defined network and cannot be removed")
        endpoints = self.endpoints_of(network.id)
        if endpoints:
            names = ", ".join(f"name:{e.container_name!r}" for e in endpoints)
            raise ForbiddenError(
                f"error while removing network: network {network.name} id {network.id} has active endpoints ({names})"
            )
        await wait_unused(network.link)
        await self._worker.perform("remove_network", **self._link_fields(network))
        self._database.execute("DELETE FROM networks WHERE id = ?", (network.id,))
        self._events.publish(
            "network", "destroy", network.id, {"name": network.name, "type": network.driver}
        )
        return network

    def endpoints_of(self, network_id: str) -> list[Endpoint]:
        """Who is on a network."""
        rows = self._database.rows(
            "SELECT document FROM endpoints WHERE network_id = ?", (network_id,)
        )
        return [Endpoint.from_json(json.loads(row[0])) for row in rows]

    def endpoints_for(self, container_id: str) -> list[Endpoint]:
        """Where a container is connected, in the order of its interfaces."""
        rows = self._database.rows(
            "SELECT document FROM endpoints WHERE container_id = ?", (container_id,)
        )
        found = [Endpoint.from_json(json.loads(row[0])) for row in rows]
        return sorted(found, key=lambda endpoint: endpoint.interface)

    async def attach(self, sandbox: Sandbox) -> tuple[Endpoint, ...]:
        """Connect a prepared container to its networks and publish its ports: all or nothing."""
        wanted = sorted(
            sandbox.endpoints, key=lambda e: (-e.gw_priority, self.find(e.network).internal)
        )
        made: list[Endpoint] = []
        bindings: list[PortBinding] = []
        try:
            for number, request in enumerate(wanted):
                made.append(await self._connect(sandbox, request, number))
            for port in sandbox.ports if made else ():
                bindings.append(self._ports.take(port, sandbox.name))  # noqa: PERF401  # undone one by one
            if bindings:
                door = next((e for e in made if not self.find(e.network_id).internal), made[0])
                made[made.index(door)] = published = replace(door, ports=tuple(bindings))
                self._store_endpoint(published)
                await self._publish(published, delete=False)
            if sandbox.dns_sockets:
                names = tuple(endpoint.network_name for endpoint in made)
                await self._dns.add(
                    sandbox.container_id, names, sandbox.dns_sockets, sandbox.dns_servers
                )
            await self.refresh_zone()
        except BaseException as error:
            for binding in bindings:
                self._ports.release(binding)
            await self.detach(sandbox.container_id)
            if isinstance(error, (NetworkWorkerError, AddressError)):
                raise EngineError(f"cannot connect {sandbox.name}: {error}") from error
            raise
        return tuple(made)

    async def connect(self, sandbox: Sandbox) -> Endpoint:
        """Connect a running container to one more network."""
        number = len(self.endpoints_for(sandbox.container_id))
        endpoint = await self._connect(sandbox, sandbox.endpoints[0], number, route=number == 0)
        names = tuple(e.network_name for e in self.endpoints_for(sandbox.container_id))
        await self._dns.set_networks(sandbox.container_id, names)
        await self.refresh_zone()
        return endpoint

    async def disconnect(self, container_id: str, network_id: str) -> None:
        """Take a running container off one network. Idempotent."""
        for endpoint in self.endpoints_for(container_id):
            if endpoint.network_id == network_id:
                await self._drop(endpoint, dying=False)
        names = tuple(e.network_name for e in self.endpoints_for(container_id))
        await self._dns.set_networks(container_id, names)
        await self.refresh_zone()

    async def detach(self, container_id: str) -> None:
        """Take a stopped container off all its networks. Idempotent."""
        for endpoint in self.endpoints_for(container_id):
            await self._drop(endpoint, dying=True)
        await self._dns.remove(container_id)
        await self.refresh_zone()

    async def set_answering(self, container_id: str, *, answering: bool) -> None:
        """Whether a container is in DNS answers."""
        before = container_id in self._dead
        (self._dead.discard if answering else self._dead.add)(container_id)
        if before == answering:
            await self.refresh_zone()

    async def restore(self, live: Iterable[str]) -> None:
        """After a restart of the engine: ports and names of live containers again, the rest dropped."""
        living = set(live)
        rows = self._database.rows("SELECT document FROM endpoints")
        for row in rows:
            endpoint = Endpoint.from_json(json.loads(row[0]))
            if endpoint.container_id not in living:
                await self._drop(endpoint, dying=True)
                continue
            await self._worker.perform(
                "readmit",
                veth=endpoint.veth,
                mac=endpoint.mac,
                address=f"{endpoint.ipv4}/{endpoint.prefix}",
            )
            for binding in endpoint.ports:
                self._ports.adopt(binding, endpoint.container_name)
            await self._publish(endpoint, delete=False)
        for stale in set(await self._dns.clients()) - living:
            await self._dns.remove(stale)
        await self.refresh_zone()

    async def refresh_zone(self) -> None:
        """Tell the DNS server who is where now."""
        names: dict[str, dict[str, tuple[str, ...]]] = {}
        owners: dict[str, dict[str, str]] = {}
        for row in self._database.rows("SELECT document FROM endpoints"):
            endpoint = Endpoint.from_json(json.loads(row[0]))
            owners.setdefault(endpoint.network_name, {})[endpoint.ipv4] = endpoint.container_name
            if endpoint.container_id in self._dead:
                continue
            table = names.setdefault(endpoint.network_name, {})
            for name in endpoint.dns_names:
                table[name.lower()] = (*table.get(name.lower(), ()), endpoint.ipv4)
        await self._dns.set_zone(Zone(names, owners), host_resolvers())

    async def _connect(
        self, sandbox: Sandbox, request: EndpointRequest, number: int, *, route: bool | None = None
    ) -> Endpoint:
        network = self.find(request.network)
        subnet = _subnet_of(network)
        used = {IPv4Address(e.ipv4) for e in self.endpoints_of(network.id)}
        try:
            address = lease(subnet, used, request.ipv4, self._last.get(network.id))
        except AddressError as error:
            raise InvalidRequestError(f"network {network.name}: {error}") from error
        self._last[network.id] = address
        mac = request.mac or "02:42:" + ":".join(f"{byte:02x}" for byte in address.packed)
        default = network.options.get(f"{OPTION}default_bridge") == "true"
        given = (sandbox.name, *request.aliases, sandbox.container_id[:12], sandbox.hostname)
        endpoint = Endpoint(
            network_id=network.id,
            network_name=network.name,
            endpoint_id=secrets.token_hex(32),
            container_id=sandbox.container_id,
            container_name=sandbox.name,
            ipv4=str(address),
            prefix=subnet.network.prefixlen,
            gateway="" if network.internal else str(subnet.gateway),
            mac=mac,
            interface=f"eth{number}",
            veth=f"{self._veth_prefix}{secrets.token_hex(4)}",
            aliases=request.aliases,
            dns_names=() if default else tuple(dict.fromkeys(filter(None, given))),
            links=request.links,
        )
        self._store_endpoint(endpoint)
        with_route = number == 0 if route is None else route
        try:
            await self._worker.perform(
                "attach",
                sandbox.netns_fd,
                link=network.link,
                veth=endpoint.veth,
                interface=endpoint.interface,
                mac=mac,
                address=f"{address}/{endpoint.prefix}",
                gateway=endpoint.gateway if with_route else "",
                mtu=int(network.options.get("com.docker.network.driver.mtu", 0)),
            )
        except NetworkWorkerError as error:
            self._forget(endpoint)
            raise EngineError(
                f"cannot connect {sandbox.name} to {network.name}: {error}"
            ) from error
        self._events.publish(
            "network", "connect", network.id,
            {"container": sandbox.container_id, "name": network.name, "type": network.driver},
        )  # fmt: skip
        return endpoint

    async def _drop(self, endpoint: Endpoint, *, dying: bool) -> None:
        async with AsyncExitStack() as stack:
            stack.callback(self._forget, endpoint)
            if endpoint.ports:
                await self._publish(endpoint, delete=True)
                for binding in endpoint.ports:
                    self._ports.release(binding)
            await self._worker.perform(
                "detach",
                veth=endpoint.veth,
                mac=endpoint.mac,
                address=f"{endpoint.ipv4}/{endpoint.prefix}",
                dying=dying,
            )
        self._events.publish(
            "network", "disconnect", endpoint.network_id,
            {"container": endpoint.container_id, "name": endpoint.network_name, "type": "bridge"},
        )  # fmt: skip

    async def _publish(self, endpoint: Endpoint, *, delete: bool) -> None:
        ports = [
            [p.protocol, p.host_ip, p.host_port, endpoint.ipv4, p.container_port]
            for p in endpoint.ports
        ]
        if ports:
            await self._worker.perform("ports", ports=ports, delete=delete)

    async def _make_link(self, network: Network) -> None:
        try:
            mtu = int(network.options.get("com.docker.network.driver.mtu", 0))
            await self._worker.perform("add_network", **self._link_fields(network), mtu=mtu)
        except NetworkWorkerError as error:
            raise EngineError(f"cannot make the network {network.name}: {error}") from error

    def _link_fields(self, network: Network) -> dict[str, object]:
        subnet = _subnet_of(network)
        enabled = network.options.get
        return {
            "link": network.link,
            "gateway": str(IPv4Interface(f"{subnet.gateway}/{subnet.network.prefixlen}")),
            "internal": network.internal,
            "masquerade": enabled(f"{OPTION}enable_ip_masquerade", "true") == "true",
            "icc": enabled(f"{OPTION}enable_icc", "true") == "true",
        }

    def _subnet_for(self, request: NetworkRequest) -> Subnet:
        taken = {_subnet_of(n).network: f"network {n.name}" for n in self.all() if n.ipam}
        asked = request.ipam[0] if request.ipam else IpamConfig()
        try:
            if asked.subnet:
                network = IPv4Network(asked.subnet)
                for other, owner in taken.items():
                    if other.overlaps(network):
                        raise ForbiddenError(
                            f"invalid pool request: Pool overlaps with {owner} ({other})"
                        )
            else:
                network = choose_subnet(self._pools, {**host_routes(), **taken})
            return make_subnet(network, asked.gateway, asked.ip_range, asked.aux_addresses.values())
        except ValueError as error:
            raise InvalidRequestError(str(error)) from error

    def _store(self, network: Network) -> None:
        self._database.execute(
            "INSERT INTO networks (id, name, document) VALUES (?, ?, ?)",
            (network.id, network.name, json.dumps(network.to_json())),
        )

    def _store_endpoint(self, endpoint: Endpoint) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO endpoints (container_id, network_id, document) VALUES (?, ?, ?)",
            (endpoint.container_id, endpoint.network_id, json.dumps(endpoint.to_json())),
        )

    def _forget(self, endpoint: Endpoint) -> None:
        self._database.execute(
            "DELETE FROM endpoints WHERE container_id = ? AND network_id = ?",
            (endpoint.container_id, endpoint.network_id),
        )


def _check_request(request: NetworkRequest) -> None:
    if not request.name:
        raise InvalidRequestError("a network needs a name")
    if request.driver not in ("bridge", "", "default"):
        raise NotSupportedError(
            f"network driver {request.driver!r} is not supported yet", hint="use bridge"
        )
    if request.enable_ipv6:
        raise NotSupportedError("IPv6 networks are not supported yet", hint="leave enable_ipv6 out")
    if len(request.ipam) > 1:
        raise NotSupportedError("more than one subnet for a network is not supported yet")
    if len(request.options.get(f"{OPTION}name", "")) > 15:
        raise InvalidRequestError("a bridge's name has at most 15 characters")


def _subnet_of(network: Network) -> Subnet:
    config = network.ipam[0]
    return make_subnet(
        IPv4Network(config.subnet), config.gateway, config.ip_range, config.aux_addresses.values()
    )
