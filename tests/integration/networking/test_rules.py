"""What the rules let through and what they do not: packets in namespaces, no mock of anything."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest

from tests.integration.networking.lab import (
    Lab,
    Site,
    echo_once,
    show_bridged_frames_to_the_firewall,
)

pytestmark = pytest.mark.root


def publish(lab: Lab, *ports: list, delete: bool = False) -> None:
    lab.perform("ports", ports=list(ports), delete=delete)


@pytest.fixture
def world(lab: Lab) -> Site:
    """A machine on the host's outer wire, which knows no container addresses but by the host."""
    outside = lab.site("outside")
    lab.cable(outside, "192.0.2.1/24", "192.0.2.9/24")
    outside.run("ip", "addr", "add", "2001:db8::9/64", "dev", "wan0", "nodad")
    uplink = next(n for n in lab.host.links() if n.startswith("wan"))
    lab.host.run("ip", "addr", "add", "2001:db8::1/64", "dev", uplink, "nodad")
    outside.run("ip", "route", "add", "10.0.0.0/8", "via", "192.0.2.1")
    outside.run("ip", "-6", "route", "add", "fd00::/8", "via", "2001:db8::1")
    return outside


# --- ways out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("six", [False, True])
def test_containers_get_out_with_the_hosts_address(lab: Lab, world: Site, six: bool) -> None:
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    box = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    place, seen = ("2001:db8::9", "2001:db8::1") if six else ("192.0.2.9", "192.0.2.1")
    server = world.listen(place, 80)
    box.connect(place, 80)
    assert echo_once(server)[0] == seen


def test_without_masquerading_the_own_address_is_seen(lab: Lab, world: Site) -> None:
    network = lab.network("br-a", "10.1.0.1/24", masqueraded=[])
    box = lab.container(network, "10.1.0.2/24")
    server = world.listen("192.0.2.9", 80)
    box.connect("192.0.2.9", 80)
    assert echo_once(server)[0] == "10.1.0.2"


# --- isolation -----------------------------------------------------------------------------------


def test_networks_do_not_reach_each_other_but_through_who_is_on_both(lab: Lab) -> None:
    one, two = lab.network("br-a", "10.1.0.1/24"), lab.network("br-b", "10.2.0.1/24")
    a, b = lab.container(one, "10.1.0.2/24"), lab.container(two, "10.2.0.2/24")
    both = lab.container(one, "10.1.0.3/24")
    lab.attach(both, two, "10.2.0.3/24", interface="eth1", gateways=[])
    servers = [b.listen("10.2.0.2", 80), both.listen("10.1.0.3", 80), a.listen("10.1.0.2", 80)]
    assert not a.reaches("10.2.0.2", 80)
    assert not a.reaches("10.2.0.3", 80)
    assert a.reaches("10.1.0.3", 80)
    assert both.reaches("10.2.0.2", 80)
    assert both.reaches("10.1.0.2", 80)
    assert len(servers) == 3


def test_outside_reaches_no_container_by_its_own_address(lab: Lab, world: Site) -> None:
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    box = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    servers = [box.listen("10.1.0.2", 80), box.listen("fd00:1::2", 80)]
    assert lab.host.reaches("10.1.0.2", 80)
    assert not world.reaches("10.1.0.2", 80)
    assert not world.reaches("fd00:1::2", 80)
    assert len(servers) == 2


