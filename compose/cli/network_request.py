"""`network create`'s flags -> the body of POST /networks/create. Pure."""

from __future__ import annotations

import ipaddress

from compose.cli.key_values import pairs
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from compose.cli.flags import Options

    Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


def create_body(options: Options) -> dict[str, Any]:
    """The request. Raises UsageError."""
    body: dict[str, Any] = {
        "Name": options.arguments[0],
        "Driver": options.driver,
        "Internal": options.internal,
        "Attachable": options.attachable,
        "Scope": options.scope,
        "ConfigOnly": options.config_only,
        "ConfigFrom": {"Network": options.config_from} if options.config_from else {},
        "Options": pairs(options.opt, "--opt", bare=True),
        "Labels": pairs(options.label, "--label", bare=True),
        "IPAM": {
            "Driver": options.ipam_driver,
            "Options": pairs(options.ipam_opt, "--ipam-opt"),
            "Config": pools(options),
        },
    }
    if "ipv4" in options.given:
        body["EnableIPv4"] = options.ipv4
    if "ipv6" in options.given:
        body["EnableIPv6"] = options.ipv6
    return {key: value for key, value in body.items() if value not in ("", {})}


def pools(options: Options) -> list[dict[str, Any]]:
    """Subnets, each with the range, the gateway and the addresses that lie in it. Raises UsageError."""
    subnets = {subnet_of(text, "--subnet"): {"Subnet": text} for text in options.subnet}
    found: dict[Subnet, dict[str, Any]] = {**subnets}
    for text in options.ip_range:
        place(found, subnet_of(text, "--ip-range"), "IPRange", text)
    for text in options.gateway:
        place(found, subnet_of(text, "--gateway"), "Gateway", text)
    for name, text in pairs(options.aux_address, "--aux-address").items():
        pool = holder(found, subnet_of(text, "--aux-address"), text)
        pool.setdefault("AuxiliaryAddresses", {})[name] = text
    return list(found.values())


def subnet_of(text: str, flag: str) -> Subnet:
    """An address or a subnet. Raises UsageError."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise UsageError(f'invalid {flag} "{text}": give an address, as in 10.1.0.0/24') from None


def place(pools: dict[Subnet, dict[str, Any]], inner: Subnet, key: str, text: str) -> None:
    """Put a range or gateway to the subnet that holds it. Raises UsageError."""
    pool = holder(pools, inner, text)
    if key in pool:
        raise UsageError(f"cannot configure multiple {key}s ({pool[key]}, {text}) on one subnet")
    pool[key] = text


def holder(pools: dict[Subnet, dict[str, Any]], inner: Subnet, text: str) -> dict[str, Any]:
    """The pool that an address lies in. Raises UsageError."""
    for subnet, pool in pools.items():
        if holds(subnet, inner):
            return pool
    raise UsageError(f"no matching subnet for {text}: give --subnet")


def holds(outer: Subnet, inner: Subnet) -> bool:
    """Whether one lies in the other."""
    if isinstance(outer, ipaddress.IPv4Network) and isinstance(inner, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, ipaddress.IPv6Network) and isinstance(inner, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False
