"""Driver options and endpoint options: Docker's words in, values or a named refusal out."""

from __future__ import annotations

import pytest

from engine.errors import EngineError, InvalidRequestError, NotSupportedError
from engine.networks.model import IpamConfig, NetworkRequest
from engine.networks.options import (
    check_request,
    endpoint_interface,
    endpoint_sysctls,
    read_options,
)

BRIDGE = "com.docker.network.bridge."


def test_options_are_read_as_docker_means_them() -> None:
    plain = read_options({})
    assert (plain.icc, plain.masquerade, plain.mtu, plain.gateway_mode(4)) == (True, True, 0, "nat")
    full = read_options(
        {
            f"{BRIDGE}name": "br-x", f"{BRIDGE}enable_icc": "f", f"{BRIDGE}enable_ip_masquerade": "0",
            "com.docker.network.driver.mtu": "9000", f"{BRIDGE}host_binding_ipv4": "127.0.0.1",
            f"{BRIDGE}gateway_mode_ipv4": "routed", f"{BRIDGE}gateway_mode_ipv6": "nat-unprotected",
            f"{BRIDGE}inhibit_ipv4": "T", "com.docker.network.container_iface_prefix": "lan",
            "parent": "eth0.7", "macvlan_mode": "vepa", "encrypted": "",
            "com.docker.network.driver.overlay.vxlanid_list": "77",
        }
    )  # fmt: skip
    assert (full.link, full.icc, full.masquerade, full.mtu) == ("br-x", False, False, 9000)
    assert (full.gateway_mode(4), full.gateway_mode(6)) == ("routed", "nat-unprotected")
    assert (full.inhibit_ipv4, full.prefix, full.host_binding) == (True, "lan", "127.0.0.1")
    assert (full.parent, full.macvlan_mode, full.vxlan_id) == ("eth0.7", "vepa", 77)
    assert full.encrypted


@pytest.mark.parametrize(
    "options",
    [
        {f"{BRIDGE}name": "sixteen-letters-x"}, {f"{BRIDGE}name": "-x"}, {f"{BRIDGE}name": "a b"},
        {f"{BRIDGE}enable_icc": "yes"}, {"com.docker.network.driver.mtu": "-1"},
        {"com.docker.network.driver.mtu": "²"}, {f"{BRIDGE}host_binding_ipv4": "localhost"},
        {f"{BRIDGE}gateway_mode_ipv6": "open"}, {"macvlan_mode": "passthrough"},
    ],
)  # fmt: skip
def test_wrong_values_are_named(options: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_options(options)
    assert next(iter(options)) in str(caught.value) or "macvlan_mode" in str(caught.value)


def test_requests_are_checked_whole() -> None:
    check_request(
        NetworkRequest("n", options={f"{BRIDGE}gateway_mode_ipv4": "isolated"}, internal=True)
    )
    assert check_request(NetworkRequest("n", options={"parent": "x"})) == (
        "the bridge network option parent is unknown and has no effect",
    )
    for request in (
        NetworkRequest(""), NetworkRequest("a/b"), NetworkRequest("n", driver="ipvlan"),
        NetworkRequest("n", driver="macvlan"), NetworkRequest("n", ipam_driver="null"),
        NetworkRequest("n", ipam=(IpamConfig("fd00::/64"),)),
        NetworkRequest("n", options={"com.docker.network.host_ipv6": "::1"}),
    ):  # fmt: skip
        with pytest.raises(EngineError):
            check_request(request)
    with pytest.raises(NotSupportedError, match="use macvlan"):
        check_request(NetworkRequest("n", driver="ipvlan"))


def test_endpoint_options() -> None:
    key = "com.docker.network.endpoint.sysctls"
    text = "net.ipv4.conf.IFNAME.log_martians=1, net.ipv6.conf.IFNAME.accept_ra=2"
    assert endpoint_sysctls({key: text}, "eth0.7") == {
        "net.ipv4.conf.eth0.7.log_martians": "1",
        "net.ipv6.conf.eth0.7.accept_ra": "2",
    }
    assert endpoint_sysctls({}, "eth0") == {}
    for wrong in (
        "net.ipv4.ip_forward=1",
        "net.ipv4.conf.eth0.x=1",
        "x",
        "net.ipv4.conf.IFNAME.a/b=1",
    ):
        with pytest.raises(InvalidRequestError, match="invalid sysctl"):
            endpoint_sysctls({key: wrong}, "eth0")
    assert endpoint_interface({"com.docker.network.endpoint.ifname": "lan0"}) == "lan0"
    with pytest.raises(InvalidRequestError):
        endpoint_interface({"com.docker.network.endpoint.ifname": "a/b"})