def test_internal_networks_have_no_way_out_nor_in_nor_to_the_hosts_services(
    lab: Lab, world: Site
) -> None:
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64", internal=True)
    other = lab.network("br-b", "10.2.0.1/24")
    box = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    mate = lab.container(network, "10.1.0.3/24", "fd00:1::3/64")
    away = lab.container(other, "10.2.0.2/24")
    box.run("ip", "route", "add", "default", "via", "10.1.0.1")  # as one that may would
    box.run("ip", "-6", "route", "add", "default", "via", "fd00:1::1")
    servers = [
        world.listen("192.0.2.9", 80), world.listen("2001:db8::9", 80),
        lab.host.listen("10.1.0.1", 80), lab.host.listen("192.0.2.1", 80),
        box.listen("10.1.0.2", 80), mate.listen("10.1.0.3", 80), mate.listen("fd00:1::3", 80),
        away.listen("10.2.0.2", 80),
    ]  # fmt: skip
    assert box.reaches("10.1.0.3", 80)
    assert box.reaches("fd00:1::3", 80)
    for place in ("192.0.2.9", "2001:db8::9", "10.1.0.1", "192.0.2.1", "10.2.0.2"):
        assert not box.reaches(place, 80), place
    assert not world.reaches("10.1.0.2", 80)
    assert not away.reaches("10.1.0.2", 80)
    assert lab.host.reaches("10.1.0.2", 80)  # the host may look in
    six = box.listen("fd00:1::2", 80)
    assert lab.host.reaches("fd00:1::2", 80, timeout=1)
    assert six
    publish(lab, ["tcp", "0.0.0.0", 8080, "10.1.0.2", 80, False])
    assert not world.reaches("192.0.2.1", 8080)
    # Not even a datagram that wants no answer, neither out nor in.
    publish(lab, ["udp", "0.0.0.0", 8080, "10.1.0.2", 80, False])
    for source, target, sink in (
        (box, ("192.0.2.9", 80), world.listen("192.0.2.9", 80, socket.SOCK_DGRAM)),
        (world, ("192.0.2.1", 8080), box.listen("10.1.0.2", 80, socket.SOCK_DGRAM)),
    ):
        sink.settimeout(0.25)
        source.open(kind=socket.SOCK_DGRAM).sendto(b"word", target)
        with pytest.raises(TimeoutError):
            sink.recv(100)
    assert len(servers) == 8


def test_without_icc_containers_of_a_network_do_not_reach_each_other(lab: Lab, world: Site) -> None:
    network = lab.network("br-a", "10.1.0.1/24", icc=False)
    a, b = lab.container(network, "10.1.0.2/24"), lab.container(network, "10.1.0.3/24")
    servers = [b.listen("10.1.0.3", 80), world.listen("192.0.2.9", 80)]
    assert not a.reaches("10.1.0.3", 80)
    assert a.reaches("192.0.2.9", 80)
    assert lab.host.reaches("10.1.0.3", 80)
    assert len(servers) == 2


def test_the_hosts_loopback_is_nobodys_but_the_hosts(lab: Lab, world: Site) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    box = lab.container(network, "10.1.0.2/24")
    server = lab.host.listen("127.0.0.1", 7000, socket.SOCK_DGRAM)
    server.settimeout(0.25)
    # A program with CAP_NET_RAW, or a neighbour on the wire, sends to 127.0.0.1 by the host's MAC.
    for site, link, gateway in ((box, "eth0", "10.1.0.1"), (world, "wan0", "192.0.2.1")):
        site.run("ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
        site.run("ip", "route", "add", "127.0.0.1/32", "dev", link, "via", gateway, "onlink")
        site.open(kind=socket.SOCK_DGRAM).sendto(b"MARKER", ("127.0.0.1", 7000))
        with pytest.raises(TimeoutError):
            server.recv(100)
    lab.host.open(kind=socket.SOCK_DGRAM).sendto(b"own", ("127.0.0.1", 7000))
    assert server.recv(100) == b"own"
    # Nor a port that is published there, for DNAT comes before routing.
    publish(lab, ["tcp", "127.0.0.1", 8080, "10.1.0.2", 80, False])
    behind = box.listen("10.1.0.2", 80)
    assert not world.reaches("127.0.0.1", 8080)
    assert lab.host.reaches("127.0.0.1", 8080)
    assert behind


# --- spoofing ------------------------------------------------------------------------------------


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def heard(listener: socket.socket, marker: bytes) -> bool:
    try:
        while True:
            if marker in listener.recv(2000):
                return True
    except TimeoutError:
        return False


def ipv4_frame(source_mac: str, target_mac: str, source: str, target: str, data: bytes) -> bytes:
    total = 20 + 8 + len(data)
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, total, 1, 0, 64, 17, 0,
        ip_address(source).packed, ip_address(target).packed,
    )  # fmt: skip
    words = struct.unpack(">10H", head)
    total_sum = sum(words)
    checksum = ~(total_sum + (total_sum >> 16)) & 0xFFFF
    head = head[:10] + struct.pack(">H", checksum) + head[12:]
    udp = struct.pack(">HHHH", 1000, 2000, 8 + len(data), 0) + data
    return mac(target_mac) + mac(source_mac) + b"\x08\x00" + head + udp


