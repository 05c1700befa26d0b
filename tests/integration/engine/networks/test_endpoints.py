"""Containers on networks: what an endpoint may ask for, connected and disconnected while they run."""

from __future__ import annotations

import os

import docker.errors
import pytest

from tests.integration.engine.networks.test_networks import refusal
from tests.integration.engine.networks.town import Town

pytestmark = pytest.mark.root


def test_addresses_mac_interface_and_sysctls_as_asked(town: Town) -> None:
    town.network("net", "10.104.200.0/24", "fd12::/64")
    box = town.run(
        "box", "net",
        endpoint={
            "IPAMConfig": {
                "IPv4Address": "10.104.200.77", "IPv6Address": "fd12::77",
                "LinkLocalIPs": ["169.254.9.9"],
            },
            "MacAddress": "02:42:AC:00:00:77", "Aliases": ["other-word"],
            "DriverOpts": {
                "com.docker.network.endpoint.ifname": "lan7",
                "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
            },
        },
    )  # fmt: skip
    end = box.inspect()["NetworkSettings"]["Networks"]["net"]
    assert (end["IPAddress"], end["GlobalIPv6Address"]) == ("10.104.200.77", "fd12::77")
    assert end["MacAddress"] == "02:42:ac:00:00:77"
    text = box.site.run("ip", "addr", "show", "lan7")
    for word in ("10.104.200.77/24", "fd12::77/64", "169.254.9.9/16", "02:42:ac:00:00:77"):
        assert word in text
    assert box.site.sysctl("ipv4/conf/lan7/log_martians") == "1"
    assert box.ask("other-word") == ["10.104.200.77"]
    assert set(end["DNSNames"]) >= {"box", "other-word", box.container.id[:12]}


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ({"IPAMConfig": {"IPv4Address": "10.9.9.9"}}, "no configured subnet contains"),
        ({"IPAMConfig": {"IPv4Address": "10.104.200.1"}}, "already in use"),
        ({"IPAMConfig": {"IPv4Address": "10.104.200.2"}}, "already in use"),
        ({"IPAMConfig": {"IPv6Address": "fd12::9"}}, "has no IPv6 subnet"),
        ({"IPAMConfig": {"IPv4Address": "x"}}, "invalid address"),
        ({"MacAddress": "xyz"}, "invalid MAC address"),
        ({"MacAddress": "02:42:0a:68:c8:02"}, "is in use on the network"),
        ({"DriverOpts": {"com.docker.network.endpoint.ifname": "a b"}}, "invalid link name"),
        ({"DriverOpts": {"com.docker.network.endpoint.sysctls": "kernel.x=1"}}, "invalid sysctl"),
        ({"DriverOpts": {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.nope=1"}},
         "cannot set the sysctl net.ipv4.conf.eth0.nope"),
    ],
)  # fmt: skip
def test_what_an_endpoint_cannot_have_is_said_and_nothing_is_left(
    town: Town, endpoint: dict, words: str
) -> None:
    town.network("net", "10.104.200.0/24")
    first = town.run("first", "net")
    before = set(town.host.links())
    with pytest.raises(docker.errors.APIError) as caught:
        town.run("second", "net", endpoint=endpoint)
    assert words in caught.value.explanation
    assert set(town.host.links()) == before
    assert first.ask("second") == []
    town.client.containers.get("second").remove(force=True)


def test_the_default_route_goes_by_the_highest_priority_then_by_name(town: Town) -> None:
    for number, name in enumerate(("net-a", "net-b", "net-c")):
        town.network(name, f"10.104.20{number}.0/24", Internal=name == "net-a")
    ends = {"net-c": {}, "net-b": {}, "net-a": {"GwPriority": 9}}
    box = town.run("box", endpoints=ends)
    assert "default via 10.104.201.1" in box.site.run("ip", "route")
    names = [e for e in box.site.links() if e != "lo"]
    assert sorted(names) == ["eth0", "eth1", "eth2"]
    assert "10.104.202.2" in box.site.run("ip", "addr", "show", "eth0")
    other = town.run("other", endpoints={"net-b": {}, "net-c": {"GwPriority": 1}})
    assert "default via 10.104.202.1" in other.site.run("ip", "route")


