"""Published ports of an engine: where they are, who has them, by whom they are carried."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import docker.errors
import pytest

from tests.integration.engine.networks.town import IMAGE, Box, Town, open_town
from tests.integration.networking.lab import Site, echo_once, lay_cable, new_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root


def bind(*places: str, inner: str = "80/tcp") -> dict:
    """HostConfig for places like "8080", "127.0.0.1:8080", "[::1]:8080", ":8000-8010"."""
    found = []
    for place in places:
        host, _, port = place.rpartition(":")
        found.append({"HostIp": host.strip("[]"), "HostPort": port})
    return {"PortBindings": {inner: found}}


def places(box: Box, inner: str = "80/tcp") -> list[tuple[str, str]]:
    ports = box.inspect()["NetworkSettings"]["Ports"]
    return [(p["HostIp"], p["HostPort"]) for p in ports.get(inner) or []]


def serves(site: Site, place: str, port: int, server: socket.socket) -> str:
    """The address that the server sees of a client at a site."""
    site.connect(place, port)
    return str(echo_once(server)[0])


def test_a_port_is_on_both_families_whatever_the_network_has(town: Town) -> None:
    town.network("four", "10.104.200.0/24")
    town.network("both", "10.104.201.0/24", "fd12::/64")
    for name, port in (("four", 18080), ("both", 18081)):
        box = town.run(f"on-{name}", name, host_config=bind(str(port)))
        assert places(box) == [("0.0.0.0", str(port)), ("::", str(port))]
        four = box.site.listen("0.0.0.0", 80)
        assert serves(town.host, "127.0.0.1", port, four).endswith(".1")
        six = box.site.listen("::", 80) if name == "both" else four
        serves(town.host, "::1", port, six)


def test_bytes_of_the_relay_arrive_whole_both_ways(town: Town) -> None:
    town.network("four", "10.104.200.0/24")
    box = town.run("box", "four", host_config=bind("18080"))
    server = box.site.listen("0.0.0.0", 80)
    client = town.host.connect("::1", 18080)
    connection, _ = server.accept()
    box.site.opened.append(connection)
    connection.settimeout(5)
    data = os.urandom(1 << 22)
    sent = received = 0
    client.setblocking(False)
    got = bytearray()
    while received < len(data):
        try:
            sent += client.send(data[sent:]) if sent < len(data) else 0
        except BlockingIOError:
            pass
        if sent == len(data):
            client.setblocking(True)
            client.shutdown(socket.SHUT_WR)
            sent += 1
        chunk = connection.recv(1 << 16)
        got += chunk
        received += len(chunk)
    assert bytes(got) == data
    assert connection.recv(1) == b""  # the end came through, the way back is still open
    connection.sendall(b"answer")
    connection.close()
    client.settimeout(5)
    assert client.recv(100) == b"answer"
    assert client.recv(100) == b""


def test_udp_by_the_kernel_and_by_the_relay(town: Town) -> None:
    town.network("four", "10.104.200.0/24")
    box = town.run("box", "four", host_config=bind("18053", inner="53/udp"))
    server = box.site.listen("0.0.0.0", 53, socket.SOCK_DGRAM)
    for place in ("127.0.0.1", "::1"):
        family = socket.AF_INET6 if ":" in place else socket.AF_INET
        client = town.host.open(family, socket.SOCK_DGRAM)
        for word in (b"one", b"two"):
            client.sendto(word, (place, 18053))
            data, peer = server.recvfrom(100)
            server.sendto(data.upper(), peer)
            assert client.recv(100) == word.upper()


@pytest.mark.parametrize("engine", ["town", "careful"])  # carried by the kernel; by the relay
def test_udp_answers_come_from_the_address_that_was_asked(
    request: pytest.FixtureRequest, engine: str
) -> None:
    town: Town = request.getfixturevalue(engine)
    town.network("four", "10.104.200.0/24")
    box = town.run("box", "four", host_config=bind("18053", inner="53/udp"))
    server = box.site.listen("0.0.0.0", 53, socket.SOCK_DGRAM)
    outside = Site(new_namespace())
    cable = lay_cable(town.host, outside, "192.0.2.1/24", "192.0.2.9/24")
    for site, link, number in ((town.host, cable, 1), (town.host, cable, 77), (outside, "wan0", 9)):
        site.run("ip", "addr", "add", f"2001:db8::{number}/64", "dev", link, "nodad")
    town.host.run("ip", "addr", "add", "192.0.2.77/24", "dev", cable)
    try:
        for place in ("192.0.2.1", "192.0.2.77", "2001:db8::1", "2001:db8::77"):
            family = socket.AF_INET6 if ":" in place else socket.AF_INET
            client = outside.open(family, socket.SOCK_DGRAM)
            client.connect((place, 18053))  # takes nobody else's answers
            client.send(b"one")
            data, peer = server.recvfrom(100)
            server.sendto(data.upper(), peer)
            assert client.recv(100) == b"ONE", place
    finally:
        town.host.run("ip", "link", "del", cable)
        for one in outside.opened:
            one.close()
        os.close(outside.netns)
        town.clear()


def test_sctp_is_published_by_the_kernel(town: Town) -> None:
    town.network("both", "10.104.201.0/24", "fd12::/64")
    box = town.run("box", "both", host_config=bind("18132", inner="132/sctp"))
    assert places(box, "132/sctp") == [("0.0.0.0", "18132"), ("::", "18132")]


def test_a_kernel_without_sctp_is_told_of(town: Town) -> None:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
        has_sctp = True
    except OSError:
        has_sctp = False
    api = town.client.api
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": bind("18132", inner="132/sctp")}
    made = api._result(api._post_json(api._url("/containers/create"), body), json=True)
    words = "port 132/sctp is published, but this kernel has no SCTP: no program can listen at it"
    assert made["Warnings"] == ([] if has_sctp else [words])


def test_ranges_random_ports_and_single_addresses(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    taken = [places(town.run(f"r-{n}", "net", host_config=bind("18100-18102"))) for n in range(3)]
    assert [t[0][1] for t in taken] == ["18100", "18101", "18102"]
    with pytest.raises(docker.errors.APIError, match=r"18102 failed.*by container r-2"):
        town.run("r-3", "net", host_config=bind("18100-18102"))
    random = [places(town.run(f"x-{n}", "net", host_config=bind("")))[0][1] for n in range(2)]
    assert len({*random}) == 2
    one = town.run("one", "net", host_config=bind("127.0.0.1:18103", "[::1]:18103"))
    assert places(one) == [("127.0.0.1", "18103"), ("::1", "18103")]
    server = one.site.listen("0.0.0.0", 80)
    serves(town.host, "::1", 18103, server)


def test_a_conflict_names_its_holder_and_leaves_nothing(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    labels = {"Labels": {"com.docker.compose.project": "shop"}}
    first = town.run("first", "net", host_config=bind("18200"), config=labels)
    with pytest.raises(docker.errors.APIError) as caught:
        town.run("second", "net", host_config=bind("18200"))
    assert "Bind for 0.0.0.0:18200 failed: port is already allocated" in caught.value.explanation
    assert "(by container first of project shop)" in caught.value.explanation
    blocker = town.host.listen("::", 18201)
    with pytest.raises(docker.errors.APIError, match=rf"by process {os.getpid()}, "):
        town.run("third", "net", host_config=bind("18201"))
    blocker.close()
    first.container.remove(force=True)
    town.client.containers.get("third").start()
    town.client.containers.get("second").start()


@pytest.mark.parametrize("port", ["18250", ""])
def test_an_address_that_the_host_does_not_have_is_named(town: Town, port: str) -> None:
    town.network("net", "10.104.200.0/24")
    binding = {"PortBindings": {"80/tcp": [{"HostIp": "192.0.2.77", "HostPort": port}]}}
    with pytest.raises(docker.errors.APIError) as caught:
        town.run("web", "net", host_config=binding)
    words = "cannot assign requested address: 192.0.2.77 is no address of this host"
    assert words in caught.value.explanation
    assert "allocated" not in caught.value.explanation


def test_ports_follow_the_way_out_and_come_and_go_with_it(town: Town) -> None:
    inner = town.network("inner", "10.104.201.0/24", Internal=True)
    net, other = town.network("net", "10.104.202.0/24"), town.network("other", "10.104.203.0/24")
    box = town.run("box", "inner", host_config=bind("18300"))
    server = box.site.listen("0.0.0.0", 80)
    assert places(box) == []
    assert not town.host.reaches("127.0.0.1", 18300)
    net.connect(box.container)
    assert places(box) == [("0.0.0.0", "18300"), ("::", "18300")]
    serves(town.host, "127.0.0.1", 18300, server)
    other.connect(box.container)
    net.disconnect(box.container)
    serves(town.host, "127.0.0.1", 18300, server)
    serves(town.host, "::1", 18300, server)
    other.disconnect(box.container)
    assert not town.host.reaches("127.0.0.1", 18300)
    assert inner


def test_a_networks_own_binding_address_and_gateway_modes(town: Town) -> None:
    town.network(
        "here", "10.104.200.0/24",
        Options={"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"},
    )  # fmt: skip
    assert places(town.run("here-1", "here", host_config=bind("18400"))) == [("127.0.0.1", "18400")]
    town.network(
        "routed", "10.104.201.0/24",
        Options={"com.docker.network.bridge.gateway_mode_ipv4": "routed"},
    )  # fmt: skip
    routed = town.run("routed-1", "routed", host_config=bind("127.0.0.1:18401"))
    assert places(routed) == [("127.0.0.1", "")]
    assert not town.host.reaches("127.0.0.1", 18401)
    town.network(
        "alone", "10.104.202.0/24", Internal=True,
        Options={"com.docker.network.bridge.gateway_mode_ipv4": "isolated"},
    )  # fmt: skip
    alone = town.run("alone-1", "alone")
    server = alone.site.listen("0.0.0.0", 80)
    assert not town.host.reaches("10.104.202.2", 80)
    assert server


def test_ports_come_through_the_death_of_an_engine(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    box = town.run("box", "net", host_config=bind("18500"))
    server = box.site.listen("0.0.0.0", 80)
    town.kill_engine()
    serves(town.host, "127.0.0.1", 18500, server)
    serves(town.host, "::1", 18500, server)
    with pytest.raises(docker.errors.APIError, match="by container box"):
        town.run("thief", "net", host_config=bind("18500"))
    box.container.remove(force=True)
    assert not town.host.reaches("::1", 18500)
    town.client.containers.get("thief").start()


@pytest.fixture(scope="module")
def careful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """An engine whose published ports the host's INPUT policy governs."""
    folder = tmp_path_factory.mktemp("careful")
    with open_town(folder, "10.104.0.0/16", PYCOMPOSE_PUBLISHED_PORTS="input") as town:
        yield town


