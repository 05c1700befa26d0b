"""Networks over the API: made, listed, inspected, refused, removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import docker.errors
import pytest

from networking.linux import nft
from tests.integration.engine.networks.town import Town

pytestmark = pytest.mark.root


def refusal(call, *arguments, **more) -> tuple[int, str]:
    with pytest.raises(docker.errors.APIError) as caught:
        call(*arguments, **more)
    return caught.value.status_code, caught.value.explanation


def test_a_network_is_as_it_was_asked_for(town: Town) -> None:
    made = town.network(
        "n1", Labels={"a": "b"}, Internal=True, Attachable=True, EnableIPv6=True,
        Options={"com.docker.network.bridge.name": "br-n1", "com.docker.network.driver.mtu": "1400"},
        IPAM={
            "Driver": "default", "Options": {"x": "y"},
            "Config": [
                {"Subnet": "10.104.200.0/24", "IPRange": "10.104.200.128/25",
                 "Gateway": "10.104.200.254", "AuxiliaryAddresses": {"router": "10.104.200.129"}},
                {"Subnet": "fd12::/64"},
            ],
        },
    )  # fmt: skip
    document = made.attrs
    assert (document["Driver"], document["Scope"]) == ("bridge", "local")
    assert (document["Internal"], document["Attachable"]) == (True, True)
    assert (document["EnableIPv4"], document["EnableIPv6"]) == (True, True)
    assert document["Labels"] == {"a": "b"}
    assert document["IPAM"]["Options"] == {"x": "y"}
    assert document["IPAM"]["Config"] == [
        {"Subnet": "10.104.200.0/24", "IPRange": "10.104.200.128/25",
         "Gateway": "10.104.200.254", "AuxiliaryAddresses": {"router": "10.104.200.129"}},
        {"Subnet": "fd12::/64", "Gateway": "fd12::1"},
    ]  # fmt: skip
    link = town.host.links()["br-n1"]
    assert link.mtu == 1400
    box = town.run("aa", "n1")
    end = box.inspect()["NetworkSettings"]["Networks"]["n1"]
    assert end["IPAddress"] == "10.104.200.128"
    assert end["GlobalIPv6Address"] == "fd12::2"
    assert end["GlobalIPv6PrefixLen"] == 64
    assert (end["Gateway"], end["IPv6Gateway"]) == ("", "")
    second = town.run("bb", "n1")
    assert second.address("n1") == "10.104.200.130"  # 129 is the router's
    made.reload()
    assert {c["Name"]: c["IPv4Address"] for c in made.attrs["Containers"].values()} == {
        "aa": "10.104.200.128/24",
        "bb": "10.104.200.130/24",
    }


def test_pools_give_subnets_that_nobody_has(town: Town) -> None:
    town.host.run("ip", "link", "add", "vpn0", "type", "bridge")
    town.host.run("ip", "addr", "add", "10.104.1.1/24", "dev", "vpn0")
    town.host.run("ip", "link", "set", "vpn0", "up")
    try:
        subnets = [town.network(f"p{n}").attrs["IPAM"]["Config"][0]["Subnet"] for n in range(3)]
        assert "10.104.1.0/24" not in subnets
        assert len(set(subnets)) == 3
        made = town.network("asked", "10.104.1.0/25")
        assert "overlaps 10.104.1.0/24 (route of vpn0)" in made.warning
    finally:
        town.host.run("ip", "link", "del", "vpn0")


def test_a_vpn_that_takes_all_traffic_leaves_room(town: Town) -> None:
    everywhere = ("0.0.0.0/1", "128.0.0.0/1", "::/3", "2000::/4", "3000::/4", "fc00::/7")
    town.host.run("ip", "link", "add", "vpn0", "type", "bridge")
    town.host.run("ip", "link", "set", "vpn0", "up")
    try:
        for route in everywhere:
            family = "-6" if ":" in route else "-4"
            town.host.run("ip", family, "route", "add", route, "dev", "vpn0")
        config = town.network("net", EnableIPv6=True).attrs["IPAM"]["Config"]
        assert config[0]["Subnet"].startswith("10.104.")
        assert config[1]["Subnet"].startswith("fd")
        assert town.network("asked", "10.104.77.0/24").warning == ""
    finally:
        town.host.run("ip", "link", "del", "vpn0")


def test_ipv6_without_a_subnet_gets_one_of_the_engines_own(town: Town) -> None:
    config = town.network("six", EnableIPv6=True).attrs["IPAM"]["Config"]
    assert config[1]["Subnet"].startswith("fd")
    assert config[1]["Subnet"].endswith("/64")
    again = town.network("six2", EnableIPv6=True).attrs["IPAM"]["Config"]
    assert again[1]["Subnet"] != config[1]["Subnet"]
    assert again[1]["Subnet"][:9] == config[1]["Subnet"][:9]


def test_an_ipv6_only_network(town: Town) -> None:
    town.network("six", EnableIPv4=False, EnableIPv6=True)
    a, b = town.run("aa", "six"), town.run("bb", "six")
    assert a.address("six") == ""
    address = b.address("six", "GlobalIPv6Address")
    assert a.ask("bb") == []
    assert a.ask("bb", "AAAA") == [address]
    server = b.site.listen("::", 80)
    b.site.wait_heard(f"{address}/64")
    assert a.site.reaches(address, 80, timeout=2)
    assert server


def test_a_configuration_network_is_a_pattern_for_others(town: Town) -> None:
    pattern = town.network(
        "pattern", "10.104.212.0/24", ConfigOnly=True,
        Options={"com.docker.network.driver.mtu": "1400"},
    )  # fmt: skip
    assert (pattern.attrs["ConfigOnly"], pattern.attrs["Driver"]) == (True, "null")
    made = town.network("made", ConfigFrom={"Network": "pattern"}, Internal=True)
    try:
        assert made.attrs["ConfigFrom"] == {"Network": "pattern"}
        assert made.attrs["IPAM"]["Config"][0]["Subnet"] == "10.104.212.0/24"
        assert town.run("aa", "made").address("made") == "10.104.212.2"
        assert town.host.links()[f"br-{made.id[:12]}"].mtu == 1400
        box = town.run("bb")
        assert refusal(pattern.connect, box.container)[0] == 403
        assert refusal(pattern.remove) == (403, "configuration network 'pattern' is in use")
        assert "pattern" not in (town.client.networks.prune()["NetworksDeleted"] or [])
    finally:
        for box in town.boxes:
            box.container.remove(force=True)
        made.remove()
        pattern.remove()


def test_several_subnets_of_a_family(town: Town) -> None:
    town.network("many", "10.104.210.0/30", "10.104.211.0/24")
    first, second = town.run("aa", "many"), town.run("bb", "many")
    assert first.address("many") == "10.104.210.2"
    assert second.address("many") == "10.104.211.2"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"Driver": "ipvlan"}, 501, "network driver 'ipvlan' is not supported"),
        ({"Driver": "weave"}, 404, "could not find plugin weave"),
        ({"Driver": "host"}, 403, "only one instance of 'host'"),
        ({"Name": "default"}, 403, "not permitted on predefined default network"),
        ({"Name": "bridge"}, 403, "not permitted on predefined bridge network"),
        ({"Name": 7}, 400, "Name must be a string"),
        ({"Scope": "swarm"}, 403, "cannot create a network of scope swarm"),
        ({"Driver": "macvlan"}, 400, "needs the host link"),
        ({"Driver": "macvlan", "Options": {"parent": "nope0"}}, 404, "nope0, which is no link"),
        ({"Ingress": True}, 501, "ingress networks belong to a swarm"),
        ({"ConfigOnly": True, "Internal": True}, 403, "cannot be internal"),
        ({"ConfigFrom": {"Network": "nope"}}, 404, "configuration network 'nope' not found"),
        ({"ConfigFrom": {"Network": "bridge"}}, 404, "bridge is not a configuration network"),
        ({"ConfigFrom": {"Network": "x"}, "EnableIPv6": True}, 403, "leave its subnets"),
        ({"IPAM": {"Driver": "dhcp"}}, 404, 'plugin "dhcp" not found'),
        ({"EnableIPv4": False}, 400, "IPv4 or IPv6 must be enabled"),
        ({"Options": {"com.docker.network.bridge.enable_icc": "maybe"}}, 400, "'maybe'"),
        ({"Options": {"com.docker.network.driver.mtu": "12"}}, 400, "68 to 65535"),
        ({"Options": {"com.docker.network.bridge.name": "a/b"}}, 400, "invalid link name"),
        ({"Options": {"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}}, 400,
         "only be used on an internal network"),
        ({"Options": {"com.docker.network.host_ipv4": "1.2.3.4"}}, 501, "host_ipv4"),
        ({"Driver": "overlay", "Options": {"encrypted": ""}}, 501, "encrypted overlay"),
        ({"IPAM": {"Config": [{"Subnet": "10.104.9.1/24"}]}}, 400, "it should be 10.104.9.0/24"),
        ({"IPAM": {"Config": [{"Subnet": "fd00::/64"}]}}, 400, "needs enable_ipv6"),
        ({"IPAM": {"Config": [{"Gateway": "10.104.9.1"}]}}, 400, "needs the subnet"),
        ({"IPAM": {"Config": [{"Subnet": "10.104.9.0/24", "Gateway": "10.9.0.1"}]}}, 400,
         "lies outside of 10.104.9.0/24"),
        ({"IPAM": {"Config": [{"Subnet": "10.104.9.0/24"}, {"Subnet": "10.104.9.0/25"}]}}, 403,
         "another subnet of the same network"),
        ({"IPAM": ["x"]}, 400, "IPAM must be an object"),
        ({"Labels": "x"}, 400, "Labels must be an object"),
        ({"Name": "two words"}, 400, "invalid network name"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(town: Town, body, status: int, words: str) -> None:
    api = town.client.api

    def create() -> None:
        document = {"Name": "refused", **body}
        api._result(api._post_json(api._url("/networks/create"), document), json=True)

    found, explanation = refusal(create)
    assert words in explanation
    assert found == status
    assert [n.name for n in town.client.networks.list()] == ["bridge", "host", "none"]


def test_an_unknown_option_is_warned_of(town: Town) -> None:
    made = town.network("warned", Options={"com.example.colour": "blue"})
    assert "com.example.colour is unknown" in made.warning


def test_overlaps_names_in_use_and_networks_in_use_are_refused(town: Town) -> None:
    first = town.network("first", "10.104.220.0/24")
    status, words = refusal(town.network, "second", "10.104.220.128/25")
    assert (status, "network first" in words) == (403, True)
    status, words = refusal(town.network, "first")
    assert (status, "already exists" in words) == (409, True)
    town.run("user", "first")
    status, words = refusal(first.remove)
    assert (status, "has active endpoints" in words, "user" in words) == (403, True, True)
    status, words = refusal(town.client.networks.get("bridge").remove)
    assert (status, "pre-defined" in words) == (403, True)


def test_filters_of_the_list_and_prune(town: Town) -> None:
    town.network("one", Labels={"kind": "a"})
    town.network("two", Labels={"kind": "b"})
    town.run("user", "two")
    listed = town.client.networks.list

    def names(**filters) -> list[str]:
        return sorted(n.name for n in listed(filters=filters))

    assert names(label="kind") == ["one", "two"]
    assert names(label="kind=a") == ["one"]
    assert names(driver="null") == ["none"]
    assert names(type="builtin") == ["bridge", "host", "none"]
    assert names(type="custom") == ["one", "two"]
    assert names(dangling=True) == ["one"]
    assert names(name="wo") == ["two"]
    assert names(scope="swarm") == []
    assert names(id=town.client.networks.get("one").id[:5]) == ["one"]
    assert refusal(listed, filters={"colour": "blue"})[0] == 400
    prune = town.client.networks.prune
    assert prune({"label": ["kind=b"]})["NetworksDeleted"] in (None, [])
    assert prune({"until": ["24h"]})["NetworksDeleted"] in (None, [])
    assert prune({"label!": ["kind=b"]})["NetworksDeleted"] == ["one"]
    assert refusal(prune, {"driver": ["bridge"]})[0] == 400


def test_an_existing_bridge_is_used_and_stays(town: Town) -> None:
    town.host.run("ip", "link", "add", "mybr", "type", "bridge")
    try:
        options = {"com.docker.network.bridge.name": "mybr"}
        made = town.network("onmine", "10.104.230.0/24", Options=options)
        box = town.run("aa", "onmine")
        assert town.host.links()[_veth(town, box)].master == town.host.links()["mybr"].index
        box.container.remove(force=True)
        made.remove()
        assert "mybr" in town.host.links()
    finally:
        town.host.run("ip", "link", "del", "mybr")


def _veth(town: Town, box) -> str:
    links = town.host.links().values()
    return next(link.name for link in links if link.name.startswith("ve"))


def test_macvlan_containers_are_on_the_wire(town: Town) -> None:
    town.host.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    for end in ("lan0", "lan1"):
        town.host.run("ip", "link", "set", end, "up")
    try:
        town.network("wire", "192.0.2.0/24", Driver="macvlan", Options={"parent": "lan0"})
        a, b = town.run("aa", "wire"), town.run("bb", "wire")
        server = b.site.listen("0.0.0.0", 80)
        assert a.ask("bb") == [b.address("wire")]
        assert a.site.reaches(b.address("wire"), 80, timeout=2)
        assert "default via 192.0.2.1" in a.site.run("ip", "route")
        assert server
    finally:
        town.clear()
        town.host.run("ip", "link", "del", "lan0")


def test_the_host_is_left_alone_while_nobody_needs_it(town: Town) -> None:
    def left() -> list[str]:
        with town.host.entered():
            tables = [name for _, name in nft.tables()]
        return tables + [name for name in town.host.links() if name.startswith(("br-", "ve"))]

    town.network("passing")
    assert left()
    town.client.api.remove_network("passing")
    assert left() == []
    on_default = town.run("first")
    assert on_default.address("bridge")
    town.network("again")
    town.client.api.remove_network("again")
    assert left()
    on_default.container.remove(force=True)
    town.kill_engine()
    assert left() == []


def test_the_default_bridge_comes_with_the_first_container_that_joins_it(town: Town) -> None:
    default = town.client.networks.get("bridge")
    link = f"br-{default.id[:12]}"
    net = town.network("own")
    on_own = town.run("apart", "own")
    assert link not in town.host.links()
    assert [n.name for n in town.client.networks.list(names=["bridge"])] == ["bridge"]
    assert default.attrs["IPAM"]["Config"][0]["Gateway"]
    first = town.run("first")
    assert link in town.host.links()
    gateway = town.host.listen(default.attrs["IPAM"]["Config"][0]["Gateway"], 80)
    first.site.connect(default.attrs["IPAM"]["Config"][0]["Gateway"], 80).close()
    gateway.close()
    town.kill_engine()
    assert link in town.host.links()
    second = town.run("second")
    assert (
        second.site.reaches(first.address("bridge"), 1) is False
    )  # nobody listens, but it is there
    for box in (first, second):
        box.container.remove(force=True)
    town.client.networks.get("bridge").connect(on_own.container)
    assert "eth1" in on_own.site.links()
    on_own.container.remove(force=True)
    net.remove()
    assert link not in town.host.links()


def test_an_engine_takes_over_from_an_older_version_and_from_dead_ones(town: Town) -> None:
    town.network("net")
    box, client = town.run("first", "net", host_config=published(8123)), town.run("second", "net")
    link = town.client.networks.get("net").id[:12]
    dead = "pycompose-0123456789ab"

    def meanwhile() -> None:
        """The table has another layout; a third engine has lost its root, and left a bridge."""
        town.host.run("ip", "link", "add", "br-dead", "type", "bridge")
        town.host.run("ip", "link", "set", "br-dead", "alias", dead)
        with town.host.entered():
            (own,) = {name for _, name in nft.tables()}
            tables = [nft.table(family, own) for family in (nft.INET, nft.BRIDGE)]
            deleted = [nft.table(family, own, delete=True) for family in (nft.INET, nft.BRIDGE)]
            old = nft.make_set(nft.INET, own, nft.SetShape("bridges", 7, 4), 1)
            nft.apply_batch([*deleted, *tables, old])

    town.kill_engine(meanwhile)
    assert "br-dead" not in town.host.links()
    assert f"br-{link}" in town.host.links()
    server = box.site.listen("0.0.0.0", 80)
    assert town.host.reaches("127.0.0.1", 8123, timeout=2)
    assert client.site.reaches(box.address("net"), 80, timeout=2)
    town.network("more")
    assert town.run("third", "more").address("more")
    assert server


def published(port: int) -> dict[str, object]:
    return {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": str(port)}]}}


def test_networks_made_at_once_have_subnets_of_their_own(town: Town) -> None:
    names = [f"crowd{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(town.network, names))
    shown = [town.client.api.inspect_network(name) for name in names]
    assert len({one["IPAM"]["Config"][0]["Subnet"] for one in shown}) == len(names)


def test_a_host_whose_firewall_drops_what_it_forwards_is_warned_of(town: Town) -> None:
    from networking.linux import nft

    chain = nft.chain(nft.IPV4, "filter", "FORWARD", "filter", 2, 0)
    chain = nft.Message(chain.kind, chain.family, chain.body + nft.be32(5, 0), chain.flags)
    with town.host.entered():
        nft.apply_batch([nft.table(nft.IPV4, "filter"), chain])
    try:
        made = town.network("net")
        assert "table ip filter, chain FORWARD) drops forwarded packets" in made.warning
        assert town.network("inner", Internal=True).warning == ""
    finally:
        with town.host.entered():
            nft.apply_batch([nft.table(nft.IPV4, "filter", delete=True)])
