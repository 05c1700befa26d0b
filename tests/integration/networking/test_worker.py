"""The network worker in namespaces of its own: links, addresses, routes, and what is undone."""

from __future__ import annotations

import json
import os
import socket
import time

import pytest

from networking.linux import nft
from networking.linux.inner import redirect_names
from networking.linux.sysctls import RENEWAL, Sysctls
from tests.integration.networking.lab import Lab, echo_once

pytestmark = pytest.mark.root


def test_an_endpoint_has_address_route_and_mac_and_the_gateway_answers(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24", mtu=1400)
    box = lab.container(network, "10.1.0.2/24", mac="02:42:00:00:00:07")
    server = lab.host.listen("10.1.0.1", 80)
    client = box.connect("10.1.0.1", 80)
    assert echo_once(server)[0] == "10.1.0.2"
    client.close()
    link = box.links()["eth0"]
    assert link.mtu == 1400
    assert "02:42:00:00:00:07" in box.run("ip", "link", "show", "eth0")
    assert "default via 10.1.0.1" in box.run("ip", "route")
    assert "inet6" not in box.run("ip", "addr", "show", "eth0")
    assert lab.host.links()["br-a"].alias == lab.table


def test_ipv6_is_there_at_once_where_it_was_asked_for(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    box = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    other = lab.container(network, "10.1.0.3/24", "fd00:1::3/64")
    server = other.listen("fd00:1::3", 80)
    started = time.monotonic()
    box.connect("fd00:1::3", 80).close()
    assert time.monotonic() - started < 0.5  # no address is probed for a second
    assert echo_once(server)[0] == "fd00:1::2"
    assert "default via fd00:1::1" in box.run("ip", "-6", "route")
    assert box.sysctl("ipv6/conf/eth0/accept_ra") == "0"
    assert lab.host.sysctl("ipv6/conf/all/forwarding") == "1"


def test_forwarding_ipv6_leaves_a_host_that_lives_by_router_advertisements_its_address(
    lab: Lab,
) -> None:
    lab.cable(lab.site(), "192.0.2.1/24", "192.0.2.2/24", name="up")
    uplink = next(name for name in lab.host.links() if name.startswith("up"))
    assert lab.host.sysctl(f"ipv6/conf/{uplink}/accept_ra") == "1"
    lab.network("br-a", "fd00:1::1/64")
    assert lab.host.sysctl(f"ipv6/conf/{uplink}/accept_ra") == "2"


def test_the_hosts_end_of_a_link_has_no_ipv6_of_its_own(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    box = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    assert lab.host.sysctl(f"ipv6/conf/{box.endpoint['veth']}/disable_ipv6") == "1"
    assert box.endpoint["veth"] not in lab.host.run("ip", "-6", "route", "show", "table", "all")


def test_multicast_reaches_everybody_on_a_network(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    speaker, *hearers = (lab.container(network, f"10.1.0.{n}/24") for n in (2, 3, 4))
    group = "239.1.2.3"
    heard = []
    for site in hearers:
        own = site.endpoint["addresses"][0].partition("/")[0]
        ear = site.listen("", 5000, socket.SOCK_DGRAM)
        member = socket.inet_aton(group) + socket.inet_aton(own)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        heard.append(ear)
    speaker.open(kind=socket.SOCK_DGRAM).sendto(b"hello", (group, 5000))
    assert [ear.recv(16) for ear in heard] == [b"hello", b"hello"]


def test_settings_are_written_in_the_namespace_entered_however_many_there_were(lab: Lab) -> None:
    sysctls = Sysctls()
    sites = [lab.site() for _ in range(3)]
    for number in range(RENEWAL + 3):
        site = sites[number % 3]
        with site.entered():
            sysctls.write("ipv4/conf/lo/rp_filter", str(number % 3))
            assert sysctls.read("ipv4/conf/lo/rp_filter") == str(number % 3)
    assert [site.sysctl("ipv4/conf/lo/rp_filter") for site in sites] == ["0", "1", "2"]
    with pytest.raises(OSError, match="net/ipv4/nothing to 1: No such file"):
        sysctls.write("ipv4/nothing", "1")
    assert sysctls.read("ipv4/nothing") == ""
    sysctls.close()


def test_what_cannot_be_attached_leaves_nothing(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    before = set(lab.host.links())
    with pytest.raises(OSError, match="cannot set the sysctl"):
        lab.container(network, "10.1.0.2/24", sysctls={"net.ipv4.conf.eth0.nonsense": "1"})
    with pytest.raises(OSError, match="there is no link br-b"):
        lab.container({**network, "link": "br-b"}, "10.1.0.2/24")
    assert set(lab.host.links()) == before
    assert elements(lab, "bridge", "stations") == 0


def elements(lab: Lab, family: str, name: str) -> int:
    """How many elements a set of the engine's has, asked by a dump of its elements."""
    import struct

    number = {"inet": nft.INET, "bridge": nft.BRIDGE}[family]
    body = nft.name(1, lab.table) + nft.name(2, name)
    count = 0
    with lab.host.entered(), nft._open() as netlink:
        netlink.send(nft._envelope(10 << 8 | 13, 0x300, 1, number, 0, body))
        while True:
            for kind, _, data in nft._messages(netlink.recv(1 << 18)):
                if kind == nft.NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", data)[0], f"no set {name}")
                if kind == nft.NLMSG_DONE:
                    return count
                for attribute, value in nft.attributes(data[4:]):
                    if attribute == 3:
                        count += len(nft.attributes(value))


def test_detaching_forgets_whom_it_knew_and_removes_the_link(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    box = lab.container(network, "10.1.0.2/24", "fd00:1::2/64")
    assert elements(lab, "bridge", "stations") == 1
    assert elements(lab, "bridge", "endpoints6") == 2
    lab.perform("detach", box.netns, **box.endpoint)
    assert elements(lab, "bridge", "stations") == 0
    assert elements(lab, "bridge", "endpoints6") == 0
    assert "eth0" not in box.links()
    lab.perform("detach", box.netns, **box.endpoint)  # twice is no error


def test_a_bridge_that_is_there_is_used_and_left_but_another_engines_is_refused(lab: Lab) -> None:
    lab.host.run("ip", "link", "add", "br-mine", "type", "bridge")
    order = lab.network("br-mine", "10.1.0.1/24")
    box = lab.container(order, "10.1.0.2/24")
    server = lab.host.listen("10.1.0.1", 80)
    box.connect("10.1.0.1", 80).close()
    server.close()
    lab.perform("remove_network", **{**order, "made": False})
    assert "br-mine" in lab.host.links()
    lab.host.run("ip", "link", "add", "br-theirs", "type", "bridge")
    lab.host.run("ip", "link", "set", "br-theirs", "alias", "pycompose-0123456789ab")
    with pytest.raises(OSError, match="of the engine pycompose-0123456789ab"):
        lab.network("br-theirs", "10.2.0.1/24")
    with pytest.raises(OSError, match="there is a link lo already|lo already"):
        lab.network("lo", "10.3.0.1/24")


def test_removing_a_network_takes_its_bridge_and_its_elements(lab: Lab) -> None:
    order = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    assert elements(lab, "inet", "bridges") == 1
    lab.perform("remove_network", **order)
    assert "br-a" not in lab.host.links()
    for name in ("bridges", "pairs", "subnets4", "subnets6"):
        assert elements(lab, "inet", name) == 0
    lab.perform("remove_network", **order)


def test_a_reset_puts_everything_in_place_in_one_transaction(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    box = lab.container(network, "10.1.0.2/24")
    port = ["tcp", "0.0.0.0", 8080, "10.1.0.2", 80, False]
    everything = {"networks": [network], "endpoints": [box.endpoint], "ports": [port]}
    for _ in range(2):
        memory = os.memfd_create("rules")
        os.write(memory, json.dumps(everything).encode())
        os.lseek(memory, 0, os.SEEK_SET)
        lab.perform("reset", memory, veth_prefix=lab.prefix)
        os.close(memory)
    assert elements(lab, "inet", "ports4") == 1
    assert elements(lab, "bridge", "stations") == 1
    server = box.listen("10.1.0.2", 80)
    lab.host.connect("127.0.0.1", 8080).close()
    assert echo_once(server)[0] == "10.1.0.1"


def test_an_engine_that_comes_back_finds_the_rules_in_force(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    lab.container(network, "10.1.0.2/24")
    lab.perform("open", veth_prefix=lab.prefix)
    assert elements(lab, "bridge", "stations") == 1
    lab.perform("add_network", **network)  # adopted
    assert elements(lab, "inet", "bridges") == 1


def test_an_engine_replaces_an_older_ones_table_whatever_is_in_it(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    a, b = lab.container(network, "10.1.0.2/24"), lab.container(network, "10.1.0.3/24")
    old = nft.SetShape("bridges", 7, 4)  # of addresses, where ours has names
    with lab.host.entered():
        nft.apply_batch(
            [
                nft.table(nft.INET, lab.table, delete=True),
                nft.table(nft.INET, lab.table),
                nft.make_set(nft.INET, lab.table, old, 1),
                nft.chain(nft.INET, lab.table, "input", "filter", 2, 0),
                nft.rule(nft.INET, lab.table, "input", nft.verdict(nft.DROP)),
            ]
        )
    with pytest.raises(nft.NftError):
        lab.perform("add_network", **network)
    assert lab.perform("open", veth_prefix=lab.prefix) == {"found": True}
    everything = {"networks": [network], "endpoints": [a.endpoint, b.endpoint], "ports": []}
    memory = os.memfd_create("rules")
    os.write(memory, json.dumps(everything).encode())
    os.lseek(memory, 0, os.SEEK_SET)
    lab.perform("reset", memory, veth_prefix=lab.prefix)
    os.close(memory)
    lab.perform("add_network", **network)
    assert elements(lab, "inet", "bridges") == 1
    assert elements(lab, "bridge", "stations") == 2
    server = lab.host.listen("10.1.0.1", 80)
    a.connect("10.1.0.1", 80).close()
    assert echo_once(server)[0] == "10.1.0.2"


def test_stale_links_of_the_engine_are_swept_and_nothing_else(lab: Lab) -> None:
    known = lab.network("br-a", "10.1.0.1/24")
    stale = lab.network("br-b", "10.2.0.1/24")
    kept = lab.container(known, "10.1.0.2/24")
    lost = lab.container(stale, "10.2.0.2/24")
    lab.host.run("ip", "link", "add", "br-other", "type", "bridge")
    keep = ["br-a", kept.endpoint["veth"]]
    gone = lab.perform("sweep", veth_prefix=lab.prefix, keep=keep)
    assert sorted(gone) == sorted(["br-b", lost.endpoint["veth"]])
    assert {"br-a", "br-other", kept.endpoint["veth"]} <= set(lab.host.links())


def test_closing_leaves_no_table(lab: Lab) -> None:
    with lab.host.entered():
        assert (nft.INET, lab.table) in nft.tables()
    lab.perform("close")
    lab.perform("close")
    with lab.host.entered():
        assert nft.tables() == []


def test_forgetting_an_endpoint_does_not_wait_for_the_kernel_to_clean_up(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    began = time.monotonic()
    boxes = [lab.container(network, f"10.1.0.{number}/24") for number in range(2, 12)]
    made = time.monotonic() - began
    for box in boxes:
        lab.perform("detach", **box.endpoint, dying=True)
    spent = time.monotonic() - began - made
    # Closing a socket of the rules after a deletion would take a grace period of RCU, each time.
    assert spent < made / 2, (spent, made)


def test_the_name_servers_rules_are_set_in_a_new_namespace_and_again(lab: Lab) -> None:
    with lab.site("box").entered():
        for port in (1053, 2053):
            redirect_names(port, port)
            assert nft.tables() == [(nft.IPV4, "pycompose-dns")]


def test_default_routes_follow_orders(lab: Lab) -> None:
    first = lab.network("br-a", "10.1.0.1/24", "fd00:1::1/64")
    second = lab.network("br-b", "10.2.0.1/24")
    box = lab.container(first, "10.1.0.2/24", "fd00:1::2/64")
    lab.attach(box, second, "10.2.0.2/24", interface="eth1", gateways=[])
    routes = {"4": ["eth1", "10.2.0.1"], "6": ["eth0", "fd00:1::1"]}
    lab.perform("route", box.netns, routes=routes)
    assert "default via 10.2.0.1 dev eth1" in box.run("ip", "route")
    assert box.run("ip", "route").count("default") == 1
    lab.perform("route", box.netns, routes={})
    assert "default" not in box.run("ip", "route") + box.run("ip", "-6", "route")
    lab.perform("route", box.netns, routes={})


def test_endpoint_sysctls_and_link_local_addresses_are_set_inside(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    box = lab.container(
        network, "10.1.0.2/24", sysctls={"net.ipv4.conf.eth0.log_martians": "1"},
        extra_link_local=["169.254.7.7"], link_local=["169.254.7.7"],
    )  # fmt: skip
    assert box.sysctl("ipv4/conf/eth0/log_martians") == "1"
    assert "169.254.7.7/16" in box.run("ip", "addr", "show", "eth0")


def test_a_macvlan_stands_on_a_link_of_the_host(lab: Lab) -> None:
    outside = lab.site("outside")
    lab.cable(outside, "", "192.0.2.1/24", name="lan")
    parent = next(name for name in lab.host.links() if name.startswith("lan"))
    box = lab.site()
    lab.attach(
        box, {"link": parent, "gateways": [], "icc": True, "internal": False}, "192.0.2.7/24",
        kind="macvlan", mode="bridge", veth="", gateways=["192.0.2.1"],
    )  # fmt: skip
    server = outside.listen("192.0.2.1", 80)
    box.connect("192.0.2.1", 80).close()
    assert echo_once(server)[0] == "192.0.2.7"
    lab.perform("detach", box.netns, **box.endpoint)
    assert "eth0" not in box.links()


def test_the_netlink_messages_say_the_same_to_pyroute2(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    lab.container(network, "10.1.0.2/24")
    from pyroute2 import IPRoute

    from networking.linux import links
    from networking.linux.netlink import Route

    with lab.host.entered():
        with IPRoute() as ours:
            theirs = {link.get("ifname"): link.get("ifalias") or "" for link in ours.get_links()}
        route = Route()
        mine = {link.name: link.alias for link in links.all_links(route)}
        route.close()
    assert mine == theirs


def test_a_routing_table_of_a_vpn_counts_as_taken(lab: Lab) -> None:
    lab.cable(lab.site(), "192.0.2.1/24", "192.0.2.2/24", name="vpn")
    uplink = next(name for name in lab.host.links() if name.startswith("vpn"))
    lab.host.run("ip", "route", "add", "10.77.0.0/16", "dev", uplink, "table", "51820")
    lab.host.run("ip", "-6", "route", "add", "fd77::/48", "dev", uplink)
    from engine.networks.host import host_routes

    with lab.host.entered():
        routes = {str(network): words for network, words in host_routes().items()}
    assert routes["10.77.0.0/16"] == f"route of {uplink}"
    assert routes["fd77::/48"] == f"route of {uplink}"
    assert "192.0.2.0/24" in routes
    assert not any(network.startswith(("fe80", "ff", "127", "0.0.0.0/0")) for network in routes)


def test_udp_and_many_ports_in_one_batch(lab: Lab) -> None:
    network = lab.network("br-a", "10.1.0.1/24")
    box = lab.container(network, "10.1.0.2/24")
    ports = [["udp", "0.0.0.0", 20000 + n, "10.1.0.2", 53, False] for n in range(500)]
    lab.perform("ports", ports=ports, delete=False)
    assert elements(lab, "inet", "ports4") == 500
    server = box.listen("10.1.0.2", 53, socket.SOCK_DGRAM)
    client = lab.host.open(kind=socket.SOCK_DGRAM)
    client.sendto(b"ping", ("127.0.0.1", 20499))
    data, address = server.recvfrom(100)
    server.sendto(b"pong", address)
    assert (data, client.recv(100)) == (b"ping", b"pong")
    lab.perform("ports", ports=ports, delete=True)
    assert elements(lab, "inet", "ports4") == 0
    lab.perform("ports", ports=ports[:2], delete=True)


def test_a_firewall_that_drops_what_is_forwarded_is_found(lab: Lab) -> None:
    assert lab.perform("firewall") == []
    policy = nft.be32(5, 0)  # drop
    with lab.host.entered():
        for hook, name in ((1, "INPUT"), (2, "FORWARD")):
            chain = nft.chain(nft.IPV4, "filter", name, "filter", hook, 0)
            chain = nft.Message(chain.kind, chain.family, chain.body + policy, chain.flags)
            nft.apply_batch([nft.table(nft.IPV4, "filter"), chain])
    assert lab.perform("firewall") == ["table ip filter, chain FORWARD"]
