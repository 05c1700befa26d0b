"""Default routes, and what of an endpoint's ports who carries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.networks.gateways import default_routes, free_interface, gateway_endpoint
from engine.networks.model import Endpoint, Network, PortBinding
from engine.networks.names import split_link, view_of
from engine.networks.options import DriverOptions
from engine.networks.orders import port_orders, relayed


def endpoint(name: str, four: str = "10.1.0.1", six: str = "", priority: int = 0) -> Endpoint:
    return Endpoint(
        network_id=name, network_name=name, endpoint_id=name, container_id="c",
        container_name="c", ipv4="10.1.0.2", prefix=24, gateway=four, mac="02:42:0a:01:00:02",
        interface=f"eth-{name}", veth="ve", ipv6="fd00::2" if six else "", prefix6=64,
        gateway6=six, gw_priority=priority,
    )  # fmt: skip


def test_the_gateway_is_the_highest_priority_then_both_families_then_the_name() -> None:
    plain, named = endpoint("bb"), endpoint("aa")
    assert gateway_endpoint([plain, named], 4) == named
    both = endpoint("zz", six="fd00::1")
    assert gateway_endpoint([plain, named, both], 4) == both
    high = endpoint("yy", priority=1)
    assert gateway_endpoint([plain, both, high], 4) == high
    assert default_routes([plain, both, high]) == {
        "4": ["eth-yy", "10.1.0.1"],
        "6": ["eth-zz", "fd00::1"],
    }
    assert default_routes([endpoint("in", four="")]) == {}


def test_interfaces_take_the_first_free_name() -> None:
    assert free_interface("eth", []) == "eth0"
    assert free_interface("eth", ["eth0", "lan", "eth2"]) == "eth1"


BOTH = replace(endpoint("n", six="fd00::1"))
FOUR = endpoint("n")


@pytest.mark.parametrize(
    ("end", "host", "mode", "through_input", "by_kernel", "by_relay"),
    [
        (FOUR, "0.0.0.0", "nat", False, True, False),
        (FOUR, "127.0.0.1", "nat", False, True, False),
        (FOUR, "::", "nat", False, False, True),
        (BOTH, "::", "nat", False, True, True),  # ::1 is the relay's
        (BOTH, "::1", "nat", False, False, True),
        (BOTH, "fd99::1", "nat", False, True, False),
        (FOUR, "0.0.0.0", "nat", True, False, True),
        (BOTH, "::", "nat", True, False, True),
        (FOUR, "0.0.0.0", "routed", False, True, False),
    ],
)
def test_who_carries_a_port(end, host, mode, through_input, by_kernel, by_relay) -> None:
    options = DriverOptions(gateway_mode4=mode)
    port = PortBinding(80, "tcp", host, 8080)
    end = replace(end, ports=(port,))
    assert bool(port_orders(end, options, through_input=through_input)) is by_kernel
    assert bool(relayed(end, options, port, through_input=through_input)) is by_relay
    sctp = replace(port, protocol="sctp")
    assert relayed(end, options, sctp, through_input=through_input) is None


def test_views_and_links() -> None:
    assert split_link("/db:Database") == ("database", "db")
    assert split_link("db") == ("db", "db")
    inner, outer = Network("in", "in", "bridge", 0, internal=True), Network("n", "n", "bridge", 0)
    view = view_of([endpoint("in", four=""), FOUR], {"in": inner, "n": outer})
    assert view.networks == ("in", "n")
    assert view.hosts["host.docker.internal"] == ("10.1.0.1",)
    assert view.forward
    alone = view_of([endpoint("in", four="")], {"in": inner})
    assert (alone.hosts, alone.forward) == ({}, False)
