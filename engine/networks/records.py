"""The networks and endpoints of an engine: rows of its database, and the same in memory, indexed.

Every change goes to both at once, so that no look-up reads or decodes rows, and the cost of the n-th
endpoint is that of the first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from engine.networks.addressing import subnets_of
from engine.networks.model import Endpoint, Network
from engine.networks.options import DriverOptions, read_options

if TYPE_CHECKING:
    from engine.storage.database import Database
    from networking.ipam import Address, Block, Subnet


@dataclass(slots=True)
class Entry:
    """A network with what its stored document means, and who is on it."""

    network: Network
    options: DriverOptions
    subnets: tuple[Subnet, ...]
    endpoints: dict[str, Endpoint] = field(default_factory=dict)  # by container
    used: set[Address] = field(default_factory=set)
    macs: set[str] = field(default_factory=set)
    last: dict[int, Address] = field(default_factory=dict)  # given, by family


class Records:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries: dict[str, Entry] = {}
        self._ids: dict[str, str] = {}
        self._containers: dict[str, dict[str, Endpoint]] = {}
        for (text,) in database.rows("SELECT document FROM networks ORDER BY name"):
            self._index(Network.from_json(json.loads(text)))
        for (text,) in database.rows("SELECT document FROM endpoints"):
            self._index_endpoint(Endpoint.from_json(json.loads(text)))

    def networks(self) -> list[Network]:
        """Every network, by name."""
        return [self._entries[self._ids[name]].network for name in sorted(self._ids)]

    def named(self, name: str) -> Network | None:
        """By its whole name."""
        found = self._ids.get(name)
        return self._entries[found].network if found else None

    def with_id(self, prefix: str) -> list[Network]:
        """Those whose id is or begins so."""
        entry = self._entries.get(prefix)
        if entry:
            return [entry.network]
        return [e.network for key, e in self._entries.items() if key.startswith(prefix)]

    def entry(self, network_id: str) -> Entry:
        """Everything about a network that exists."""
        return self._entries[network_id]

    def add(self, network: Network) -> None:
        """A network comes, or its document changes."""
        self._database.execute(
            "INSERT OR REPLACE INTO networks (id, name, document) VALUES (?, ?, ?)",
            (network.id, network.name, json.dumps(network.to_json())),
        )
        self._index(network)

    def remove(self, network: Network) -> None:
        """A network goes. Idempotent."""
        self._database.execute("DELETE FROM networks WHERE id = ?", (network.id,))
        self._entries.pop(network.id, None)
        self._ids.pop(network.name, None)

    def taken(self) -> dict[Block, str]:
        """Every subnet, with its network in words."""
        return {
            subnet.network: f"network {entry.network.name}"
            for entry in self._entries.values()
            if not entry.network.config_only
            for subnet in entry.subnets
        }

    def endpoints(self) -> list[Endpoint]:
        """Every endpoint."""
        return [e for entry in self._entries.values() for e in entry.endpoints.values()]

    def endpoints_for(self, container_id: str) -> list[Endpoint]:
        """Where a container is connected, in the order it was."""
        return list(self._containers.get(container_id, {}).values())

    def store(self, endpoint: Endpoint) -> None:
        """An endpoint comes, or changes."""
        self._database.execute(
            "INSERT OR REPLACE INTO endpoints (container_id, network_id, document) VALUES (?, ?, ?)",
            (endpoint.container_id, endpoint.network_id, json.dumps(endpoint.to_json())),
        )
        self._index_endpoint(endpoint)

    def forget(self, endpoint: Endpoint) -> None:
        """An endpoint goes. Idempotent."""
        self._database.execute(
            "DELETE FROM endpoints WHERE container_id = ? AND network_id = ?",
            (endpoint.container_id, endpoint.network_id),
        )
        entry = self._entries.get(endpoint.network_id)
        if entry is not None and endpoint.container_id in entry.endpoints:
            del entry.endpoints[endpoint.container_id]
            entry.used.difference_update(map(ip_address, endpoint.addresses))
            entry.macs.discard(endpoint.mac)
        mine = self._containers.get(endpoint.container_id, {})
        mine.pop(endpoint.network_id, None)
        if not mine:
            self._containers.pop(endpoint.container_id, None)

    def _index(self, network: Network) -> None:
        known = self._entries.get(network.id)
        entry = Entry(network, read_options(network.options), subnets_of(network))
        if known is not None:
            entry.endpoints, entry.used = known.endpoints, known.used
            entry.macs, entry.last = known.macs, known.last
        self._entries[network.id] = entry
        self._ids[network.name] = network.id

    def _index_endpoint(self, endpoint: Endpoint) -> None:
        entry = self._entries.get(endpoint.network_id)
        if entry is None:
            return
        entry.endpoints[endpoint.container_id] = endpoint
        entry.macs.add(endpoint.mac)
        for address in map(ip_address, endpoint.addresses):
            entry.used.add(address)
            entry.last[address.version] = address
        mine = self._containers.setdefault(endpoint.container_id, {})
        mine[endpoint.network_id] = endpoint