def test_the_hosts_input_policy_governs_published_ports_where_asked(careful: Town) -> None:
    from networking.linux import nft

    careful.network("net", "10.104.200.0/24")
    box = careful.run("box", "net", host_config=bind("18600"))
    server = box.site.listen("0.0.0.0", 80)
    serves(careful.host, "127.0.0.1", 18600, server)
    # What ufw does, in short: a table of the host's own that drops what comes in for a port.
    port = nft.payload(2, 2, 2, nft.REG1) + nft.compare(nft.REG1, (18600).to_bytes(2, "big"))
    with careful.host.entered():
        nft.apply_batch(
            [
                nft.table(nft.INET, "ufw"),
                nft.chain(nft.INET, "ufw", "input", "filter", 1, 0),
                nft.rule(nft.INET, "ufw", "input", port, nft.verdict(nft.DROP)),
            ]
        )
    try:
        assert not careful.host.reaches("127.0.0.1", 18600)
        assert not careful.host.reaches("::1", 18600)
    finally:
        with careful.host.entered():
            nft.apply_batch([nft.table(nft.INET, "ufw", delete=True)])
    serves(careful.host, "::1", 18600, server)


def test_an_engine_wide_publish_address(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("local")
    with open_town(folder, "10.104.0.0/16", PYCOMPOSE_PUBLISH_ADDRESS="127.0.0.1") as town:
        town.network("net", "10.104.200.0/24")
        assert places(town.run("box", "net", host_config=bind("18700"))) == [("127.0.0.1", "18700")]
        options = town.client.networks.get("bridge").attrs["Options"]
        assert options["com.docker.network.bridge.host_binding_ipv4"] == "127.0.0.1"
        assert options["com.docker.network.bridge.name"].startswith("br-")
