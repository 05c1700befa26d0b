"""The engine's nftables: what every packet to, from and between containers meets. Pure.

Table inet: port maps and masquerading (nat), isolation (forward). Table bridge: nobody sends with
another's MAC or address. Sets: bridges, internal, pairs, subnets, ports, ports_by_ip, endpoints.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv4Network

from networking.linux import nft

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_PREROUTING, _FORWARD, _OUTPUT, _POSTROUTING = 0, 2, 3, 4
_IIFNAME, _OIFNAME, _NFPROTO, _L4PROTO, _ETHER_TYPE = 6, 7, 15, 16, 1
_ESTABLISHED_RELATED, _DNAT_STATUS = 2 | 4, 1 << 5


# Types of keys are numbers that only nft(8) reads, to print them; concatenations take six bits a part.
_IFNAME, _MAC, _ADDRESS, _PROTOCOL, _SERVICE = 41, 9, 7, 12, 13
SETS = (
    nft.SetShape("bridges", _IFNAME, 16),
    nft.SetShape("internal", _IFNAME, 16),
    nft.SetShape("pairs", _IFNAME << 6 | _IFNAME, 32),
    nft.SetShape("subnets", _ADDRESS, 4, interval=True),
    nft.SetShape("ports", _PROTOCOL << 6 | _SERVICE, 8, _ADDRESS << 6 | _SERVICE, 8),
    nft.SetShape(
        "ports_by_ip", _ADDRESS << 12 | _PROTOCOL << 6 | _SERVICE, 12, _ADDRESS << 6 | _SERVICE, 8
    ),
)
ENDPOINTS = nft.SetShape("endpoints", _IFNAME << 12 | _MAC << 6 | _ADDRESS, 28)


def create(table: str, veth_prefix: str) -> list[nft.Message]:
    """The whole ruleset, with empty sets."""
    inet, bridge = nft.INET, nft.BRIDGE
    out = [nft.table(inet, table), nft.table(bridge, table)]
    for number, shape in enumerate(SETS, start=1):
        out.append(nft.make_set(inet, table, shape, number))
    out.append(nft.make_set(bridge, table, ENDPOINTS, len(SETS) + 1))
    for name, kind, hook, priority in (
        ("prerouting", "nat", _PREROUTING, -100), ("output", "nat", _OUTPUT, -100),
        ("postrouting", "nat", _POSTROUTING, 100), ("forward", "filter", _FORWARD, 0),
    ):  # fmt: skip
        out.append(nft.chain(inet, table, name, kind, hook, priority))
    for name in ("prerouting", "output"):
        out += _port_rules(table, name)
    out += _postrouting(table) + _forward(table)
    out.append(nft.chain(bridge, table, "spoofing", "filter", _PREROUTING, -300))
    return out + _spoofing(table, veth_prefix)


def destroy(table: str) -> list[nft.Message]:
    """Both tables gone."""
    return [nft.table(nft.INET, table, delete=True), nft.table(nft.BRIDGE, table, delete=True)]


def network(
    table: str,
    link: str,
    subnet: IPv4Network,
    *,
    internal: bool,
    masquerade: bool,
    icc: bool,
    delete: bool,
) -> list[nft.Message]:  # a network's properties
    """A bridge network joins or leaves the sets."""
    key = nft.ifname(link)
    out = [nft.element(nft.INET, table, "bridges", key, delete=delete)]
    if internal:
        out.append(nft.element(nft.INET, table, "internal", key, delete=delete))
    if icc:
        out.append(nft.element(nft.INET, table, "pairs", key + key, delete=delete))
    if masquerade and not internal:
        end = struct.pack(">I", int(subnet.broadcast_address) + 1)
        start = subnet.network_address.packed
        out.append(nft.element(nft.INET, table, "subnets", start, end=end, delete=delete))
    return out


def endpoint(
    table: str, veth: str, mac: bytes, address: IPv4Address, *, delete: bool = False
) -> nft.Message:
    """Who may send through a veth."""
    key = nft.ifname(veth) + mac.ljust(8, b"\0") + address.packed
    return nft.element(nft.BRIDGE, table, "endpoints", key, delete=delete)


def port(
    table: str,
    protocol: str,
    host: str,
    host_port: int,
    address: str,
    container_port: int,
    *,
    delete: bool = False,
) -> nft.Message:  # a published port is this
    """A published port; host "0.0.0.0" is every address of the host."""
    key = _word8(PROTOCOLS[protocol]) + _word16(host_port)
    data = IPv4Address(address).packed + _word16(container_port)
    if host == "0.0.0.0":  # noqa: S104  # compared, not bound
        return nft.element(
            nft.INET, table, "ports", key, data=b"" if delete else data, delete=delete
        )
    key = IPv4Address(host).packed + key
    return nft.element(
        nft.INET, table, "ports_by_ip", key, data=b"" if delete else data, delete=delete
    )


def _port_rules(table: str, chain: str) -> list[nft.Message]:
    w = nft.WORD
    ipv4 = nft.meta(_NFPROTO, nft.REG1) + nft.compare(nft.REG1, bytes([socket.AF_INET]))
    by_ip = (
        ipv4 + nft.payload(1, 16, 4, w[0]) + nft.meta(_L4PROTO, w[1]) + nft.payload(2, 2, 2, w[2])
        + nft.lookup("ports_by_ip", nft.REG1, into=nft.REG1) + nft.destination_nat(nft.REG1, w[1])
    )  # fmt: skip
    anywhere = (
        ipv4 + nft.local_destination() + nft.meta(_L4PROTO, w[0]) + nft.payload(2, 2, 2, w[1])
        + nft.lookup("ports", nft.REG1, into=nft.REG1) + nft.destination_nat(nft.REG1, w[1])
    )  # fmt: skip
    return [nft.rule(nft.INET, table, chain, by_ip), nft.rule(nft.INET, table, chain, anywhere)]


def _postrouting(table: str) -> list[nft.Message]:
    ipv4 = nft.meta(_NFPROTO, nft.REG1) + nft.compare(nft.REG1, bytes([socket.AF_INET]))
    source = nft.payload(1, 12, 4, nft.REG1)
    to_bridge = nft.meta(_OIFNAME, nft.REG1) + nft.lookup("bridges", nft.REG1)
    outside = nft.meta(_OIFNAME, nft.REG1) + nft.lookup("bridges", nft.REG1, inverted=True)
    ours = source + nft.lookup("subnets", nft.REG1)
    loopback = source + nft.masked(nft.REG1, b"\xff\0\0\0") + nft.compare(nft.REG1, b"\x7f\0\0\0")
    dnat = nft.conntrack(2, _DNAT_STATUS)
    return [
        nft.rule(nft.INET, table, "postrouting", ipv4 + ours + outside + nft.masquerade()),
        nft.rule(nft.INET, table, "postrouting", ipv4 + loopback + to_bridge + nft.masquerade()),
        nft.rule(nft.INET, table, "postrouting", ipv4 + dnat + ours + to_bridge + nft.masquerade()),
    ]


def _forward(table: str) -> list[nft.Message]:
    pair = nft.meta(_IIFNAME, nft.WORD[0]) + nft.meta(_OIFNAME, nft.WORD[4])
    from_internal = nft.meta(_IIFNAME, nft.REG1) + nft.lookup("internal", nft.REG1)
    to_internal = nft.meta(_OIFNAME, nft.REG1) + nft.lookup("internal", nft.REG1)
    to_bridge = nft.meta(_OIFNAME, nft.REG1) + nft.lookup("bridges", nft.REG1)
    accept, drop = nft.verdict(nft.ACCEPT), nft.verdict(nft.DROP)

    def forward(*parts: bytes) -> nft.Message:
        return nft.rule(nft.INET, table, "forward", *parts)

    return [
        forward(pair, nft.lookup("pairs", nft.REG1), accept),
        forward(from_internal, drop),
        forward(to_internal, drop),
        forward(nft.conntrack(0, _ESTABLISHED_RELATED), accept),
        forward(nft.conntrack(2, _DNAT_STATUS), accept),
        forward(to_bridge, drop),
    ]


def _spoofing(table: str, veth_prefix: str) -> list[nft.Message]:
    w = nft.WORD
    raw = veth_prefix.encode()
    ours = nft.meta(_IIFNAME, nft.REG1) + nft.compare(nft.REG1, raw)
    drop = nft.verdict(nft.DROP)
    ether = nft.meta(_ETHER_TYPE, nft.REG1)
    name = nft.meta(_IIFNAME, w[0])
    ip = name + nft.payload(0, 6, 6, w[4]) + nft.payload(1, 12, 4, w[6])
    arp = name + nft.payload(1, 8, 6, w[4]) + nft.payload(1, 14, 4, w[6])
    miss = nft.lookup("endpoints", nft.REG1, inverted=True)
    return [
        nft.rule(
            nft.BRIDGE,
            table,
            "spoofing",
            ours,
            ether,
            nft.compare(nft.REG1, b"\x08\x00"),
            ip,
            miss,
            drop,
        ),
        nft.rule(
            nft.BRIDGE,
            table,
            "spoofing",
            ours,
            ether,
            nft.compare(nft.REG1, b"\x08\x06"),
            arp,
            miss,
            drop,
        ),
    ]


def _word8(value: int) -> bytes:
    return struct.pack("Bxxx", value)


def _word16(value: int) -> bytes:
    return struct.pack(">Hxx", value)
