"""Trees, Graphviz, Mermaid and SVG of one project each."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from compose.drawing import dot, mermaid
from compose.drawing.dependency_svg import dependency_svg
from compose.drawing.model import (
    Dependencies,
    Edge,
    MountLine,
    NetworkMap,
    NetworkNode,
    ServiceCard,
    ServiceNode,
)
from compose.drawing.network_svg import network_svg
from compose.drawing.network_text import network_text
from compose.drawing.text_tree import tree
from compose.operations.graphing import map_of

PREFIX = "com.docker.compose."
GRAPH = Dependencies(
    "shop",
    (
        ServiceNode("api", built=True),
        ServiceNode("db", "postgres:16"),
        ServiceNode("debug", "busybox", profiles=("debug",), enabled=False),
        ServiceNode("migrate", "<tools>&co", replicas=2),
        ServiceNode("web", "nginx:1"),
    ),
    (
        Edge("api", "db", "service_healthy"),
        Edge("api", "migrate", "service_completed_successfully"),
        Edge("migrate", "db"),
        Edge("web", "api", restart=True, required=False),
        Edge("web", "gone", required=False),
    ),
)


def container(service: str, number: int = 1, **more: Any) -> dict[str, Any]:
    own = {PREFIX + "project": "shop", PREFIX + "service": service, PREFIX + "container-number": str(number), PREFIX + "project.working_dir": "/home/me/shop"}  # fmt: skip
    found = {
        "Id": f"{service}{number}", "Names": [f"/shop-{service}-{number}"], "Image": "busybox",
        "Labels": own, "State": "running", "Status": "Up 2 seconds",
    }  # fmt: skip
    return {**found, **more}


ITEMS = [
    container(
        "api", 1, Status="Up 1 second (unhealthy)",
        NetworkSettings={"Networks": {"shop_back": {"IPAddress": "10.1.0.2"}}},
        Mounts=[
            {"Type": "volume", "Name": "shop_data", "Destination": "/data", "RW": True},
            {"Type": "bind", "Source": "/home/me/shop/site", "Destination": "/site", "RW": False},
        ],
    ),
    container("api", 2, NetworkSettings={"Networks": {"shop_back": {"IPAddress": "10.1.0.3"}}}),
    container(
        "web",
        NetworkSettings={"Networks": {"shop_back": {"IPAddress": "10.1.0.4"}, "outer": {"IPAddress": "10.2.0.2"}}},
        Ports=[
            {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            {"PrivatePort": 90, "Type": "tcp"},
        ],
    ),
    container("side", HostConfig={"NetworkMode": "container:web1"}),
    container("probe", HostConfig={"NetworkMode": "host"}, NetworkSettings={"Networks": {"host": {}}}),
]  # fmt: skip
NETWORKS = [
    {"Name": "shop_back", "Driver": "bridge", "Internal": True, "Labels": {PREFIX + "project": "shop", PREFIX + "network": "back"}, "IPAM": {"Config": [{"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1"}]}},
    {"Name": "outer", "Driver": "bridge", "Labels": {}},
    {"Name": "another", "Driver": "bridge", "Labels": {}},
]  # fmt: skip


def test_the_tree() -> None:
    assert tree(GRAPH).splitlines() == [
        "shop",
        "├── debug  [busybox, profile debug]",
        "└── web  [nginx:1]",
        "    ├── api  [built]  (started, restart, optional)",
        "    │   ├── db  [postgres:16]  (healthy)",
        "    │   └── migrate  [<tools>&co, 2 replicas]  (completed)",
        "    │       └── db  [postgres:16]  (started)",
        "    └── gone (not in the project)  (started, optional)",
    ]


def test_what_was_unfolded_is_not_unfolded_again() -> None:
    nodes = tuple(map(ServiceNode, ("a", "b", "c", "d")))
    graph = Dependencies("p", nodes, (Edge("a", "c"), Edge("b", "c"), Edge("c", "d")))
    assert tree(graph).count(" d ") == 1
    assert tree(graph).splitlines()[-1] == "    └── c  (started)  see above"


def test_the_map_of_a_running_project() -> None:
    picture = map_of("shop", ITEMS, NETWORKS)
    assert [(one.key, one.internal, one.external) for one in picture.networks] == [
        ("outer", False, True),
        ("back", True, False),
    ]
    cards = {card.name: card for card in picture.services}
    assert cards["api"].state == "unhealthy"
    assert [one.addresses["shop_back"] for one in cards["api"].containers] == [("10.1.0.2",), ("10.1.0.3",)]  # fmt: skip
    assert [(m.kind, m.name, m.read_only) for m in cards["api"].mounts] == [
        ("volume", "data", False), ("bind", "./site", True),
    ]  # fmt: skip
    assert cards["web"].ports == ("0.0.0.0:8080 → 80/tcp",)
    assert (cards["side"].mode, cards["probe"].mode) == ("the network of web", "the host's network")
    assert cards["probe"].networks == ()
    assert network_text(picture).splitlines()[-1] == "└── volume data  api:/data"


def test_both_families_of_a_network_are_in_every_picture() -> None:
    pools = [{"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1"}, {"Subnet": "fd00:1::/64"}]
    network = {"Name": "both", "Driver": "bridge", "Labels": {}, "IPAM": {"Config": pools}}
    ends = {"both": {"IPAddress": "10.1.0.2", "GlobalIPv6Address": "fd00:1::2"}}
    picture = map_of("shop", [container("web", NetworkSettings={"Networks": ends})], [network])
    for draw in (network_svg, dot.networks, mermaid.networks, network_text):
        said = draw(picture)
        assert all(one in said for one in ("10.1.0.2", "fd00:1::2", "fd00:1::/64")), said
    assert "<title>web-1: 10.1.0.2, fd00:1::2</title>" in network_svg(picture)


@pytest.mark.parametrize("name", ["dependencies", "networks"])
def test_the_svg_is_well_formed_and_tells_all(name: str) -> None:
    picture = map_of("shop", ITEMS, NETWORKS)
    text = dependency_svg(GRAPH) if name == "dependencies" else network_svg(picture)
    root = ET.fromstring(text.partition("\n")[2])
    said = {element.text for element in root.iter() if element.text}
    wanted = (
        {"api", "postgres:16", "healthy", "profile debug", "x2", "<tools>&co"}
        if name == "dependencies"
        else {"back", "outer", "10.1.0.4", "and 1 more", "0.0.0.0:8080 → 80/tcp", "data", "internal: no way out"} - {"and 1 more"}
    )  # fmt: skip
    assert wanted <= said, wanted - said
    box = [float(value) for value in root.attrib["viewBox"].split()]
    for element in root.iter():
        if element.tag.endswith("rect"):
            x, width = float(element.get("x", 0)), float(element.get("width", 0))
            assert x >= 0
            assert x + width <= box[2] + 0.1
            assert float(element.get("y", 0)) + float(element.get("height", 0)) <= box[3] + 0.1


def test_graphviz_and_mermaid() -> None:
    picture = map_of("shop", ITEMS, NETWORKS)
    text = dot.dependencies(GRAPH)
    assert '"api" -> "db" [label="healthy", style=bold];' in text
    assert '"migrate" [label="migrate\\n<tools>&co\\nx 2"];' in text
    assert '"web" -- "network shop_back" [label="10.1.0.4"];' in dot.networks(picture)
    text = mermaid.dependencies(GRAPH)
    assert 's0 ==>|"healthy"| s1' in text
    assert 's3("migrate<br/>#lt;tools#gt;#amp;co<br/>x 2")' in text
    text = mermaid.networks(picture)
    assert '|"10.1.0.2, 10.1.0.3"|' in text
    assert 'host --> |"0.0.0.0:8080 → 80/tcp"|' in text


def test_many_services_are_drawn_at_once() -> None:
    nodes = tuple(ServiceNode(f"s{number:03}") for number in range(100))
    edges = tuple(Edge(f"s{i:03}", f"s{i // 2:03}") for i in range(1, 100))
    assert dependency_svg(Dependencies("p", nodes, edges)).count("<rect") == 101


def test_many_services_on_networks_are_drawn_in_rows() -> None:
    networks = tuple(NetworkNode(f"p_n{number}", f"n{number}") for number in range(4))
    cards = tuple(
        ServiceCard(
            f"s{number:02}",
            networks=(f"p_n{number % 3}",),
            mounts=(MountLine("volume", f"v{number // 10}", "/v"),),
        )
        for number in range(20)
    )
    root = ET.fromstring(network_svg(NetworkMap("p", networks, cards)).partition("\n")[2])
    said = [element.text for element in root.iter() if element.text]
    assert all(card.name in said for card in cards)
    assert said.count("n3") == 1  # nobody is on it: it is told of once
    assert 1000 < float(root.attrib["width"]) < 2000
