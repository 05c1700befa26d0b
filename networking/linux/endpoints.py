"""An endpoint on the host: its link into a container, and what is set up inside."""

from __future__ import annotations

import errno
import os
from ipaddress import ip_address, ip_interface
from typing import TYPE_CHECKING, Any

from networking.linux import links
from networking.linux.ruleset import EndpointRules, PortRules

if TYPE_CHECKING:
    from networking.linux.netlink import Route
    from networking.linux.sysctls import Sysctls


def rules_of(request: dict[str, Any], link: int, veth: int) -> EndpointRules:
    """Who may send through an endpoint's veth; the bridge and the veth by index."""
    addresses = [ip_interface(address).ip for address in request["addresses"]]
    addresses += [ip_address(address) for address in request["link_local"]]
    mac = bytes.fromhex(request["mac"].replace(":", ""))
    return EndpointRules(link, veth, mac, tuple(dict.fromkeys(addresses)))


def port_of(port: list[Any]) -> PortRules:
    """A published port from [protocol, host, host port, address, container port, routed]."""
    protocol, host, host_port, address, inner, routed = port
    return PortRules(protocol, host, host_port, ip_address(address), inner, routed)


class BridgedFrames:
    """Whether bridged frames meet the firewall (br_netfilter) in the namespace of the first asker.

    The values are read again each time, through descriptors that are kept: to look up a name below
    /proc/sys costs the more the more namespaces there are.
    """

    def __init__(self) -> None:
        self._opened: dict[str, int] = {}

    def meet_firewall(self) -> bool:
        """For either family."""
        return any(self._is_set(name) for name in ("iptables", "ip6tables"))

    def close(self) -> None:
        """Close the descriptors."""
        while self._opened:
            os.close(self._opened.popitem()[1])

    def _is_set(self, name: str) -> bool:
        try:
            if name not in self._opened:
                path = f"/proc/sys/net/bridge/bridge-nf-call-{name}"
                self._opened[name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._opened[name], 2, 0).strip() == b"1"
        except OSError:
            return False  # this kernel has none, or not yet


def make_link(
    route: Route, sysctls: Sysctls, request: dict[str, Any], netns_fd: int, *, hairpin: bool = False
) -> None:
    """The veth pair or the macvlan. Raises OSError if the parent is not there.

    Our end has no IPv6 of its own: it only carries frames, and the kernel walks all IPv6 routes of
    the host for each link that has one. Frames of a bridge that meet the firewall come back to a container that asks for its own port:
    `hairpin` lets them.
    """
    parent = links.index_of(request["link"])
    mac = bytes.fromhex(request["mac"].replace(":", ""))
    peer = links.Peer(netns_fd, request["interface"], mac)
    if request["kind"] == "macvlan":
        route.send(links.new_macvlan(parent, peer, request["mode"], request["mtu"]))
        return
    name, isolated = request["veth"], request["isolated"]
    route.send(links.new_veth(name, peer, request["mtu"]))
    _set_ipv6(sysctls, name, enabled=False)
    index = links.index_of(name)
    batch = [links.join_bridge(index, parent, name)]
    if hairpin or isolated:
        batch.append(links.set_port(index, isolated=isolated, hairpin=hairpin, what=name))
    route.send(*batch)


def configure(inner: Route, sysctls: Sysctls, request: dict[str, Any]) -> None:
    """Inside the container: sysctls, addresses, up, default routes."""
    name = request["interface"]
    index = links.index_of(name)
    addresses = [ip_interface(address) for address in request["addresses"]]
    prepare_ipv6(sysctls, name, enabled=any(address.version == 6 for address in addresses))
    batch = [links.add_address(index, address, name) for address in addresses]
    for address in map(ip_address, request["extra_link_local"]):
        interface = ip_interface(f"{address}/{16 if address.version == 4 else 64}")
        batch.append(links.add_address(index, interface, name))
    inner.send(*batch, links.set_up(index, name), links.settle(index, name))
    for key, value in request["sysctls"].items():
        sysctls.write(_path(key), value, key)
    routes = [links.default_route(index, ip_address(gateway)) for gateway in request["gateways"]]
    if routes:
        inner.send(*routes)


def prepare_ipv6(sysctls: Sysctls, link: str, *, enabled: bool) -> None:
    """Before the link is up: no IPv6 where nobody asked for it, and no waiting where somebody did.

    Addresses cannot clash (nobody may send with another's), so none is probed for.
    """
    for key, value in (("accept_ra", "0"), ("accept_dad", "0")) if enabled else ():
        sysctls.write(f"ipv6/conf/{link}/{key}", value)
    _set_ipv6(sysctls, link, enabled=enabled)


def _set_ipv6(sysctls: Sysctls, link: str, *, enabled: bool) -> None:
    """Whether a link speaks IPv6; a kernel without it need not be told no."""
    try:
        sysctls.write(f"ipv6/conf/{link}/disable_ipv6", "0" if enabled else "1")
    except OSError:
        if enabled:
            raise


def set_default(inner: Route, version: int, wanted: list[str] | None) -> None:
    """The default route of a family: by [interface, gateway], or none."""
    if wanted:
        interface, gateway = wanted
        index = links.index_of(interface)
        inner.send(links.default_route(index, ip_address(gateway)))
        return
    try:
        inner.send(links.no_default_route(version))
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.ENOENT, errno.EAFNOSUPPORT):
            raise


def settle(route: Route, request: dict[str, Any]) -> None:
    """On the host, when the other end is up: the bridge carries frames from here on."""
    if request["kind"] != "macvlan":
        route.send(links.settle(links.index_of(request["veth"]), request["veth"]))


def delete_link(route: Route, name: str) -> None:
    """Delete a link; one that is gone already is no error."""
    try:
        route.send(links.delete(links.index_of(name), name))
    except OSError as error:
        if error.errno not in (errno.ENODEV, errno.ENXIO):
            raise


def _path(key: str) -> str:
    """A key below net/. Dots part its names, but for the interface's: net.FAMILY.GROUP.INTERFACE.NAME."""
    if "/" in key:
        return key.removeprefix("net/")
    family, _, rest = key.removeprefix("net.").partition(".")
    group, _, rest = rest.partition(".")
    interface, _, name = rest.rpartition(".")
    return f"{family}/{group}/{interface}/{name}" if interface else f"{family}/{group}/{name}"
