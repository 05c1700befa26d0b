"""The engine's nftables: what every packet to, from and between containers meets. Pure.

Table inet: port maps and masquerading (nat), isolation (forward, input, guard). Table bridge: nobody
sends with another's MAC or IP address. Rules never change; networks, endpoints and ports are elements
of sets (their list is SETS and BRIDGE_SETS), so that each change costs the same however many there are.
Links are known by index: four bytes to load and to look up for each packet, where a name has sixteen.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from networking.linux import nft

Address = IPv4Address | IPv6Address
Block = IPv4Network | IPv6Network

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
#: On our tables, for people, and for who looks for what a dead engine has left (networking.linux.leftovers).
COMMENT = "rules of a pycompose engine"
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared, not bound
_PREROUTING, _INPUT, _FORWARD, _OUTPUT, _POSTROUTING = 0, 1, 2, 3, 4
_IIF, _OIF, _IIFNAME, _NFPROTO, _L4PROTO, _ETHER_TYPE = 4, 5, 6, 15, 16, 1
_ESTABLISHED_RELATED, _DNAT_STATUS = 2 | 4, 1 << 5
_ICMP, _ICMPV6 = 1, 58
_ROUTER_ADVERTISEMENT, _NEIGHBOUR_ADVERTISEMENT, _REDIRECT = 134, 136, 137


def _join(*types: int) -> int:
    """The type of a concatenation: six bits a part; only nft(8) reads it, to print elements."""
    joined = 0
    for one in types:
        joined = joined << 6 | one
    return joined


_PROTO_FAMILY, _ADDRESS4, _ADDRESS6, _MAC, _PROTOCOL, _SERVICE, _IFINDEX = 2, 7, 8, 9, 12, 13, 20
_TARGET4, _TARGET6 = _join(_ADDRESS4, _SERVICE), _join(_ADDRESS6, _SERVICE)
SETS = (
    nft.SetShape("bridges", _IFINDEX, 4),
    nft.SetShape("internal", _IFINDEX, 4),
    nft.SetShape("pairs", _join(_IFINDEX, _IFINDEX), 8),
    nft.SetShape("members4", _join(_IFINDEX, _ADDRESS4), 8),
    nft.SetShape("members6", _join(_IFINDEX, _ADDRESS6), 20),
    nft.SetShape("unprotected", _join(_IFINDEX, _PROTO_FAMILY), 8),
    nft.SetShape("routed", _join(_IFINDEX, _PROTO_FAMILY), 8),
    nft.SetShape("subnets4", _ADDRESS4, 4, interval=True),
    nft.SetShape("subnets6", _ADDRESS6, 16, interval=True),
    nft.SetShape("open4", _join(_ADDRESS4, _PROTOCOL, _SERVICE), 12),
    nft.SetShape("open6", _join(_ADDRESS6, _PROTOCOL, _SERVICE), 24),
    nft.SetShape("ports4", _join(_PROTOCOL, _SERVICE), 8, _TARGET4, 8),
    nft.SetShape("ports6", _join(_PROTOCOL, _SERVICE), 8, _TARGET6, 20),
    nft.SetShape("ports_by_ip4", _join(_ADDRESS4, _PROTOCOL, _SERVICE), 12, _TARGET4, 8),
    nft.SetShape("ports_by_ip6", _join(_ADDRESS6, _PROTOCOL, _SERVICE), 24, _TARGET6, 20),
)
BRIDGE_SETS = (
    nft.SetShape("stations", _join(_IFINDEX, _MAC), 12),
    nft.SetShape("endpoints4", _join(_IFINDEX, _MAC, _ADDRESS4), 16),
    nft.SetShape("endpoints6", _join(_IFINDEX, _MAC, _ADDRESS6), 28),
)


@dataclass(frozen=True, slots=True)
class NetworkRules:
    """What the rules need to know of a bridge network. Families are 4 and 6; `link` is an index."""

    link: int
    masqueraded: tuple[Block, ...] = ()
    internal: bool = False
    icc: bool = True
    unprotected: tuple[int, ...] = ()  # every port of a container is open
    routed: tuple[int, ...] = ()  # published ports are open, without NAT


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """Who may send through a veth of a bridge, both by index."""

    link: int
    veth: int
    mac: bytes
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class PortRules:
    """A published port; host "0.0.0.0" or "::" is every address of the host. `routed`: no NAT."""

    protocol: str
    host: str
    host_port: int
    address: Address
    container_port: int
    routed: bool = False


def create(table: str, veth_prefix: str) -> list[nft.Message]:
    """The whole ruleset, with empty sets."""
    inet, bridge = nft.INET, nft.BRIDGE
    out = [nft.table(family, table, comment=COMMENT) for family in (inet, bridge)]
    for number, shape in enumerate((*SETS, *BRIDGE_SETS), start=1):
        family = bridge if shape in BRIDGE_SETS else inet
        out.append(nft.make_set(family, table, shape, number))
    for name, kind, hook, priority in (
        ("guard", "filter", _PREROUTING, -310), ("prerouting", "nat", _PREROUTING, -100),
        ("output", "nat", _OUTPUT, -100), ("postrouting", "nat", _POSTROUTING, 100),
        ("forward", "filter", _FORWARD, 0), ("input", "filter", _INPUT, 0),
    ):  # fmt: skip
        out.append(nft.chain(inet, table, name, kind, hook, priority))
    out += _guard(table)
    out += _port_rules(table, "prerouting") + _port_rules(table, "output")
    out += _postrouting(table) + _forward(table) + _input(table)
    out.append(nft.chain(bridge, table, "spoofing", "filter", _PREROUTING, -300))
    return out + _spoofing(table, veth_prefix)


def destroy(table: str) -> list[nft.Message]:
    """Both tables gone."""
    return [nft.table(nft.INET, table, delete=True), nft.table(nft.BRIDGE, table, delete=True)]


def network(table: str, rules: NetworkRules, *, delete: bool = False) -> list[nft.Message]:
    """A bridge network joins or leaves the sets."""
    key = _index(rules.link)
    members: list[tuple[str, bytes, bytes]] = [("bridges", key, b"")]
    if rules.internal:
        members.append(("internal", key, b""))
    if rules.icc:
        members.append(("pairs", key + key, b""))
    members += [("unprotected", key + _family(version), b"") for version in rules.unprotected]
    members += [("routed", key + _family(version), b"") for version in rules.routed]
    for block in rules.masqueraded:
        members.append((f"subnets{block.version}", *_interval(block)))
    return [
        nft.element(nft.INET, table, name, start, end=end, delete=delete)
        for name, start, end in members
    ]


def endpoint(table: str, rules: EndpointRules, *, delete: bool = False) -> list[nft.Message]:
    """Who may send through a veth, known or forgotten."""
    station = _index(rules.veth) + rules.mac.ljust(8, b"\0")
    out = [nft.element(nft.BRIDGE, table, "stations", station, delete=delete)]
    for address in rules.addresses:
        name = f"endpoints{address.version}"
        out.append(nft.element(nft.BRIDGE, table, name, station + address.packed, delete=delete))
        member = _index(rules.link) + address.packed
        out.append(nft.element(nft.INET, table, f"members{address.version}", member, delete=delete))
    return out


def port(table: str, rules: PortRules, *, delete: bool = False) -> list[nft.Message]:
    """A port published or withdrawn."""
    version = rules.address.version
    protocol = _word8(PROTOCOLS[rules.protocol])
    if rules.routed:
        key = rules.address.packed + protocol + _word16(rules.container_port)
        return [nft.element(nft.INET, table, f"open{version}", key, delete=delete)]
    key = protocol + _word16(rules.host_port)
    name = f"ports{version}"
    if rules.host not in ANYWHERE:
        name, key = f"ports_by_ip{version}", ip_address(rules.host).packed + key
    data = b"" if delete else rules.address.packed + _word16(rules.container_port)
    return [nft.element(nft.INET, table, name, key, data=data, delete=delete)]


def _guard(table: str) -> list[nft.Message]:
    """Before connection tracking.

    Bridges route 127.0.0.0/8 for the host's own sake: nobody on them may send there. And where bridged
    frames meet the firewall (bridge-nf-call-iptables), those between neighbours are not tracked: there
    is nothing to translate, and tracking takes a tenth of the throughput. They come first, being most.
    """
    bridge = nft.meta(_IIF, nft.REG1) + nft.lookup("bridges", nft.REG1)
    drop = nft.verdict(nft.DROP)
    rules = []
    for version, guard, offset, length in ((4, _ipv4(), 16, 4), (6, _ipv6(), 24, 16)):
        neighbour = nft.meta(_IIF, nft.WORD[0]) + nft.payload(1, offset, length, nft.WORD[1])
        neighbour += nft.lookup(f"members{version}", nft.REG1)
        rules.append(guard + neighbour + nft.expression("notrack") + nft.verdict(nft.ACCEPT))
    rules.append(_ipv4() + _to_loopback() + bridge + drop)
    return [nft.rule(nft.INET, table, "guard", rule) for rule in rules]


def _port_rules(table: str, chain: str) -> list[nft.Message]:
    """Port maps. From outside, 127.0.0.1 is nobody's address; ::1 can be routed nowhere (see relay)."""
    w = nft.WORD
    outside = chain == "prerouting"
    not_loopback4 = nft.payload(1, 16, 4, nft.REG1) + nft.masked(nft.REG1, b"\xff\0\0\0")
    not_loopback4 += nft.compare(nft.REG1, b"\x7f\0\0\0", equal=False)
    not_loopback6 = nft.payload(1, 24, 16, nft.REG1)
    not_loopback6 += nft.compare(nft.REG1, IPv6Address("::1").packed, equal=False)
    out = []
    for version, guard, address, length in (
        (4, _ipv4() + (not_loopback4 if outside else b""), 16, 4),
        (6, _ipv6() + not_loopback6, 24, 16),
    ):
        words = length // 4
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        nat = nft.destination_nat(family, nft.REG1, w[words])
        by_ip = nft.payload(1, address, length, nft.REG1) + nft.meta(_L4PROTO, w[words])
        by_ip += nft.payload(2, 2, 2, w[words + 1])
        by_ip += nft.lookup(f"ports_by_ip{version}", nft.REG1, into=nft.REG1)
        # To ask for a route is dear: only for who wants a published port.
        anywhere = nft.meta(_L4PROTO, w[0]) + nft.payload(2, 2, 2, w[1])
        anywhere += nft.lookup(f"ports{version}", nft.REG1, into=nft.REG2) + nft.local_destination()
        to_anywhere = nft.destination_nat(family, nft.REG2, w[4 + words])
        out.append(nft.rule(nft.INET, table, chain, guard, anywhere, to_anywhere))
        out.append(nft.rule(nft.INET, table, chain, guard, by_ip, nat))
    return out


