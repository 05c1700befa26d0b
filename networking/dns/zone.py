"""What names mean to whom: members, their names, and a pure lookup. No sockets here.

A member is a container on a network. A requester sees the names of the networks it is on, in its
order; names may carry the network's as a suffix ("web.backend"). Joining and leaving cost the same
however many members there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Member:
    """A container on a network; `answering` is false for one that is not healthy: it has no names."""

    id: str
    network: str
    owner: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    answering: bool = True

    def to_json(self) -> dict[str, Any]:
        """As it travels to the server (by hand: asdict copies every string, for ten times the CPU)."""
        return {
            "id": self.id, "network": self.network, "owner": self.owner, "names": self.names,
            "addresses": self.addresses, "answering": self.answering,
        }  # fmt: skip

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Member:
        """The inverse of `to_json`."""
        tuples = {key: tuple(document[key]) for key in ("names", "addresses")}
        return cls(**{**document, **tuples})


@dataclass(frozen=True, slots=True)
class View:
    """What a container sees. `hosts`: names of its own; `links`: its words for others' names.

    `forward`: whether it may ask the world; `upstreams`: its own servers, asked from its namespace.
    """

    networks: tuple[str, ...] = ()
    hosts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    upstreams: tuple[str, ...] = ()
    forward: bool = True

    def to_json(self) -> dict[str, Any]:
        """As it travels to the server."""
        return {
            "networks": self.networks, "hosts": self.hosts, "links": self.links,
            "upstreams": self.upstreams, "forward": self.forward,
        }  # fmt: skip

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> View:
        """The inverse of `to_json`."""
        return cls(
            tuple(document["networks"]),
            {name: tuple(addresses) for name, addresses in document["hosts"].items()},
            document["links"],
            tuple(document["upstreams"]),
            document["forward"],
        )


class Zone:
    """All members."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._members: dict[str, Member] = {}
        self._names: dict[str, dict[str, dict[str, Member]]] = {}
        self._owners: dict[str, dict[str, Member]] = {}
        for member in members:
            self.join(member)

    def join(self, member: Member) -> None:
        """A member comes, or changes."""
        if member.id in self._members:
            self.leave(member.id)
        self._members[member.id] = member
        table = self._names.setdefault(member.network, {})
        for name in member.names if member.answering else ():
            table.setdefault(name.lower(), {})[member.id] = member
        owners = self._owners.setdefault(member.network, {})
        for address in member.addresses:
            owners[address] = member

    def leave(self, member_id: str) -> None:
        """A member goes. Idempotent."""
        member = self._members.pop(member_id, None)
        if member is None:
            return
        table = self._names.get(member.network, {})
        for name in map(str.lower, member.names):
            holders = table.get(name, {})
            holders.pop(member_id, None)
            if not holders:
                table.pop(name, None)
        owners = self._owners.get(member.network, {})
        for address in member.addresses:
            if owners.get(address) is member:
                del owners[address]
        if not table:
            self._names.pop(member.network, None)
        if not owners:
            self._owners.pop(member.network, None)

    def members(self) -> tuple[Member, ...]:
        """All of them, in the order they came."""
        return tuple(self._members.values())

    def addresses(self, view: View, name: str) -> tuple[str, ...] | None:
        """The addresses (of both families) of a name; None if the requester knows it not."""
        name = name.rstrip(".").lower()
        if name in view.hosts:
            return view.hosts[name]
        name = view.links.get(name, name).lower()
        for network in view.networks:
            table = self._names.get(network)
            if not table:
                continue
            holders = table.get(name)
            if not holders and name.endswith(f".{network.lower()}"):
                short = name[: -len(network) - 1]
                holders = table.get(view.links.get(short, short).lower())
            if holders:
                return tuple(a for member in holders.values() for a in member.addresses)
        return None

    def owner(self, view: View, address: str) -> str | None:
        """The name behind an address of the requester's networks."""
        for network in view.networks:
            member = self._owners.get(network, {}).get(address)
            if member is not None:
                return f"{member.owner}.{network}"
        return None
