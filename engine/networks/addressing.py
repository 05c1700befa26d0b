"""Subnets for networks, addresses for endpoints: requests met or refused with who is in the way. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import ForbiddenError, InvalidRequestError
from engine.networks.model import IpamConfig
from networking.ipam import (
    AddressError,
    AddressTakenError,
    choose_subnet,
    lease,
    make_subnet,
    overlapping,
    parse_subnet,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from engine.networks.model import EndpointRequest, Network, NetworkRequest
    from networking.ipam import Address, Block, Pool, Subnet


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new network's subnets are, and what its maker should know."""

    ipam: tuple[IpamConfig, ...]
    warnings: tuple[str, ...] = ()


def plan_subnets(
    request: NetworkRequest,
    pools: Collection[Pool],
    networks: Mapping[Block, str],
    routes: Mapping[Block, str],
) -> Plan:
    """Subnets of a new network, as asked for or from the pools.

    `networks` and `routes` are what is taken, and by whom. Raises InvalidRequestError; ForbiddenError
    for a subnet that another network has.
    """
    try:
        asked = [_asked(config, request) for config in request.ipam]
        if request.config_only:
            return Plan(tuple(asked))
        held = dict(networks)
        warnings = []
        for config in asked:
            block = parse_subnet(config.subnet)
            conflict = overlapping(block, held)
            if conflict:
                raise ForbiddenError(
                    f"invalid pool request: Pool overlaps with other one on this address space: "
                    f"{block} overlaps {conflict[0]} ({conflict[1]})"
                )
            held[block] = "another subnet of the same network"
            in_the_way = overlapping(block, routes)
            if in_the_way and request.driver != "macvlan":
                warnings.append(
                    f"{block} overlaps {in_the_way[0]} ({in_the_way[1]}): "
                    "the host may no longer reach what is there"
                )
        for version, enabled in ((4, request.enable_ipv4), (6, request.enable_ipv6)):
            if enabled and not any(parse_subnet(c.subnet).version == version for c in asked):
                block = choose_subnet(pools, {**routes, **held}, version)
                asked.append(_config(IpamConfig(str(block))))
    except AddressError as error:
        raise InvalidRequestError(str(error)) from error
    asked.sort(key=lambda config: parse_subnet(config.subnet).version)
    return Plan(tuple(asked), tuple(warnings))


def _asked(config: IpamConfig, request: NetworkRequest) -> IpamConfig:
    if not config.subnet:
        part = config.gateway or config.ip_range or next(iter(config.aux_addresses.values()), "")
        raise InvalidRequestError(f"ipam: {part} needs the subnet that it is of")
    if parse_subnet(config.subnet).version == 4 and not request.enable_ipv4:
        raise InvalidRequestError(f"the subnet {config.subnet} needs enable_ipv4: true")
    return _config(config)


def _config(config: IpamConfig) -> IpamConfig:
    """Checked, with its gateway filled in."""
    subnet = subnet_of(config)
    return IpamConfig(
        str(subnet.network), str(subnet.gateway), config.ip_range, config.aux_addresses
    )


def subnet_of(config: IpamConfig) -> Subnet:
    """A stored subnet as a value. Raises AddressError."""
    block = parse_subnet(config.subnet)
    return make_subnet(block, config.gateway, config.ip_range, config.aux_addresses.values())


def subnets_of(network: Network) -> tuple[Subnet, ...]:
    """A network's subnets, IPv4 first."""
    return tuple(subnet_of(config) for config in network.ipam)


@dataclass(frozen=True, slots=True)
class Lease:
    """An address and the subnet it is of."""

    address: Address
    subnet: Subnet


def lease_addresses(
    network: Network,
    subnets: tuple[Subnet, ...],
    used: Collection[Address],
    request: EndpointRequest,
    last: Mapping[int, Address],
) -> dict[int, Lease]:
    """An address of each family (4, 6) that the network has. Raises InvalidRequestError."""
    found = {}
    for version, wanted in ((4, request.ipv4), (6, request.ipv6)):
        fitting = [subnet for subnet in subnets if subnet.network.version == version]
        if wanted and not fitting:
            raise InvalidRequestError(
                f"network {network.name} has no IPv{version} subnet for the address {wanted}"
            )
        if fitting:
            try:
                found[version] = _lease_one(fitting, used, wanted, last.get(version))
            except AddressTakenError as error:
                raise ForbiddenError(f"network {network.name}: {error}") from error
            except AddressError as error:
                raise InvalidRequestError(f"network {network.name}: {error}") from error
    return found


def _lease_one(
    subnets: list[Subnet], used: Collection[Address], wanted: str, last: Address | None
) -> Lease:
    """Of the subnet that holds the wish, or of the first that has one left."""
    failed: AddressError | None = None
    for subnet in subnets:
        try:
            return Lease(lease(subnet, used, wanted, last), subnet)
        except AddressError as error:
            outside = "no configured subnet contains" in str(error)
            if wanted and not outside:
                raise
            failed = failed if failed and outside else error
    assert failed is not None
    raise failed
