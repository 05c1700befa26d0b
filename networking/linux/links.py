"""Links, addresses and routes as rtnetlink messages; and what of them is on the host.

Every function returns messages, so that callers send what belongs together as one batch. Sources:
rtnetlink(7), linux/if_link.h, linux/if_addr.h. An index is always of the namespace that is asked.
"""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass
from ipaddress import (
    IPv4Interface,
    IPv6Interface,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING

from networking.linux.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_GETROUTE,
    Message,
    attribute,
    attributes,
    byte,
    number,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    from networking.linux.netlink import Route

    Interface = IPv4Interface | IPv6Interface
    Address = IPv4Address | IPv6Address
    Block = IPv4Network | IPv6Network

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNEIGH, RTM_DELNEIGH = 20, 24, 25, 28, 29
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER = 1, 3, 4, 5, 10
IFLA_PROTINFO, IFLA_LINKINFO, IFLA_IFALIAS, IFLA_NET_NS_FD = 12, 18, 20, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFLA_MACVLAN_MODE, IFLA_BR_MCAST_SNOOPING = 1, 23
IFLA_VXLAN_ID, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LEARNING, IFLA_VXLAN_PORT = 1, 4, 7, 15
IFLA_BRPORT_MODE, IFLA_BRPORT_ISOLATED = 4, 33
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS, IFA_F_NODAD = 1, 2, 8, 2
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_TABLE = 1, 4, 5, 15
NDA_DST, NDA_LLADDR, NTF_SELF, NUD_PERMANENT = 1, 2, 2, 0x80
IFF_UP = 1
NESTED = 0x8000
TABLE_MAIN, TABLE_LOCAL, PROTO_BOOT, TYPE_UNICAST = 254, 255, 3, 1
MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}


def index_of(name: str) -> int:
    """The index of a link of this thread's namespace. Raises OSError (ENODEV) that names it."""
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise OSError(errno.ENODEV, f"there is no link {name}") from error


def header(*, up: bool = False, index: int = 0, family: int = 0) -> bytes:
    """struct ifinfomsg."""
    flags = IFF_UP if up else 0
    return struct.pack("=BxHiII", family, 0, index, flags, flags)


def new_bridge(name: str, mtu: int = 0) -> Message:
    """A bridge, up, that sends multicast to every port.

    So does one that snoops while nobody on it queries, as on Docker's; but each new port has it take
    up the timers of all the others.
    """
    body = header(up=True) + text(IFLA_IFNAME, name)
    if mtu:
        body += number(IFLA_MTU, mtu)
    data = attribute(IFLA_INFO_DATA, byte(IFLA_BR_MCAST_SNOOPING, 0))
    body += attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge") + data)
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"add bridge {name}")


@dataclass(frozen=True, slots=True)
class Peer:
    """The end of a pair that is inside a container."""

    netns_fd: int
    name: str
    mac: bytes


def new_veth(name: str, peer: Peer, mtu: int = 0) -> Message:
    """A veth pair in one message: our end, not up yet, the peer in the namespace."""
    inner = header() + text(IFLA_IFNAME, peer.name) + number(IFLA_NET_NS_FD, peer.netns_fd)
    inner += attribute(IFLA_ADDRESS, peer.mac)
    body = header() + text(IFLA_IFNAME, name)
    if mtu:
        body += number(IFLA_MTU, mtu)
        inner += number(IFLA_MTU, mtu)
    data = attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, inner))
    body += attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth") + data)
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"add veth {name}")


def join_bridge(index: int, bridge_index: int, what: str) -> Message:
    """A link on a bridge and up."""
    body = header(up=True, index=index) + number(IFLA_MASTER, bridge_index)
    return Message(RTM_SETLINK, 0, body, f"put {what} on its bridge")


def new_macvlan(parent_index: int, peer: Peer, mode: str, mtu: int = 0) -> Message:
    """A macvlan of a host link, made inside a container. `mode` is a key of MACVLAN_MODES."""
    body = header() + text(IFLA_IFNAME, peer.name) + number(IFLA_LINK, parent_index)
    body += number(IFLA_NET_NS_FD, peer.netns_fd) + attribute(IFLA_ADDRESS, peer.mac)
    if mtu:
        body += number(IFLA_MTU, mtu)
    data = attribute(IFLA_INFO_DATA, number(IFLA_MACVLAN_MODE, MACVLAN_MODES[mode]))
    body += attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "macvlan") + data)
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"add macvlan {peer.name}")


def new_vxlan(
    name: str, identifier: int, local: Address, port: int, bridge_index: int, mtu: int
) -> Message:
    """A VXLAN device on a bridge, learning MAC addresses as they come (RFC 7348)."""
    kind = IFLA_VXLAN_LOCAL if local.version == 4 else 17
    data = number(IFLA_VXLAN_ID, identifier) + attribute(kind, local.packed)
    data += byte(IFLA_VXLAN_LEARNING, 1) + attribute(IFLA_VXLAN_PORT, struct.pack(">H", port))
    body = header(up=True) + text(IFLA_IFNAME, name) + number(IFLA_MASTER, bridge_index)
    body += number(IFLA_MTU, mtu)
    info = text(IFLA_INFO_KIND, "vxlan") + attribute(IFLA_INFO_DATA, data)
    body += attribute(IFLA_LINKINFO, info)
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"add vxlan {name}")