def ipv6_frame(source_mac: str, source: str) -> bytes:
    udp = struct.pack(">HHHH", 1000, 2000, 14, 0) + b"MARKER"
    head = struct.pack(">IHBB", 0x60000000, len(udp), 17, 64)
    head += ip_address(source).packed + ip_address("fd00:1::3").packed
    return mac("02:42:0a:01:00:03") + mac(source_mac) + b"\x86\xdd" + head + udp


def arp_frame(source_mac: str, sender_mac: str, sender_ip: str) -> bytes:
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 2) + mac(sender_mac)
    body += ip_address(sender_ip).packed + bytes(6) + ip_address("10.1.0.3").packed
    return b"\xff" * 6 + mac(source_mac) + b"\x08\x06" + body


A, B, GATEWAY = "02:42:0a:01:00:02", "02:42:0a:01:00:03", "10.1.0.1"


@pytest.fixture
def pair(lab: Lab) -> tuple[Site, Site]:
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    return (
        lab.container(network, "10.1.0.2/24", "fd00:1::2/64", mac=A),
        lab.container(network, "10.1.0.3/24", "fd00:1::3/64", mac=B),
    )


@pytest.mark.parametrize(
    ("frame", "passes"),
    [
        (ipv4_frame(A, B, "10.1.0.2", "10.1.0.3", b"MARKER"), True),
        (ipv4_frame(A, B, "10.1.0.9", "10.1.0.3", b"MARKER"), False),
        (ipv4_frame(A, B, "10.1.0.1", "10.1.0.3", b"MARKER"), False),
        (ipv4_frame("02:42:0a:01:00:09", B, "10.1.0.2", "10.1.0.3", b"MARKER"), False),
        (ipv6_frame(A, "fd00:1::2"), True),
        (ipv6_frame(A, "fd00:1::9"), False),
        (ipv6_frame(A, "::"), False),
        (ipv6_frame("02:42:0a:01:00:09", "fd00:1::2"), False),
        (mac(B) + mac(A) + b"\x88\xb5MARKER" + bytes(60), True),
        (mac(B) + mac("02:42:0a:01:00:01") + b"\x88\xb5MARKER" + bytes(60), False),
    ],
    ids=[
        "own",
        "other-ip",
        "gateway-ip",
        "other-mac",
        "own-ip6",
        "other-ip6",
        "no-ip6",
        "other-mac-ip6",
        "own-raw",
        "other-mac-raw",
    ],
)
def test_frames_carry_the_senders_own_addresses_or_go_nowhere(
    pair: tuple[Site, Site], frame: bytes, passes: bool
) -> None:
    a, b = pair
    listener = b.raw("eth0")
    a.raw("eth0").send(frame)
    assert heard(listener, b"MARKER") is passes


