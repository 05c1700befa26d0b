"""Networks of one engine: made, found, removed; containers connected to them and taken off again.

Rules: the records are the truth, the kernel follows. Kernel work goes through the network worker,
names through the DNS server, what the kernel cannot carry through the relay. At start-up everything
that should be is put in place in one transaction, and what should not be is swept away. While there
is neither an endpoint nor a network of anybody's the host is left alone: no rule, no bridge. The default
bridge comes with the first container that joins it.
"""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from engine.errors import (
    ConflictError,
    EngineError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
)
from engine.networks.addressing import plan_subnets
from engine.networks.cluster import Cluster, own_part
from engine.networks.connections import Connections
from engine.networks.host import has_link, host_routes, wait_unused
from engine.networks.model import Network, NetworkRequest
from engine.networks.naming import Served
from engine.networks.options import BRIDGE, DRIVER, check_pattern, check_request, read_options
from engine.networks.orders import endpoint_order, network_order
from engine.networks.records import Records
from networking.ipam import AddressError, unique_local_pool
from networking.linux.client import NetworkWorkerError, in_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.events.bus import EventBus
    from engine.networks.cluster import Underlay
    from engine.networks.model import Endpoint, Sandbox
    from engine.networks.naming import Names
    from engine.networks.publishing import Publisher
    from engine.networks.records import Entry
    from engine.storage.database import Database
    from networking.ipam import Pool
    from networking.linux.client import NetworkWorker

PREDEFINED = ("bridge", "host", "none")


