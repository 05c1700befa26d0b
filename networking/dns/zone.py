"""What names mean to whom: plain maps and a pure lookup. No sockets here.

A requester (a container) sees the names of the networks it is on, in its order; names may carry the
network's as a suffix ("web.backend"). A zone is replaced whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Zone:
    """`names`: network -> name -> addresses; `owners`: network -> address -> name."""

    names: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    owners: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Zone:
        """The inverse of `to_json`."""
        names = {
            network: {name: tuple(addresses) for name, addresses in table.items()}
            for network, table in document["names"].items()
        }
        return cls(names, document["owners"])

    def to_json(self) -> dict[str, Any]:
        """As it travels to the server."""
        return {"names": self.names, "owners": self.owners}

    def addresses(self, networks: tuple[str, ...], name: str) -> tuple[str, ...] | None:
        """The addresses of a name, None if no network of the requester knows it."""
        name = name.rstrip(".").lower()
        for network in networks:
            table = self.names.get(network, {})
            found = table.get(name) or table.get(name.removesuffix(f".{network.lower()}"))
            if found:
                return found
        return None

    def owner(self, networks: tuple[str, ...], address: str) -> str | None:
        """The name behind an address of the requester's networks."""
        for network in networks:
            owner = self.owners.get(network, {}).get(address)
            if owner:
                return f"{owner}.{network}"
        return None
