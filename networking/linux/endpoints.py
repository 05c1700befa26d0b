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


def rules_of(request: dict[str, Any]) -> EndpointRules:
    """Who may send through an endpoint's veth."""
    addresses = [ip_interface(address).ip for address in request["addresses"]]
    addresses += [ip_address(address) for address in request["link_local"]]
    mac = bytes.fromhex(request["mac"].replace(":", ""))
    return EndpointRules(request["link"], request["veth"], mac, tuple(dict.fromkeys(addresses)))


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
    route: Route, request: dict[str, Any], netns_fd: int, *, hairpin: bool = False
) -> None:
    """The veth pair or the macvlan. Raises OSError if the parent is not there.

    Frames of a bridge that meet the firewall come back to a container that asks for its own port:
    `hairpin` lets them.
    """
    parent = links.index_of(request["link"])
    mac = bytes.fromhex(request["mac"].replace(":", ""))
    peer = links.Peer(netns_fd, request["interface"], mac)
    if request["kind"] == "macvlan":
        route.send(links.new_macvlan(parent, peer, request["mode"], request["mtu"]))
        return
    route.send(links.new_veth(request["veth"], parent, peer, request["mtu"]))
    if hairpin or request["isolated"]:
        index = links.index_of(request["veth"])
        isolated = request["isolated"]
        name = request["veth"]
        route.send(links.set_port(index, isolated=isolated, hairpin=hairpin, what=name))


def configure(inner: Route, request: dict[str, Any]) -> None:
    """Inside the container: sysctls, addresses, up, default routes."""
    name = request["interface"]
    index = links.index_of(name)
    addresses = [ip_interface(address) for address in request["addresses"]]
    prepare_ipv6(name, enabled=any(address.version == 6 for address in addresses))
    batch = [links.add_address(index, address, name) for address in addresses]
    for address in map(ip_address, request["extra_link_local"]):
        interface = ip_interface(f"{address}/{16 if address.version == 4 else 64}")
        batch.append(links.add_address(index, interface, name))
    inner.send(*batch, links.set_up(index, name), links.settle(index, name))
    for key, value in request["sysctls"].items():
        _write(key, value)
    routes = [links.default_route(index, ip_address(gateway)) for gateway in request["gateways"]]
    if routes:
        inner.send(*routes)


def prepare_ipv6(link: str, *, enabled: bool) -> None:
    """Before the link is up: no IPv6 where nobody asked for it, and no waiting where somebody did.

    Addresses cannot clash (nobody may send with another's), so none is probed for.
    """
    for key, value in (("accept_ra", "0"), ("accept_dad", "0")) if enabled else ():
        _write(f"net.ipv6.conf.{link}.{key}", value)
    try:
        _write(f"net.ipv6.conf.{link}.disable_ipv6", "0" if enabled else "1")
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


def _write(key: str, value: str) -> None:
    """Set a sysctl "net.ipv4.conf.eth0.forwarding" of the namespace that this thread is in."""
    try:
        with open(f"/proc/sys/{_path(key)}", "w") as stream:
            stream.write(value)
    except OSError as error:
        words = f"cannot set the sysctl {key} to {value}: {error.strerror}"
        raise OSError(error.errno, words) from error


def _path(key: str) -> str:
    """Dots part the names, but for those of the interface: net.FAMILY.GROUP.INTERFACE.NAME."""
    if "/" in key:
        return key
    family, _, rest = key.removeprefix("net.").partition(".")
    group, _, rest = rest.partition(".")
    interface, _, name = rest.rpartition(".")
    return (
        f"net/{family}/{group}/{interface}/{name}" if interface else f"net/{family}/{group}/{name}"
    )