class Networks:
    """See the module."""

    def __init__(  # the composition root names them all
        self, database: Database, events: EventBus, worker: NetworkWorker, names: Names,
        engine_id: str, pools: tuple[Pool, ...], publisher: Publisher,
        underlay: Underlay | None = None,
    ) -> None:  # fmt: skip
        self._records = Records(database)
        self._events = events
        self._worker = worker
        self._names = names
        self._pools = pools
        if not any(pool.version == 6 for pool, _ in pools):
            self._pools += (unique_local_pool(engine_id),)
        self._publisher = publisher
        self._veth_prefix = f"ve{engine_id[:4]}"
        self._connections = Connections(
            self._records, events, worker, names, publisher, self._veth_prefix
        )
        self._resting = True
        self._bare = False  # without the default bridge; an earlier engine may have left it
        self._turn = trio.Lock()
        self.cluster = Cluster(underlay, names, self._overlays) if underlay else None
        names.on_change = self.cluster.change if self.cluster else None

    @property
    def veth_prefix(self) -> str:
        """How our veths' names begin; the rules against spoofing hold for these."""
        return self._veth_prefix

    def effective_options(self, network: Network) -> dict[str, str]:
        """A network's options; of the default bridge, which nobody was asked about, what is in force."""
        if not self._records.entry(network.id).options.default_bridge:
            return network.options
        return {
            f"{BRIDGE}enable_icc": "true",
            f"{BRIDGE}enable_ip_masquerade": "true",
            f"{BRIDGE}host_binding_ipv4": self._publisher.address,
            f"{BRIDGE}name": network.link,
            f"{DRIVER}mtu": "1500",
            **network.options,
        }

    async def open(self) -> None:
        """Make the predefined networks; bring about what is needed of rules and links."""
        await self._worker.perform("begin")
        await self._names.open()
        for name, driver in (("host", "host"), ("none", "null")):
            if self._records.named(name) is None:
                self._records.add(Network(secrets.token_hex(32), name, driver, time.time_ns()))
        if self._records.named("bridge") is None:
            options = {f"{BRIDGE}default_bridge": "true"}
            await self.create(NetworkRequest("bridge", options=options))
        if self._idle():
            await self._leave_the_host()
        else:
            await self._wake()

    def _idle(self) -> bool:
        """Whether nobody needs a rule or a bridge."""
        own = (n for n in self.all() if n.has_bridge and n.name not in PREDEFINED)
        return next(own, None) is None and not self._records.endpoints()

    async def _wake(self, joined: Iterable[Network] = ()) -> None:
        """The rules, and the links of all networks; the default bridge when it is `joined`. Idempotent.

        Whoever needs them records why before the next checkpoint, or `rest` could come between.
        """
        async with self._turn:
            if self._resting:
                await self._raise_links()
            bare = self._bare and any(network.name == "bridge" for network in joined)
            if bare:
                await self._make_link(self.find("bridge"))
                self._bare = False

    async def _raise_links(self) -> None:
        opened = await self._worker.perform("open", veth_prefix=self._veth_prefix)
        if opened["found"]:  # an earlier engine's
            await self._reset_rules(self._records.endpoints())
        default = self.find("bridge")
        self._bare = not self.endpoints_of(default.id)
        for network in self.all():
            if network.has_bridge and not (self._bare and network is default):
                await self._make_link(network)
        self._resting = False

    async def rest(self) -> None:
        """Take rules and bridges away if nobody needs them any more; the next who does has them back."""
        async with self._turn:
            if not self._resting and self._idle():
                await self._leave_the_host()

    async def _leave_the_host(self) -> None:
        bridged = [
            n for n in self.all() if n.has_bridge and not (self._bare and n.name == "bridge")
        ]
        for network in bridged:
            await wait_unused(network.link, self._veth_prefix)
        await self._worker.perform("close")  # first: what is found may be of another layout
        for network in bridged:
            await self._worker.perform("remove_network", **self._order(network))
        await self._worker.perform("sweep", veth_prefix=self._veth_prefix, keep=[])
        self._resting = self._bare = True

    def _overlays(self) -> set[str]:
        return {network.name for network in self.all() if network.driver == "overlay"}

    def hang_up(self) -> None:
        """The processes beside the engine go on without it."""
        self._names.hang_up()

    async def close(self) -> None:
        """Take every bridge, every rule and both processes away; the next `open` makes them again."""
        await self._names.stop()
        await self._publisher.stop()
        await self._leave_the_host()

    def all(self) -> list[Network]:
        """Every network, by name."""
        return self._records.networks()

    def find(self, name: str) -> Network:
        """By name, id or a prefix of one. Raises NotFoundError."""
        found = self._records.named("bridge" if name == "default" else name)
        if found is not None:
            return found
        fitting = self._records.with_id(name) if len(name) >= 3 else []
        if len(fitting) > 1:
            raise InvalidPrefixError(f"network {name} is ambiguous ({len(fitting)} matches found)")
        if not fitting:
            raise NotFoundError(f"network {name} not found")
        return fitting[0]

    async def create(self, request: NetworkRequest) -> Network:
        """Make a network. Raises ConflictError for a name in use, InvalidRequestError."""
        network, _ = await self.create_with_warnings(request)
        return network

    async def create_with_warnings(
        self, request: NetworkRequest
    ) -> tuple[Network, tuple[str, ...]]:
        """The same, with what its maker should know."""
        check_pattern(request)
        if request.config_from:
            request = self._from_pattern(request)
        warnings = check_request(request)
        routes = await trio.to_thread.run_sync(host_routes)  # the kernel may be busy with links
        if request.name not in PREDEFINED:
            await self._wake()  # first: no checkpoint may come between a plan and its record
        if self._records.named(request.name) is not None:
            raise ConflictError(f"network with name {request.name} already exists")
        options = read_options(request.options)
        network_id = secrets.token_hex(32)
        link = options.parent or options.link or f"br-{network_id[:12]}"
        if request.driver == "overlay":
            request = self._as_overlay(request)
        if request.driver == "macvlan" and not has_link(link):
            raise NotFoundError(
                f"the macvlan network {request.name} stands on {link}, which is no link of this host",
                hint="name another parent, or make it first (ip link add ...)",
            )
        plan = plan_subnets(request, self._pools, self._records.taken(), routes)
        network = Network(
            id=network_id,
            name=request.name,
            driver="null" if request.config_only else request.driver,
            created_ns=time.time_ns(),
            link=link,
            internal=request.internal,
            attachable=request.attachable,
            enable_ipv4=request.enable_ipv4,
            enable_ipv6=request.enable_ipv6,
            ipam=plan.ipam,
            ipam_options=request.ipam_options,
            options=request.options,
            labels=request.labels,
            config_only=request.config_only,
            config_from=request.config_from,
        )
        self._records.add(network)
        try:
            if network.has_bridge and not self._resting:
                await self._make_link(network)
        except BaseException:
            self._records.remove(network)
            raise
        await self._announce("create", network)
        return network, (*warnings, *plan.warnings, *await self._firewall_warnings(network))

    async def _firewall_warnings(self, network: Network) -> list[str]:
        """The host's firewall has the last word, and is not ours to change: say what it will do.

        Docker sets the policy of ip filter FORWARD to drop, so it is met on every host with Docker.
        """
        if network.internal or not network.has_bridge:
            return []
        dropping = await self._worker.perform("firewall")
        return [
            f"the host's firewall ({chain}) drops forwarded packets by policy, so that containers of "
            f"{network.name} may reach nothing outside: let it accept those of {network.link} "
            f"(iptables -I DOCKER-USER -i {network.link} -j ACCEPT, and -o {network.link})"
            for chain in dropping
        ]

    def _from_pattern(self, request: NetworkRequest) -> NetworkRequest:
        """With the configuration of the network it names. Raises NotFoundError."""
        pattern = self._records.named(request.config_from)
        if pattern is None:
            raise NotFoundError(f"configuration network {request.config_from!r} not found")
        if not pattern.config_only:
            raise NotFoundError(f"{pattern.name} is not a configuration network")
        return replace(
            request, ipam=pattern.ipam, ipam_options=pattern.ipam_options, options=pattern.options,
            enable_ipv4=pattern.enable_ipv4, enable_ipv6=pattern.enable_ipv6,
        )  # fmt: skip

    def _as_overlay(self, request: NetworkRequest) -> NetworkRequest:
        """An overlay's request with this engine's part of the addresses. Raises EngineError."""
        if self.cluster is None:
            raise NotSupportedError(
                "overlay networks need engines that know each other",
                hint="start them with --cluster-address, --cluster-peer and PYCOMPOSE_CLUSTER_KEY",
            )
        if not request.ipam:
            raise InvalidRequestError(
                "an overlay network needs the same subnet on every engine: give ipam.config.subnet"
            )
        try:
            parts = tuple(own_part(config, self.cluster.underlay) for config in request.ipam)
        except AddressError as error:
            raise InvalidRequestError(str(error)) from error
        return replace(request, ipam=parts)

    async def remove(self, name: str) -> Network:
        """Remove a network nobody is on. Raises ForbiddenError, ConflictError, NotFoundError."""
        network = self.find(name)
        if network.name in PREDEFINED:
            raise ForbiddenError(f"{network.name} is a pre-defined network and cannot be removed")
        if any(other.config_from == network.name for other in self.all()):
            raise ForbiddenError(f"configuration network {network.name!r} is in use")
        endpoints = self.endpoints_of(network.id)
        if endpoints:
            names = ", ".join(
                f"name:{e.container_name!r} id:{e.endpoint_id[:12]!r}" for e in endpoints
            )
            raise ForbiddenError(
                f"error while removing network: network {network.name} id {network.id} has active endpoints ({names})"
            )
        if network.has_bridge:
            if not await wait_unused(network.link, self._veth_prefix):
                await self._sweep()
            await self._worker.perform("remove_network", **self._order(network))
        self._records.remove(network)
        await self._announce("destroy", network)
        await self.rest()
        return network

    def endpoints_of(self, network_id: str) -> list[Endpoint]:
        """Who is on a network."""
        return list(self._records.entry(network_id).endpoints.values())

    def endpoints_for(self, container_id: str) -> list[Endpoint]:
        """Where a container is connected, in the order of its interfaces."""
        return self._records.endpoints_for(container_id)

    def _joinable(self, name: str) -> Network:
        """A network that a container can be on. Raises NotFoundError, ForbiddenError."""
        network = self.find(name)
        if network.config_only:
            raise ForbiddenError(
                f"{network.name} is a configuration network: no container can join it"
            )
        return network

    async def attach(self, sandbox: Sandbox) -> tuple[Endpoint, ...]:
        """Connect a prepared container to its networks and publish its ports: all or nothing."""
        networks = {e.network: self._joinable(e.network) for e in sandbox.endpoints}
        await self._wake(networks.values())
        return await self._connections.attach(sandbox, networks)

    async def connect(self, sandbox: Sandbox) -> Endpoint:
        """Connect a running container to one more network."""
        network = self._joinable(sandbox.endpoints[0].network)
        await self._wake([network])
        return await self._connections.connect(sandbox, network)

    async def disconnect(
        self, container_id: str, network_id: str, netns_fd: int | None = None
    ) -> None:
        """Take a running container off one network. Idempotent."""
        await self._connections.disconnect(container_id, network_id, netns_fd)

    async def detach(self, container_id: str, *, alive: bool = False) -> None:
        """Take a stopped container off all its networks. Idempotent.

        Its namespace takes the links along, unless it is `alive` because others use it.
        """
        await self._connections.detach(container_id, alive=alive)

    async def suspend(self, container_id: str, pid: int) -> None:
        """A container has ended whose namespace others keep (`pid` is in it): its names are silent."""
        await self._names.suspend(container_id, pid)

    async def resume(self, sandbox: Sandbox) -> tuple[Endpoint, ...]:
        """A container is back in its namespace; what was changed meanwhile is done now."""
        networks = {e.network: self._joinable(e.network) for e in sandbox.endpoints}
        await self._wake(networks.values())
        return await self._connections.resume(sandbox, networks)

    async def set_answering(self, container_id: str, *, answering: bool) -> None:
        """Whether a container is in DNS answers."""
        await self._names.set_answering(container_id, answering=answering)

    async def restore(self, live: Mapping[str, int], kept: Mapping[str, int]) -> None:
        """After a restart of the engine: everything of live containers (id -> pid), nothing else.

        `kept` are ended ones whose namespace others use: their names are silent.
        """
        live = {**live, **kept}
        gone = [e for e in self._records.endpoints() if e.container_id not in live]
        for endpoint in gone:
            self._records.forget(endpoint)
        present = self._records.endpoints()
        if not self._resting:
            await self._reset_rules(present)
        await self._sweep()
        pairs = [(self._records.entry(e.network_id), e) for e in present]
        await self._publisher.keep(pairs)
        carried = await self._publisher.carried()
        for entry, endpoint in pairs:
            await self._publisher.adopt(entry, endpoint, carried)
        served = {
            container: Served(pid, self._connections.view(endpoints, endpoints[0].dns_servers))
            for container, pid in live.items()
            if (endpoints := self._records.endpoints_for(container))
        }
        await self._names.restore(present, served, set(kept))
        await self.rest()

    async def _sweep(self) -> None:
        """Remove this engine's links that nobody knows: of a crash, or of a namespace that lingers.

        A namespace does so while the last packets of a dead container's connections find no taker.
        """
        keep = [network.link for network in self.all()]
        keep += [endpoint.veth for endpoint in self._records.endpoints()]
        await self._worker.perform("sweep", veth_prefix=self._veth_prefix, keep=keep)

    async def _reset_rules(self, endpoints: list[Endpoint]) -> None:
        """The whole ruleset in one transaction, by way of a file: it may be long."""
        everything: dict[str, list[Any]] = {"networks": [], "endpoints": [], "ports": []}
        for network in self.all():
            if network.has_bridge:
                everything["networks"].append(self._order(network))
        for endpoint in endpoints:
            entry = self._records.entry(endpoint.network_id)
            if entry.network.has_bridge:
                order = endpoint_order(entry.network, entry.options, endpoint)
                everything["endpoints"].append(order)
                everything["ports"] += self._publisher.orders(entry, endpoint)
        memory = in_memory(everything)
        try:
            await self._worker.perform("reset", memory, veth_prefix=self._veth_prefix)
        finally:
            os.close(memory)

    async def _make_link(self, network: Network) -> None:
        try:
            answer = await self._worker.perform("add_network", **self._order(network))
        except NetworkWorkerError as error:
            raise EngineError(f"cannot make the network {network.name}: {error}") from error
        if answer["made"] != network.link_made:
            self._records.add(replace(network, link_made=answer["made"]))

    def _order(self, network: Network) -> dict[str, Any]:
        entry: Entry = self._records.entry(network.id)
        underlay = self.cluster.underlay if self.cluster else None
        return network_order(network, entry.options, entry.subnets, underlay)

    async def _announce(self, action: str, network: Network) -> None:
        if self.cluster:
            await self.cluster.networks_changed()
        attributes = {"name": network.name, "type": network.driver}
        self._events.publish("network", action, network.id, attributes)


class InvalidPrefixError(EngineError):
    """An id's beginning that fits several networks (HTTP 400)."""

    status = 400