def test_connected_and_disconnected_while_it_runs(town: Town) -> None:
    one = town.network("one", "10.104.201.0/24")
    two = town.network("two", "10.104.202.0/24")
    box, mate = town.run("box", "one"), town.run("mate", "two")
    assert box.ask("mate") == []
    two.connect(box.container, aliases=["late"])
    assert box.ask("mate") == ["10.104.202.2"]
    assert mate.ask("late") == ["10.104.202.3"]
    server = mate.site.listen("0.0.0.0", 80)
    assert box.site.reaches("10.104.202.2", 80, timeout=2)
    assert "default via 10.104.201.1" in box.site.run("ip", "route")
    one.disconnect(box.container)
    assert "default via 10.104.202.1 dev eth1" in box.site.run("ip", "route")
    assert "eth0" not in box.site.links()
    one.connect(box.container)
    assert "10.104.201.3" in box.site.run("ip", "addr", "show", "eth0")
    assert server
    assert refusal(one.connect, box.container)[0] == 403
    one.disconnect(box.container)
    assert refusal(one.disconnect, box.container)[0] == 409
    one.disconnect(box.container, force=True)
    assert "two" in box.inspect()["NetworkSettings"]["Networks"]


def test_a_connection_that_fails_changes_nothing(town: Town) -> None:
    town.network("one", "10.104.201.0/24")
    two = town.network("two", "10.104.202.0/24")
    box = town.run("box", "one")
    with pytest.raises(docker.errors.APIError, match="no configured subnet"):
        two.connect(box.container, ipv4_address="10.9.9.9")
    assert list(box.inspect()["NetworkSettings"]["Networks"]) == ["one"]
    assert "default via 10.104.201.1" in box.site.run("ip", "route")


def test_a_stopped_container_comes_back_where_it_was_connected_meanwhile(town: Town) -> None:
    town.network("one", "10.104.201.0/24")
    two = town.network("two", "10.104.202.0/24")
    box = town.run("box", "one")
    box.container.stop(timeout=0)
    two.connect(box.container, ipv4_address="10.104.202.9")
    box.container.start()
    again = town.box(box.container)
    assert again.address("two") == "10.104.202.9"


def test_modes_none_and_host(town: Town) -> None:
    none = town.run("none", host_config={"NetworkMode": "none"})
    assert list(none.site.links()) == ["lo"]
    host = town.run("host", host_config={"NetworkMode": "host"})
    assert os.fstat(host.site.netns).st_ino == os.fstat(town.host.netns).st_ino
    with pytest.raises(docker.errors.APIError, match="cannot join networks"):
        town.network("one").connect(host.container)


def test_one_network_serves_several_projects(town: Town) -> None:
    town.network("shared", "10.104.201.0/24")
    for project in ("red", "blue"):
        config = {"Labels": {"com.docker.compose.project": project}}
        town.run(f"{project}-web-1", "shared", config=config, endpoint={"Aliases": ["web"]})
    red = town.client.containers.get("red-web-1")
    assert sorted(town.box(red).ask("web")) == ["10.104.201.2", "10.104.201.3"]


def test_hosts_file_has_all_addresses_and_host_gateway(town: Town) -> None:
    town.network("net", "10.104.200.0/24", "fd12::/64")
    box = town.run(
        "box", "net", config={"Hostname": "fine"},
        host_config={"ExtraHosts": ["up:host-gateway", "far:192.0.2.7", "six=[2001:db8::1]"]},
    )  # fmt: skip
    text = box.container.exec_run(["cat", "/etc/hosts"]).output.decode()
    lines = {tuple(line.split()) for line in text.splitlines()}
    assert {
        ("10.104.200.2", "fine"), ("fd12::2", "fine"), ("10.104.200.1", "up"),
        ("192.0.2.7", "far"), ("2001:db8::1", "six"),
    } <= lines  # fmt: skip
