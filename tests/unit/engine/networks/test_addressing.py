"""Subnets and leases: whatever is asked in whatever order, nothing is given twice."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ForbiddenError, InvalidRequestError
from engine.networks.addressing import lease_addresses, plan_subnets, subnets_of
from engine.networks.model import EndpointRequest, IpamConfig, Network, NetworkRequest
from networking.ipam import parse_pool

POOLS = (parse_pool("10.1.0.0/24,26"), parse_pool("fd00:1::/48"))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=12))
def test_networks_never_overlap(wishes) -> None:
    held: dict = {}
    for number, (six, explicit) in enumerate(wishes):
        ipam = (IpamConfig(f"10.1.0.{explicit * 32}/27"),) if explicit else ()
        request = NetworkRequest(f"n{number}", enable_ipv6=six, ipam=ipam)
        try:
            plan = plan_subnets(request, POOLS, held, {})
        except (ForbiddenError, InvalidRequestError):
            continue
        assert [":" in config.subnet for config in plan.ipam] == [False, True][: 1 + six]
        for config in plan.ipam:
            block = ip_network(config.subnet)
            assert ip_address(config.gateway) in block
            assert not any(block.version == o.version and block.overlaps(o) for o in held)
            held[block] = f"network n{number}"


def test_what_is_taken_and_by_whom_is_in_the_error() -> None:
    routes = {
        ip_network("10.1.0.0/25"): "route of wg0",
        ip_network("10.1.0.128/25"): "route of eth1",
    }
    with pytest.raises(InvalidRequestError) as caught:
        plan_subnets(NetworkRequest("n"), POOLS, {}, routes)
    for words in ("10.1.0.0/25 (route of wg0)", "10.1.0.128/25 (route of eth1)", "--address-pool"):
        assert words in str(caught.value)
    held = {ip_network("10.1.0.0/26"): "network shop_default"}
    with pytest.raises(ForbiddenError, match=r"overlaps 10.1.0.0/26 \(network shop_default\)"):
        plan_subnets(NetworkRequest("n", ipam=(IpamConfig("10.1.0.0/24"),)), POOLS, held, {})


network = Network(
    "id", "net", "bridge", 0, enable_ipv6=True,
    ipam=(
        IpamConfig("10.1.0.0/29", "10.1.0.1", aux_addresses={"router": "10.1.0.3"}),
        IpamConfig("10.1.1.0/29", "10.1.1.6"), IpamConfig("fd00::/125", "fd00::1"),
    ),
)  # fmt: skip
wanted = st.sampled_from(["", "", "", "10.1.0.2", "10.1.0.3", "10.1.1.6", "10.1.1.3", "10.2.0.1"])


@given(st.lists(st.tuples(wanted, st.booleans()), max_size=30), st.data())
def test_no_address_is_leased_twice(wishes, data) -> None:
    subnets = subnets_of(network)
    used: set = set()
    last: dict = {}
    forbidden = {ip_address(a) for a in ("10.1.0.1", "10.1.0.3", "10.1.1.6", "fd00::1", "fd00::")}
    for wish, release in wishes:
        if release and used:
            used.remove(data.draw(st.sampled_from(sorted(used, key=str))))
        try:
            leases = lease_addresses(
                network, subnets, used, EndpointRequest("net", ipv4=wish), last
            )
        except ForbiddenError:
            assert ip_address(wish) in used | forbidden
            continue
        except InvalidRequestError:
            continue
        for version, one in leases.items():
            assert one.address.version == version
            assert one.address in one.subnet.network
            assert one.address not in used | forbidden
            used.add(one.address)
            last[version] = one.address
        assert not wish or str(leases[4].address) == wish