def flood_to(index: int, peer: Address) -> Message:
    """A VXLAN device sends what it has no better place for to a peer (one entry a peer)."""
    body = struct.pack("=BxxxiHBB", socket.AF_BRIDGE, index, NUD_PERMANENT, NTF_SELF, 0)
    body += attribute(NDA_LLADDR, bytes(6)) + attribute(NDA_DST, peer.packed)
    # NLM_F_APPEND: the all-zero address may have many destinations.
    return Message(RTM_NEWNEIGH, NLM_F_CREATE | 0x800, body, f"add the peer {peer}")


def set_port(index: int, *, isolated: bool, hairpin: bool, what: str) -> Message:
    """A bridge port's flags: isolated ports do not reach each other, hairpin sends frames back."""
    info = byte(IFLA_BRPORT_MODE, int(hairpin)) + byte(IFLA_BRPORT_ISOLATED, int(isolated))
    body = header(index=index, family=socket.AF_BRIDGE) + attribute(IFLA_PROTINFO | NESTED, info)
    return Message(RTM_SETLINK, 0, body, f"set the bridge port {what}")


def delete(index: int, what: str) -> Message:
    """A link gone."""
    return Message(RTM_DELLINK, 0, header(index=index), f"delete {what}")


def set_up(index: int, what: str) -> Message:
    """A link up."""
    return Message(RTM_SETLINK, 0, header(up=True, index=index), f"set {what} up")


def settle(index: int, what: str) -> Message:
    """Have the kernel take notice that a link's carrier is there, which it else does a moment later.

    Until then a bridge's port and a veth's queue lose what comes: the first ARP request, and with it
    a whole second. Asking for a link does it (linkwatch_sync_dev in rtnl_getlink).
    """
    return Message(RTM_GETLINK, 0, header(index=index), f"look at {what}")


def set_alias(index: int, alias: str, what: str) -> Message:
    """Words for people of whose a link is. The kernel takes none while it makes a link."""
    body = header(index=index) + text(IFLA_IFALIAS, alias)
    return Message(RTM_SETLINK, 0, body, f"set the alias of {what}")


def add_address(index: int, address: Interface, what: str) -> Message:
    """An address of a link, replaced if it is there; IPv6 ones are used at once (no DAD)."""
    raw = address.ip.packed
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    flags = IFA_F_NODAD if address.version == 6 else 0
    scope = 253 if address.is_link_local else 0
    body = struct.pack("=BBBBI", family, address.network.prefixlen, flags, scope, index)
    body += attribute(IFA_LOCAL, raw) + attribute(IFA_ADDRESS, raw)
    return Message(
        RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body, f"add the address {address} to {what}"
    )


def default_route(index: int, gateway: Address) -> Message:
    """The default route of a family, in place of the one there is."""
    family = socket.AF_INET if gateway.version == 4 else socket.AF_INET6
    body = struct.pack(
        "=BBBBBBBBI", family, 0, 0, 0, TABLE_MAIN, PROTO_BOOT, 0, TYPE_UNICAST, 0
    )  # fmt: skip
    body += attribute(RTA_GATEWAY, gateway.packed) + number(RTA_OIF, index)
    return Message(
        RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body, f"set the default route by {gateway}"
    )


def no_default_route(version: int) -> Message:
    """The default route of a family gone; it may not be there (ESRCH)."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, TABLE_MAIN, 0, 0, 0, 0)
    return Message(RTM_DELROUTE, 0, body, "remove the default route")


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a namespace; `master` is the index of the bridge it is on, 0 for none."""

    index: int
    name: str
    alias: str = ""
    master: int = 0
    mtu: int = 0
    kind: str = ""


def all_links(route: Route) -> list[Link]:
    """Every link of the namespace of the socket."""
    found = []
    for body in route.dump(RTM_GETLINK, header()):
        (index,) = struct.unpack_from("=i", body, 4)
        parts = attributes(body[16:])
        info = attributes(parts.get(IFLA_LINKINFO, b""))
        found.append(
            Link(
                index,
                _text(parts.get(IFLA_IFNAME, b"")),
                _text(parts.get(IFLA_IFALIAS, b"")),
                _number(parts.get(IFLA_MASTER)),
                _number(parts.get(IFLA_MTU)),
                _text(info.get(IFLA_INFO_KIND, b"")),
            )
        )
    return found


def all_routes(route: Route) -> Iterator[tuple[Block, int]]:
    """(destination, index of the link) of every unicast route but the default ones, of all tables."""
    for family in (socket.AF_INET, socket.AF_INET6):
        query = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 0, 0, 0, 0, 0)
        for body in route.dump(RTM_GETROUTE, query):
            _, length, _, _, table, _, _, kind = struct.unpack_from("=BBBBBBBB", body)
            parts = attributes(body[12:])
            if kind != TYPE_UNICAST or table == TABLE_LOCAL or not length:
                continue
            if RTA_DST in parts:
                network = ip_network((ip_address(parts[RTA_DST]), length), strict=False)
                if not network.is_link_local and not network.is_multicast:
                    yield network, _number(parts.get(RTA_OIF))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")


def _number(value: bytes | None) -> int:
    return int(struct.unpack_from("=I", value)[0]) if value else 0
