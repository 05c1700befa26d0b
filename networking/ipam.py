"""Addresses: which subnet a network gets, which address an endpoint. Pure, and never one twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Address = IPv4Address | IPv6Address
Block = IPv4Network | IPv6Network
#: (pool, prefix length of a network in it).
Pool = tuple[Block, int]

#: 256 networks out of the box and as many in reserve, away from Docker's 172.17-31.
DEFAULT_POOLS: tuple[Pool, ...] = (
    (IPv4Network("10.201.0.0/16"), 24),
    (IPv4Network("172.30.0.0/16"), 24),
    (IPv4Network("192.168.192.0/19"), 24),
    (IPv4Network("10.216.0.0/16"), 24),
)


class AddressError(ValueError):
    """The wish cannot be met; the message says what is in the way."""


class AddressTakenError(AddressError):
    """The address is somebody's already."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A network's addresses: the part that endpoints come from, and the gateway."""

    network: Block
    gateway: Address
    range: Block
    reserved: frozenset[Address] = frozenset()


def parse_pool(text: str) -> Pool:
    """ "10.1.0.0/16" (networks of 24 bits), "10.1.0.0/16:26", "fd00:1::/48,64". Raises AddressError.

    The size stands after a comma, or for IPv4 after a colon too.
    """
    base, separator, size = text.partition(",")
    if not separator and text.count(":") == 1:
        base, _, size = text.partition(":")
    try:
        pool = ip_network(base)
        usual = 24 if pool.version == 4 else 64
        length = int(size) if size else max(usual, pool.prefixlen)
    except ValueError as error:
        raise AddressError(
            f"{text!r} is no address pool: write 10.1.0.0/16, 10.1.0.0/16:26 or fd00:1::/48,64"
        ) from error
    if not pool.prefixlen <= length <= pool.max_prefixlen - 2:
        raise AddressError(f"networks of /{length} do not fit the pool {pool}")
    return pool, length


def unique_local_pool(seed: str) -> Pool:
    """The /48 of unique local addresses that belongs to a seed, ever the same (RFC 4193 section 3.2)."""
    prefix = b"\xfd" + hashlib.sha256(f"pycompose {seed}".encode()).digest()[:5] + bytes(10)
    return IPv6Network((prefix, 48)), 64


def choose_subnet(pools: Iterable[Pool], taken: Mapping[Block, str], version: int = 4) -> Block:
    """The first subnet of the pools that overlaps nothing taken. Raises AddressError that names it all."""
    pools = [pool for pool in pools if pool[0].version == version]
    if not pools:
        raise AddressError(f"there is no IPv{version} address pool: give one with --address-pool")
    for pool, length in pools:
        found = _first_free(pool, length, taken)
        if found is not None:
            return found
    relevant = [f"{net} ({owner})" for net, owner in taken.items() if _touches(net, pools)]
    more = f" and {len(relevant) - 8} more" if len(relevant) > 8 else ""
    raise AddressError(
        f"all address pools are taken ({', '.join(str(p) for p, _ in pools)}): "
        f"{', '.join(relevant[:8])}{more}; "
        "remove networks (pycompose down) or give more with --address-pool"
    )


def _touches(block: Block, pools: Iterable[Pool]) -> bool:
    return any(block.version == pool.version and block.overlaps(pool) for pool, _ in pools)


def _first_free(pool: Block, length: int, taken: Iterable[Block]) -> Block | None:
    """One walk along what is taken, in order: the cost does not grow with pool times networks."""
    step = 1 << (pool.max_prefixlen - length)
    start, end = int(pool.network_address), int(pool.broadcast_address)
    spans = sorted(
        (int(block.network_address), int(block.broadcast_address))
        for block in taken
        if block.version == pool.version
    )
    for low, high in spans:
        if high < start:
            continue
        if low >= start + step:
            break
        start = (high // step + 1) * step
    if start + step - 1 > end:
        return None
    base: Address = IPv4Address(start) if pool.version == 4 else IPv6Address(start)
    return ip_network((base, length))


def overlapping(wanted: Block, taken: Mapping[Block, str]) -> tuple[Block, str] | None:
    """What a subnet would overlap, and whose it is."""
    for block, owner in taken.items():
        if block.version == wanted.version and block.overlaps(wanted):
            return block, owner
    return None


def parse_subnet(text: str) -> Block:
    """A subnet as a person writes it. Raises AddressError."""
    try:
        found = ip_network(text, strict=False)
    except ValueError as error:
        raise AddressError(f"invalid subnet {text}: {error}") from error
    if found.network_address != ip_address(text.partition("/")[0]):
        raise AddressError(f"invalid subnet {text}: it should be {found}")
    return found


def make_subnet(
    network: Block, gateway: str = "", ip_range: str = "", reserved: Collection[str] = ()
) -> Subnet:
    """A subnet as asked for. Raises AddressError if its parts lie outside of it."""
    if network.prefixlen > network.max_prefixlen - 2:
        raise AddressError(f"{network} is too small for a gateway and a container")
    try:
        door = ip_address(gateway) if gateway else network.network_address + 1
        part = ip_network(ip_range) if ip_range else network
        kept = frozenset(ip_address(address) for address in reserved)
    except ValueError as error:
        raise AddressError(f"{error} (of the network {network})") from error
    if door not in network:
        raise AddressError(f"the gateway {door} lies outside of {network}")
    if door in unusable(network):
        raise AddressError(f"the gateway {door} is the first or last address of {network}")
    if part.version != network.version or part[0] not in network or part[-1] not in network:
        raise AddressError(f"the range {part} lies outside of {network}")
    for address in kept:
        if address not in network:
            raise AddressError(f"the auxiliary address {address} lies outside of {network}")
    return Subnet(network, door, part, kept)


def unusable(network: Block) -> tuple[Address, ...]:
    """The addresses that no host may have (RFC 919 section 7; RFC 4291 section 2.6.1)."""
    if network.version == 4:
        return network.network_address, network.broadcast_address
    return (network.network_address,)


def lease(
    subnet: Subnet,
    used: Collection[Address],
    wanted: str = "",
    after: Address | None = None,
) -> Address:
    """A free address: the one wanted, or the next after the last one given. Raises AddressError."""
    network = subnet.network
    if wanted:
        return _lease_wanted(subnet, used, wanted)
    first, last = int(subnet.range.network_address), int(subnet.range.broadcast_address)
    span = last - first + 1
    start = int(after) - first + 1 if after is not None and first <= int(after) <= last else 0
    refused = {subnet.gateway, *subnet.reserved, *unusable(network)}
    make: type[IPv4Address | IPv6Address] = IPv4Address if network.version == 4 else IPv6Address
    # Among as many candidates plus one as there are addresses in use, one is free.
    for offset in range(min(span, len(used) + len(refused) + 1)):
        address = make(first + (start + offset) % span)
        if address not in used and address not in refused:
            return address
    raise AddressError(f"no address is left in {subnet.range}")


def _lease_wanted(subnet: Subnet, used: Collection[Address], wanted: str) -> Address:
    network = subnet.network
    try:
        address = ip_address(wanted)
    except ValueError as error:
        raise AddressError(f"invalid address {wanted!r}: {error}") from error
    if address.version != network.version:
        raise AddressError(f"invalid IPv{network.version} address: {wanted}")
    if address not in network or address in unusable(network):
        raise AddressError(
            f"no configured subnet contains IP address {wanted}: the subnet is {network}"
        )
    if address == subnet.gateway or address in used or address in subnet.reserved:
        raise AddressTakenError(f"Address already in use: {wanted}")
    return address


def mac_for(address: Address) -> str:
    """The MAC address that goes with an address: Docker's 02:42 and the last 32 bits."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in address.packed[-4:])


def parse_mac(text: str) -> str:
    """A unicast Ethernet address in lower case with colons. Raises AddressError."""
    parts = text.replace("-", ":").lower().split(":")
    try:
        raw = bytes(int(part, 16) for part in parts)
    except ValueError:
        raw = b""
    if len(raw) != 6 or any(len(part) > 2 for part in parts):
        raise AddressError(f"invalid MAC address {text!r}: write 02:42:ac:11:00:02")
    if raw[0] & 1 or not any(raw):
        raise AddressError(f"invalid MAC address {text!r}: it is no address of a single device")
    return ":".join(f"{byte:02x}" for byte in raw)


def link_local_of(mac: str) -> IPv6Address:
    """The link-local address that the kernel makes of a MAC address (RFC 4291 appendix A)."""
    raw = bytes.fromhex(mac.replace(":", ""))
    tail = bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]
    return IPv6Address(b"\xfe\x80" + bytes(6) + tail)
