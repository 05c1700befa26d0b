"""rtnetlink by hand: the few messages an endpoint needs, encoded and sent as one batch.

pyroute2 builds the same messages in ten times the CPU time (docs/decisions); tests check ours with
it. Sources: rtnetlink(7), netlink(7), linux/if_link.h. Integers are the host's byte order.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv4Interface

NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_SETLINK = 16, 17, 20, 24, 19
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER = 1, 3, 4, 10
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_NET_NS_FD = 18, 20, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_GATEWAY, RTA_OIF = 5, 4
IFF_UP = 1


class NetlinkError(OSError):
    """The kernel refused a message; `strerror` says what was asked."""


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def text(kind: int, value: str) -> bytes:
    """An attribute that holds a name."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """An attribute that holds a 32-bit number."""
    return attribute(kind, struct.pack("=I", value))


def link_header(*, up: bool = False, index: int = 0) -> bytes:
    """struct ifinfomsg."""
    flags = IFF_UP if up else 0
    return struct.pack("=BxHiII", 0, 0, index, flags, flags)


class Route:
    """A NETLINK_ROUTE socket; every call sends one batch and waits for its answers."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, *messages: tuple[int, int, bytes, str]) -> None:
        """Send (type, flags, body, what for a person) as one batch. Raises NetlinkError at the first refusal."""
        batch = b""
        first = self._sequence + 1
        for kind, flags, body, _ in messages:
            self._sequence += 1
            head = struct.pack(
                "=IHHII", 16 + len(body), kind, flags | NLM_F_REQUEST | NLM_F_ACK, self._sequence, 0
            )
            batch += head + body + bytes(-len(body) % 4)
        self._socket.send(batch)
        failed: NetlinkError | None = None
        answered = 0
        while answered < len(messages):
            data = self._socket.recv(1 << 16)
            while len(data) >= 16:
                size, kind, _, sequence, _ = struct.unpack_from("=IHHII", data)
                if kind == 2:
                    code = struct.unpack_from("=i", data, 16)[0]
                    answered += 1
                    if code and failed is None:
                        what = messages[sequence - first][3]
                        failed = NetlinkError(-code, f"{what}: {os.strerror(-code)}")
                data = data[(size + 3) & ~3 :]
        if failed:
            raise failed

    def add_bridge(
        self, name: str, address: IPv4Interface | None, mtu: int, alias: str = ""
    ) -> None:
        """A bridge with its gateway address, up; `alias` tells people whose it is."""
        body = link_header(up=True) + text(IFLA_IFNAME, name)
        if mtu:
            body += number(IFLA_MTU, mtu)
        if alias:
            body += text(IFLA_IFALIAS, alias)
        body += attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"))
        self.send((RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"add bridge {name}"))
        if address is not None:
            self.add_address(name, address)

    def add_address(self, link: str, address: IPv4Interface) -> None:
        """An address for a link of this network namespace."""
        index = socket.if_nametoindex(link)
        raw = address.ip.packed
        body = struct.pack("=BBBBI", socket.AF_INET, address.network.prefixlen, 0, 0, index)
        body += attribute(IFA_LOCAL, raw) + attribute(IFA_ADDRESS, raw)
        self.send((RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body, f"add {address} to {link}"))

    def add_veth(
        self, name: str, bridge: str, netns_fd: int, peer: str, mac: bytes, mtu: int
    ) -> None:  # all that one message holds
        """A veth pair in one message: our end on the bridge and up, the peer in the namespace."""
        peer_body = link_header() + text(IFLA_IFNAME, peer) + number(IFLA_NET_NS_FD, netns_fd)
        peer_body += attribute(IFLA_ADDRESS, mac)
        body = link_header(up=True) + text(IFLA_IFNAME, name)
        body += number(IFLA_MASTER, socket.if_nametoindex(bridge))
        if mtu:
            body += number(IFLA_MTU, mtu)
            peer_body += number(IFLA_MTU, mtu)
        data = attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peer_body))
        body += attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth") + data)
        self.send((RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"add veth {name}"))

    def delete(self, name: str) -> None:
        """Delete a link; one that is gone already is no error."""
        try:
            self.send((RTM_DELLINK, 0, link_header() + text(IFLA_IFNAME, name), f"delete {name}"))
        except NetlinkError as error:
            if error.errno != 19:  # ENODEV
                raise

    def configure(self, link: str, address: IPv4Interface, gateway: IPv4Address | None) -> None:
        """Inside a container: address, up, default route, in one batch."""
        index = socket.if_nametoindex(link)
        raw = address.ip.packed
        body = struct.pack("=BBBBI", socket.AF_INET, address.network.prefixlen, 0, 0, index)
        body += attribute(IFA_LOCAL, raw) + attribute(IFA_ADDRESS, raw)
        batch = [
            (RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body, f"add {address} to {link}"),
            (RTM_SETLINK, 0, link_header(up=True, index=index), f"set {link} up"),
        ]
        if gateway is not None:
            route = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 3, 0, 1, 0)
            route += attribute(RTA_GATEWAY, gateway.packed) + number(RTA_OIF, index)
            batch.append((RTM_NEWROUTE, NLM_F_CREATE, route, f"route by {gateway}"))
        self.send(*batch)


@contextmanager
def inside(netns_fd: int) -> Iterator[Route]:
    """A Route socket of another network namespace. Single-threaded processes only."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(netns_fd)
        try:
            route = Route()
            try:
                yield route
            finally:
                route.close()
        finally:
            _setns(home)
    finally:
        os.close(home)


def _setns(fd: int) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot enter the network namespace: {os.strerror(code)}")