def test_what_else_is_on_a_bridge_sends_as_it_likes(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    box = lab.container(network, "10.1.0.2/24")
    machine = lab.site("a virtual machine, say, that the user has put there")
    lab.cable(machine, "", "10.1.0.77/24", name="tap")
    port = next(name for name in lab.host.links() if name.startswith("tap"))
    lab.host.run("ip", "link", "set", port, "master", "br-a")
    server = box.listen("10.1.0.2", 80)
    machine.connect("10.1.0.2", 80).close()
    assert echo_once(server)[0] == "10.1.0.77"


@pytest.mark.parametrize(
    ("frame", "passes"),
    [
        (arp_frame(A, A, "10.1.0.2"), True),
        (arp_frame(A, A, GATEWAY), False),
        (arp_frame(A, B, "10.1.0.2"), False),
    ],
    ids=["own", "the-gateways-ip", "another-mac"],
)
def test_arp_tells_of_the_sender_alone(pair: tuple[Site, Site], frame: bytes, passes: bool) -> None:
    a, b = pair
    listener = b.raw("eth0")
    a.raw("eth0").send(frame)
    assert heard(listener, frame[14:40]) is passes


def icmp6_frame(kind: int, target: str, source: str = "fd00:1::2") -> bytes:
    body = struct.pack(">BBHI", kind, 0, 0, 0x60000000) + ip_address(target).packed
    body += b"\x02\x01" + mac(A)
    addresses = ip_address(source).packed + ip_address("ff02::1").packed
    pseudo = addresses + struct.pack(">II", len(body), 58)
    total = sum(struct.unpack(f">{(len(pseudo) + len(body)) // 2}H", pseudo + body))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    body = body[:2] + struct.pack(">H", ~total & 0xFFFF) + body[4:]
    head = struct.pack(">IHBB", 0x60000000, len(body), 58, 255) + addresses
    return b"\x33\x33\0\0\0\1" + mac(A) + b"\x86\xdd" + head + body


@pytest.mark.parametrize(
    ("frame", "passes"),
    [
        (icmp6_frame(136, "fd00:1::2"), True),
        (icmp6_frame(136, "fd00:1::1"), False),
        (icmp6_frame(136, "fd00:1::2", "fd00:1::9"), False),
        (icmp6_frame(134, "::"), False),
        (icmp6_frame(137, "fd00:1::2"), False),
        (icmp6_frame(135, "fd00:1::3", "::"), True),
        (icmp6_frame(135, "fd00:1::3", "fe80::1"), False),
    ],
    ids=["own", "the-gateways", "source", "router", "redirect", "probe", "link-local"],
)
def test_neighbour_discovery_tells_of_the_sender_alone(
    pair: tuple[Site, Site], frame: bytes, passes: bool
) -> None:
    a, b = pair
    listener = b.raw("eth0")
    a.raw("eth0").send(frame)
    assert heard(listener, frame[22:70]) is passes


# --- published ports -----------------------------------------------------------------------------


def test_published_ports_are_on_every_address_and_the_client_is_seen(lab: Lab, world: Site) -> None:
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    box = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    publish(
        lab, ["tcp", "0.0.0.0", 8080, "10.1.0.2", 80, False],
        ["tcp", "::", 8080, "fd00:1::2", 80, False],
    )  # fmt: skip
    four, six = box.listen("0.0.0.0", 80), box.listen("::", 80)
    for site, place, seen, server in (
        (world, "192.0.2.1", "192.0.2.9", four),
        (world, "2001:db8::1", "2001:db8::9", six),
        (lab.host, "127.0.0.1", "10.1.0.1", four),
        (lab.host, "192.0.2.1", "192.0.2.1", four),
        (lab.host, "10.1.0.1", "10.1.0.1", four),
        (lab.host, "2001:db8::1", None, six),
    ):
        site.connect(place, 8080)
        address = echo_once(server)[0]
        assert seen is None or address == seen, place
    publish(lab, ["tcp", "0.0.0.0", 8080, "10.1.0.2", 80, False], delete=True)
    assert not world.reaches("192.0.2.1", 8080)
    assert world.reaches("2001:db8::1", 8080)


def test_a_port_of_one_address_is_on_that_alone(lab: Lab, world: Site) -> None:
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    box = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    publish(
        lab, ["tcp", "127.0.0.1", 8080, "10.1.0.2", 80, False],
        ["tcp", "192.0.2.1", 8081, "10.1.0.2", 80, False],
        ["tcp", "2001:db8::1", 8082, "fd00:1::2", 80, False],
    )  # fmt: skip
    server, six = box.listen("0.0.0.0", 80), box.listen("::", 80)
    for site in (world, lab.host):
        assert site.reaches("2001:db8::1", 8082, timeout=1)
        assert not site.reaches("fd00:1::1", 8082)
        assert not site.reaches("192.0.2.1", 8082)
    assert lab.host.reaches("127.0.0.1", 8080)
    assert not world.reaches("192.0.2.1", 8080)
    assert world.reaches("192.0.2.1", 8081)
    assert not lab.host.reaches("127.0.0.1", 8081)
    assert server
    assert six


@pytest.mark.parametrize("shown", [False, True])
def test_a_container_reaches_published_ports_of_others_and_its_own(lab: Lab, shown: bool) -> None:
    show_bridged_frames_to_the_firewall(lab.host, shown=shown)
    one = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    two = lab.network("br-b", "10.2.0.1/24", "fd00:2::1/64")
    box = lab.container(one, "10.1.0.2/24", "fd00:1::2/64")
    mate = lab.container(one, "10.1.0.3/24", "fd00:1::3/64")
    other = lab.container(two, "10.2.0.2/24", "fd00:2::2/64")
    publish(
        lab, ["tcp", "0.0.0.0", 8080, "10.1.0.2", 80, False],
        ["tcp", "::", 8080, "fd00:1::2", 80, False],
    )  # fmt: skip
    four, six = box.listen("0.0.0.0", 80), box.listen("::", 80)
    for site, number in ((other, 2), (mate, 1), (box, 1)):
        for place, server in ((f"10.{number}.0.1", four), (f"fd00:{number}::1", six)):
            assert site.reaches(place, 8080, timeout=2), place
            echo_once(server)


def test_a_routed_network_opens_its_published_ports_without_nat(lab: Lab, world: Site) -> None:
    gateways = ("10.1.0.1/24", "fd00:1::1/64")
    network = lab.network("br-a", *gateways, masqueraded=[], routed=[4, 6])
    box = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    for place, any_address, seen in (
        ("10.1.0.2", "0.0.0.0", "192.0.2.9"),
        ("fd00:1::2", "::", "2001:db8::9"),
    ):
        publish(lab, ["tcp", "", 0, place, 80, True])
        servers = [box.listen(any_address, 80), box.listen(any_address, 81)]
        world.connect(place, 80)
        assert echo_once(servers[0])[0] == seen
        assert not world.reaches(place, 81)
        world.run("/bin/busybox", "ping", "-c", "1", "-W", "2", place)


def test_an_unprotected_network_is_open_from_outside_but_not_from_other_networks(
    lab: Lab, world: Site
) -> None:
    network = lab.network("br-a", "10.1.0.1/24", unprotected=[4])
    other = lab.network("br-b", "10.2.0.1/24")
    box, away = lab.container(network, "10.1.0.2/24"), lab.container(other, "10.2.0.2/24")
    server = box.listen("0.0.0.0", 81)
    assert world.reaches("10.1.0.2", 81)
    assert not away.reaches("10.1.0.2", 81)
    assert server


def test_the_hosts_other_tables_are_as_they_were(lab: Lab) -> None:
    from networking.linux import nft

    with lab.host.entered():
        nft.apply_batch([nft.table(nft.INET, "somebodys")])
    network = lab.network("br-a", "10.1.0.1/24")
    lab.perform("remove_network", **network)
    lab.perform("close")
    with lab.host.entered():
        assert nft.tables() == [(nft.INET, "somebodys")]


@pytest.mark.parametrize("six", [False, True])
def test_neighbours_are_not_tracked_even_where_bridged_frames_meet_the_firewall(
    lab: Lab, six: bool
) -> None:
    show_bridged_frames_to_the_firewall(lab.host, shown=True)
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    a = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    b = lab.container(network, "10.1.0.3/24", "fd00:1::3/64")
    place = "fd00:1::3" if six else "10.1.0.3"
    server = b.listen(place, 80)
    before = int(lab.host.sysctl("netfilter/nf_conntrack_count"))
    a.connect(place, 80)
    assert int(lab.host.sysctl("netfilter/nf_conntrack_count")) == before
    assert server
