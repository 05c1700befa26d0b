"""A network on the host: its bridge, its gateways' addresses, its sysctls, its VXLAN device.

Requests are the JSON documents of the worker (see engine/networks/wishes for who writes them).
"""

from __future__ import annotations

import errno
import os
from ipaddress import ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from networking.linux import links
from networking.linux.endpoints import delete_link
from networking.linux.ruleset import NetworkRules

if TYPE_CHECKING:
    from networking.linux.netlink import Route
    from networking.linux.sysctls import Sysctls

#: How every engine's links say whose they are: the table's name, which carries the engine's id.
OWNER = "pycompose-"


def rules_of(request: dict[str, Any], index: int) -> NetworkRules:
    """What the ruleset is told of a network whose bridge has an index."""
    return NetworkRules(
        link=index,
        masqueraded=tuple(map(ip_network, request["masqueraded"])),
        internal=request["internal"],
        icc=request["icc"],
        unprotected=tuple(request["unprotected"]),
        routed=tuple(request["routed"]),
    )


class Bridge(NamedTuple):
    """Whether a network's bridge is new, and whether it is this engine's: a person may have made it."""

    new: bool
    ours: bool


def make_bridge(route: Route, request: dict[str, Any]) -> Bridge:
    """The bridge of a network, made or found.

    One that is another engine's, or no bridge, is a FileExistsError.
    """
    name = request["link"]
    try:
        route.send(links.new_bridge(name, request["mtu"]))
        route.send(links.set_alias(links.index_of(name), request["table"], name))
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    else:
        return Bridge(new=True, ours=True)
    found = next(link for link in links.all_links(route) if link.name == name)
    foreign = found.alias.startswith(OWNER) and found.alias != request["table"]
    if found.kind != "bridge" or foreign:
        owner = f" of the engine {found.alias}" if foreign else ""
        raise FileExistsError(
            errno.EEXIST, f"there is a {found.kind or 'link'} {name}{owner} already"
        )
    return Bridge(new=False, ours=found.alias == request["table"])


def configure_bridge(route: Route, sysctls: Sysctls, request: dict[str, Any]) -> None:
    """Addresses, sysctls and the VXLAN device; what is so already stays so."""
    name = request["link"]
    index = links.index_of(name)
    addresses = [ip_interface(address) for address in request["gateways"]]
    batch = [links.add_address(index, address, name) for address in addresses]
    _set_ipv6(sysctls, name, enabled=request["ipv6"])
    # Published ports on 127.0.0.1 are routed to the bridge; the guard chain stops who is on it.
    sysctls.write(f"ipv4/conf/{name}/route_localnet", "1")
    route.send(links.set_up(index, name), *batch)
    if request["ipv6"] and not request["internal"]:
        _forward_ipv6(sysctls)
    if request.get("vxlan"):
        _add_vxlan(route, request, index)


def delete_bridge(route: Route, request: dict[str, Any]) -> None:
    """The bridge and its VXLAN device gone. Idempotent."""
    if request.get("vxlan"):
        delete_link(route, vxlan_name(request))
    delete_link(route, request["link"])


def vxlan_name(request: dict[str, Any]) -> str:
    """The VXLAN device's name; it begins as the engine's veths do not, and fits 15 characters."""
    return f"vx{request['vxlan']['id']:x}-{request['table'][-6:]}"


def _add_vxlan(route: Route, request: dict[str, Any], bridge: int) -> None:
    vxlan = request["vxlan"]
    name = vxlan_name(request)
    local = ip_address(vxlan["local"])
    try:
        route.send(links.new_vxlan(name, vxlan["id"], local, vxlan["port"], bridge, request["mtu"]))
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        return  # an earlier engine made it
    index = links.index_of(name)
    route.send(links.set_alias(index, request["table"], name))
    route.send(*(links.flood_to(index, ip_address(peer)) for peer in vxlan["peers"]))


def _set_ipv6(sysctls: Sysctls, link: str, *, enabled: bool) -> None:
    if not os.path.isdir("/proc/sys/net/ipv6"):
        if enabled:
            raise OSError(errno.EAFNOSUPPORT, "this kernel has no IPv6: leave enable_ipv6 out")
        return
    sysctls.write(f"ipv6/conf/{link}/accept_ra", "0")
    sysctls.write(f"ipv6/conf/{link}/accept_dad", "0")
    sysctls.write(f"ipv6/conf/{link}/disable_ipv6", "0" if enabled else "1")


def forward_packets(sysctls: Sysctls) -> None:
    """The host routes IPv4 between its links."""
    if sysctls.read("ipv4/ip_forward") != "1":
        sysctls.write("ipv4/ip_forward", "1")


def _forward_ipv6(sysctls: Sysctls) -> None:
    """The host routes IPv6; links that get their address by router advertisements go on doing so.

    Forwarding makes a link ignore them at accept_ra 1; 2 means "even then" (ip-sysctl.rst).
    """
    if sysctls.read("ipv6/conf/all/forwarding") == "1":
        return
    for link in sysctls.names("ipv6/conf"):
        if link not in ("all", "lo") and sysctls.read(f"ipv6/conf/{link}/accept_ra") == "1":
            sysctls.write(f"ipv6/conf/{link}/accept_ra", "2")
    sysctls.write("ipv6/conf/all/forwarding", "1")
