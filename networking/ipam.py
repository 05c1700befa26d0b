"""Addresses: which subnet a network gets, which address an endpoint. Pure, and never one twice."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: (pool, prefix length of a network in it). 256 networks out of the box, away from Docker's 172.17-31.
DEFAULT_POOLS = (
    (IPv4Network("10.201.0.0/16"), 24),
    (IPv4Network("172.30.0.0/16"), 24),
    (IPv4Network("192.168.192.0/19"), 24),
)


class AddressError(ValueError):
    """The wish cannot be met; the message says what is in the way."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A network's addresses: the part that endpoints come from, and the gateway."""

    network: IPv4Network
    gateway: IPv4Address
    range: IPv4Network
    reserved: frozenset[IPv4Address] = frozenset()


def parse_pool(text: str) -> tuple[IPv4Network, int]:
    """ "10.1.0.0/16" (networks of 24 bits) or "10.1.0.0/16:26". Raises AddressError."""
    base, _, size = text.partition(":")
    try:
        pool = IPv4Network(base)
        length = int(size) if size else max(24, pool.prefixlen)
    except ValueError as error:
        raise AddressError(
            f"{text!r} is no address pool: write 10.1.0.0/16 or 10.1.0.0/16:26"
        ) from error
    if not pool.prefixlen <= length <= 30:
        raise AddressError(f"networks of /{length} do not fit the pool {pool}")
    return pool, length


def choose_subnet(
    pools: Iterable[tuple[IPv4Network, int]], taken: dict[IPv4Network, str]
) -> IPv4Network:
    """The first subnet of the pools that overlaps nothing taken. Raises AddressError that names it all."""
    pools = list(pools)
    for pool, length in pools:
        for candidate in pool.subnets(new_prefix=length):
            if not any(candidate.overlaps(other) for other in taken):
                return candidate
    relevant = [
        f"{net} ({owner})" for net, owner in taken.items() if any(net.overlaps(p) for p, _ in pools)
    ]
    raise AddressError(
        f"all address pools are taken ({', '.join(str(p) for p, _ in pools)}): {', '.join(relevant[:8])}; "
        "remove networks (pycompose down) or give more with --address-pool"
    )


def make_subnet(
    network: IPv4Network, gateway: str = "", ip_range: str = "", reserved: Collection[str] = ()
) -> Subnet:
    """A subnet as asked for. Raises AddressError if its parts lie outside of it."""
    try:
        door = IPv4Address(gateway) if gateway else network.network_address + 1
        part = IPv4Network(ip_range) if ip_range else network
        kept = frozenset(IPv4Address(address) for address in reserved)
    except ValueError as error:
        raise AddressError(str(error)) from error
    if network.prefixlen > 30:
        raise AddressError(f"{network} is too small for a gateway and a container")
    if door not in network or not part.subnet_of(network) or any(a not in network for a in kept):
        raise AddressError(f"gateway, range and auxiliary addresses must lie inside {network}")
    return Subnet(network, door, part, kept)


def lease(
    subnet: Subnet,
    used: Collection[IPv4Address],
    wanted: str = "",
    after: IPv4Address | None = None,
) -> IPv4Address:
    """A free address: the one wanted, or the next after the last one given. Raises AddressError."""
    network = subnet.network
    if wanted:
        try:
            address = IPv4Address(wanted)
        except ValueError as error:
            raise AddressError(f"invalid IPv4 address: {wanted}") from error
        if address not in network or address in (
            network.network_address,
            network.broadcast_address,
        ):
            raise AddressError(
                f"no configured subnet contains IP address {wanted}: the subnet is {network}"
            )
        if address == subnet.gateway or address in used:
            raise AddressError("Address already in use")
        return address
    first = max(int(subnet.range.network_address), int(network.network_address) + 1)
    last = min(int(subnet.range.broadcast_address), int(network.broadcast_address) - 1)
    span = last - first + 1
    start = int(after) - first + 1 if after is not None and first <= int(after) <= last else 0
    for offset in range(span):
        address = IPv4Address(first + (start + offset) % span)
        if address != subnet.gateway and address not in used and address not in subnet.reserved:
            return address
    raise AddressError(f"no address is left in {subnet.range}")
