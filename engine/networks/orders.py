"""Networks, endpoints and ports as the requests that the network worker takes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.networks.cluster import vxlan_id_of
from networking.ipam import link_local_of

if TYPE_CHECKING:
    from engine.networks.cluster import Underlay
    from engine.networks.model import Endpoint, Network, PortBinding
    from engine.networks.options import DriverOptions
    from networking.ipam import Subnet

#: IANA's port of VXLAN; 1500 bytes without 70 of Ethernet, IPv6, UDP and VXLAN headers.
VXLAN_PORT, OVERLAY_MTU = 4789, 1430


def network_order(
    network: Network, options: DriverOptions, subnets: tuple[Subnet, ...],
    underlay: Underlay | None = None,
) -> dict[str, Any]:  # fmt: skip
    """How a bridge network is made, known to the rules, and removed; an overlay with its underlay."""
    families = [4] * network.enable_ipv4 + [6] * network.enable_ipv6
    gateways = [
        f"{subnet.gateway}/{subnet.network.prefixlen}"
        for subnet in subnets
        if options.gateway_mode(subnet.network.version) != "isolated"
        and not (options.inhibit_ipv4 and subnet.network.version == 4)
    ]
    masqueraded = [
        str(subnet.network)
        for subnet in subnets
        if options.masquerade
        and not network.internal
        and options.gateway_mode(subnet.network.version) != "routed"
    ]
    return {
        "link": network.link,
        "made": network.link_made,
        "mtu": mtu_of(network, options),
        "vxlan": _vxlan(network, options, underlay),
        "gateways": gateways,
        "ipv6": network.enable_ipv6,
        "masqueraded": masqueraded,
        "internal": network.internal,
        "icc": options.icc,
        "unprotected": [f for f in families if options.gateway_mode(f) == "nat-unprotected"],
        "routed": [f for f in families if options.gateway_mode(f) == "routed"],
    }


def _vxlan(
    network: Network, options: DriverOptions, underlay: Underlay | None
) -> dict[str, Any] | None:
    if network.driver != "overlay" or underlay is None:
        return None
    return {
        "id": options.vxlan_id or vxlan_id_of(network.name),
        "local": underlay.address,
        "peers": list(underlay.peers),
        "port": VXLAN_PORT,
    }


def mtu_of(network: Network, options: DriverOptions) -> int:
    """A network's MTU; an overlay's leaves room for the headers around its packets (RFC 7348)."""
    return options.mtu or (OVERLAY_MTU if network.driver == "overlay" else 0)


def endpoint_order(network: Network, options: DriverOptions, endpoint: Endpoint) -> dict[str, Any]:
    """How an endpoint is made, known to the rules, and removed."""
    addresses = []
    if endpoint.ipv4:
        addresses.append(f"{endpoint.ipv4}/{endpoint.prefix}")
    if endpoint.ipv6:
        addresses.append(f"{endpoint.ipv6}/{endpoint.prefix6}")
    automatic = [str(link_local_of(endpoint.mac))] if endpoint.ipv6 else []
    return {
        "kind": "veth" if network.has_bridge else network.driver,
        "link": network.link,
        "veth": endpoint.veth,
        "interface": endpoint.interface,
        "mac": endpoint.mac,
        "addresses": addresses,
        "link_local": [*automatic, *endpoint.link_local_ips],
        "extra_link_local": list(endpoint.link_local_ips),
        "gateways": [],
        "mtu": mtu_of(network, options),
        "mode": options.macvlan_mode,
        "isolated": not options.icc,
        "sysctls": endpoint.sysctls,
    }


def port_orders(
    endpoint: Endpoint, options: DriverOptions, *, through_input: bool = False
) -> list[list[Any]]:
    """What of an endpoint's published ports the kernel does; the rest is the relay's."""
    found = []
    for port in endpoint.ports:
        version = 6 if ":" in port.host_ip else 4
        address = endpoint.ipv4 if version == 4 else endpoint.ipv6
        if not address:
            continue
        if options.gateway_mode(version) == "routed":
            found.append([port.protocol, "", 0, address, port.container_port, True])
        elif not through_input and port.host_ip != "::1":
            found.append(
                [
                    port.protocol, port.host_ip, port.host_port, address,
                    port.container_port, False,
                ]
            )  # fmt: skip
    return found


def relayed(
    endpoint: Endpoint, options: DriverOptions, port: PortBinding, *, through_input: bool = False
) -> list[Any] | None:
    """[protocol, container address, container port] if user space must carry a port; else None.

    The kernel cannot translate ::1 to anything, nor one family to the other; and where the host's
    INPUT policy is to govern, packets must go to a socket of the host. SCTP is the kernel's alone.
    """
    version = 6 if ":" in port.host_ip else 4
    if port.protocol == "sctp" or options.gateway_mode(version) == "routed":
        return None
    own = endpoint.ipv4 if version == 4 else endpoint.ipv6
    target = own or endpoint.ipv4 or endpoint.ipv6
    by_kernel = own and not through_input and port.host_ip not in ("::", "::1")
    return None if by_kernel else [port.protocol, target, port.container_port]