def _postrouting(table: str) -> list[nft.Message]:
    to_bridge = nft.meta(_OIF, nft.REG1) + nft.lookup("bridges", nft.REG1)
    outside = nft.meta(_OIF, nft.REG1) + nft.lookup("bridges", nft.REG1, inverted=True)
    source4, source6 = nft.payload(1, 12, 4, nft.REG1), nft.payload(1, 8, 16, nft.REG1)
    loopback = source4 + nft.masked(nft.REG1, b"\xff\0\0\0") + nft.compare(nft.REG1, b"\x7f\0\0\0")
    dnat = nft.conntrack(2, _DNAT_STATUS)
    masquerade = nft.masquerade()
    rules = [_ipv4() + loopback + to_bridge + masquerade]
    for version, guard, source in ((4, _ipv4(), source4), (6, _ipv6(), source6)):
        ours = source + nft.lookup(
            f"subnets{version}", nft.REG1
        )  # intervals: the dearest comes last
        rules.append(guard + outside + ours + masquerade)
        # a container by a published port
        rules.append(guard + dnat + to_bridge + ours + masquerade)
    return [nft.rule(nft.INET, table, "postrouting", rule) for rule in rules]


def _forward(table: str) -> list[nft.Message]:
    w = nft.WORD
    pair = nft.meta(_IIF, w[0]) + nft.meta(_OIF, w[1])
    from_internal = nft.meta(_IIF, nft.REG1) + nft.lookup("internal", nft.REG1)
    to_internal = nft.meta(_OIF, nft.REG1) + nft.lookup("internal", nft.REG1)
    to_bridge = nft.meta(_OIF, nft.REG1) + nft.lookup("bridges", nft.REG1)
    family_of_out = nft.meta(_OIF, w[0]) + nft.meta(_NFPROTO, w[1])
    from_bridge = nft.meta(_IIF, nft.REG1) + nft.lookup("bridges", nft.REG1)
    accept, drop = nft.verdict(nft.ACCEPT), nft.verdict(nft.DROP)
    rules = [
        nft.conntrack(0, _ESTABLISHED_RELATED) + accept,
        pair + nft.lookup("pairs", nft.REG1) + accept,
        from_internal + drop,
        to_internal + drop,
        nft.conntrack(2, _DNAT_STATUS) + accept,
        to_bridge + from_bridge + drop,
        family_of_out + nft.lookup("unprotected", nft.REG1) + accept,
    ]
    for version, guard, echo in ((4, _ipv4(), _ICMP), (6, _ipv6(), _ICMPV6)):
        offset, length = (16, 4) if version == 4 else (24, 16)
        key = nft.payload(1, offset, length, nft.REG1) + nft.meta(_L4PROTO, w[length // 4])
        key += nft.payload(2, 2, 2, w[length // 4 + 1])
        rules.append(guard + key + nft.lookup(f"open{version}", nft.REG1) + accept)
        ping = nft.meta(_L4PROTO, nft.REG1) + nft.compare(nft.REG1, bytes([echo]))
        rules.append(family_of_out + nft.lookup("routed", nft.REG1) + guard + ping + accept)
    rules.append(to_bridge + drop)
    return [nft.rule(nft.INET, table, "forward", rule) for rule in rules]


def _input(table: str) -> list[nft.Message]:
    """An internal network does not reach the host's services; the host may reach it."""
    internal = nft.meta(_IIF, nft.REG1) + nft.lookup("internal", nft.REG1)
    accept, drop = nft.verdict(nft.ACCEPT), nft.verdict(nft.DROP)
    neighbours = nft.meta(_L4PROTO, nft.REG1) + nft.compare(nft.REG1, bytes([_ICMPV6]))
    return [
        nft.rule(nft.INET, table, "input", internal, known, accept)
        for known in (nft.conntrack(0, _ESTABLISHED_RELATED), neighbours)
    ] + [nft.rule(nft.INET, table, "input", internal, drop)]


def _spoofing(table: str, veth_prefix: str) -> list[nft.Message]:
    """What a container sends carries its own addresses, or goes nowhere.

    Nearly all frames are IP from whom they say: the first rules let those pass, for each rule that a
    frame meets costs throughput. What cannot be read is not known, so it does not pass.
    """
    w = nft.WORD
    others = nft.meta(_IIFNAME, nft.REG1)
    others += nft.compare(nft.REG1, veth_prefix.encode(), equal=False)
    drop, accept = nft.verdict(nft.DROP), nft.verdict(nft.ACCEPT)
    port, mac = nft.meta(_IIF, w[0]), nft.payload(0, 6, 6, w[1])
    ip, arp, ip6 = _ether(b"\x08\x00"), _ether(b"\x08\x06"), _ether(b"\x86\xdd")
    protocol = ip6 + nft.meta(_L4PROTO, nft.REG1)
    icmp6 = protocol + nft.compare(nft.REG1, bytes([_ICMPV6]))
    not_icmp6 = protocol + nft.compare(nft.REG1, bytes([_ICMPV6]), equal=False)
    source6 = nft.payload(1, 8, 16, w[3])
    known4, known6 = nft.lookup("endpoints4", nft.REG1), nft.lookup("endpoints6", nft.REG1)

    def unknown(set_name: str) -> bytes:
        return nft.lookup(set_name, nft.REG1, inverted=True) + drop

    def of_type(kind: int) -> bytes:
        return icmp6 + nft.payload(2, 0, 1, nft.REG1) + nft.compare(nft.REG1, bytes([kind]))

    nobody = nft.payload(1, 8, 16, nft.REG1) + nft.compare(nft.REG1, bytes(16))
    rules = [
        ip + port + mac + nft.payload(1, 12, 4, w[3]) + known4 + accept,
        others + accept,
        ip + drop,
        not_icmp6 + port + mac + source6 + known6 + accept,
        port + mac + unknown("stations"),
        arp + port + nft.payload(1, 8, 6, w[1]) + nft.payload(1, 14, 4, w[3]) + known4 + accept,
        arp + drop,
        of_type(_ROUTER_ADVERTISEMENT) + drop,
        of_type(_REDIRECT) + drop,
        of_type(_NEIGHBOUR_ADVERTISEMENT) + port + mac + nft.payload(2, 8, 16, w[3])
        + unknown("endpoints6"),
        icmp6 + nobody + accept,  # it looks whether somebody has an address (RFC 4862)
        icmp6 + port + mac + source6 + known6 + accept,
        ip6 + drop,
    ]  # fmt: skip
    return [nft.rule(nft.BRIDGE, table, "spoofing", rule) for rule in rules]


def _ether(kind: bytes) -> bytes:
    return nft.meta(_ETHER_TYPE, nft.REG1) + nft.compare(nft.REG1, kind)


def _ipv4() -> bytes:
    return nft.meta(_NFPROTO, nft.REG1) + nft.compare(nft.REG1, bytes([socket.AF_INET]))


def _ipv6() -> bytes:
    return nft.meta(_NFPROTO, nft.REG1) + nft.compare(nft.REG1, bytes([socket.AF_INET6]))


def _to_loopback() -> bytes:
    load = nft.payload(1, 16, 4, nft.REG1) + nft.masked(nft.REG1, b"\xff\0\0\0")
    return load + nft.compare(nft.REG1, b"\x7f\0\0\0")


def _index(link: int) -> bytes:
    return struct.pack("=I", link)


def _family(version: int) -> bytes:
    return _word8(socket.AF_INET if version == 4 else socket.AF_INET6)


def _interval(block: Block) -> tuple[bytes, bytes]:
    """First address, and the one after the last (wrapped round at the very end of the space)."""
    size = block.max_prefixlen // 8
    after = (int(block.broadcast_address) + 1) % (1 << block.max_prefixlen)
    return block.network_address.packed, after.to_bytes(size, "big")


def _word8(value: int) -> bytes:
    return struct.pack("Bxxx", value)


def _word16(value: int) -> bytes:
    return struct.pack(">Hxx", value)
