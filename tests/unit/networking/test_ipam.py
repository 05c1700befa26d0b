"""Addresses: nothing twice, nothing outside, and errors that name what is in the way."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networking.ipam import (
    DEFAULT_POOLS,
    AddressError,
    choose_subnet,
    lease,
    link_local_of,
    mac_for,
    make_subnet,
    overlapping,
    parse_mac,
    parse_pool,
    parse_subnet,
    unique_local_pool,
)

blocks4 = st.builds(
    lambda value, length: IPv4Network((value, length), strict=False),
    st.integers(0x0A_00_00_00, 0x0A_00_3F_FF), st.integers(18, 30),
)  # fmt: skip
small_subnets = st.one_of(
    st.builds(lambda n: IPv4Network((0x0A010000 + n * 16, 28)), st.integers(0, 100)),
    st.builds(lambda n: IPv6Network((0xFD << 120 | n << 64, 124)), st.integers(0, 100)),
)


@given(small_subnets, st.data())
def test_no_address_is_given_twice_nor_the_gateway_whatever_comes_and_goes(network, data) -> None:
    first, last = int(network[1]), int(network[-2])
    gateway = ip_address(data.draw(st.integers(first, last)))
    reserved = data.draw(st.sets(st.sampled_from(list(network.hosts())), max_size=3))
    subnet = make_subnet(network, str(gateway), "", [str(address) for address in reserved])
    used: set = set()
    last_given = None
    for release in data.draw(st.lists(st.booleans(), max_size=40)):
        if release and used:
            used.remove(data.draw(st.sampled_from(sorted(used))))
            continue
        try:
            address = lease(subnet, used, "", last_given)
        except AddressError:
            free = {*network.hosts()} - used - reserved - {gateway}
            assert not free
            continue
        assert address in network
        assert address not in used
        assert address != gateway
        assert address not in reserved
        assert address not in (network[0], *([network[-1]] if network.version == 4 else []))
        used.add(address)
        last_given = address


def test_an_address_that_was_given_back_is_not_the_next_one_given() -> None:
    subnet = make_subnet(IPv4Network("10.1.0.0/24"))
    first = lease(subnet, set())
    assert str(lease(subnet, set(), "", first)) == "10.1.0.3"


def test_a_range_is_all_that_endpoints_get() -> None:
    subnet = make_subnet(IPv4Network("10.1.0.0/16"), "", "10.1.5.0/30")
    used: set = set()
    for _ in range(4):
        used.add(lease(subnet, used))
    assert {str(address) for address in used} == {"10.1.5.0", "10.1.5.1", "10.1.5.2", "10.1.5.3"}
    with pytest.raises(AddressError, match=r"no address is left in 10\.1\.5\.0/30"):
        lease(subnet, used)
    assert str(lease(subnet, used, "10.1.9.9")) == "10.1.9.9"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("10.1.0.1", "already in use"),
        ("10.1.0.9", "already in use"),
        ("10.1.0.7", "already in use"),
        ("10.2.0.1", "no configured subnet contains"),
        ("10.1.0.0", "no configured subnet contains"),
        ("10.1.0.255", "no configured subnet contains"),
        ("fd00::1", "invalid IPv4 address"),
        ("ten", "invalid address"),
    ],
)
def test_a_wish_that_cannot_be_met_says_why(wanted: str, words: str) -> None:
    subnet = make_subnet(IPv4Network("10.1.0.0/24"), "", "", ["10.1.0.7"])
    with pytest.raises(AddressError, match=words):
        lease(subnet, {ip_address("10.1.0.9")}, wanted)


@given(st.lists(blocks4, max_size=12))
def test_the_subnet_chosen_is_the_first_that_overlaps_nothing(taken) -> None:
    pool = (IPv4Network("10.0.0.0/18"), 24)
    held = dict.fromkeys(taken, "somebody")
    free = [
        candidate
        for candidate in pool[0].subnets(new_prefix=24)
        if not any(candidate.overlaps(block) for block in taken)
    ]
    if free:
        assert choose_subnet([pool], held) == free[0]
    else:
        with pytest.raises(AddressError, match="all address pools are taken"):
            choose_subnet([pool], held)


def test_256_networks_fit_out_of_the_box_and_the_error_then_names_who_has_them() -> None:
    taken = {}
    for number in range(256):
        taken[choose_subnet(DEFAULT_POOLS, taken)] = f"network n{number}"
    assert len(taken) == 256
    with pytest.raises(AddressError) as caught:
        choose_subnet([(IPv4Network("10.201.0.0/24"), 24)], taken)
    assert "10.201.0.0/24 (network n0)" in str(caught.value)
    assert "--address-pool" in str(caught.value)


def test_ipv6_networks_come_from_a_unique_local_prefix_that_stays() -> None:
    pool = unique_local_pool("0123456789ab")
    assert pool == unique_local_pool("0123456789ab")
    assert pool != unique_local_pool("0123456789ac")
    assert pool[0].subnet_of(IPv6Network("fd00::/8"))
    first = choose_subnet([pool], {}, 6)
    second = choose_subnet([pool, *DEFAULT_POOLS], {first: "network a"}, 6)
    assert (first.prefixlen, second.prefixlen) == (64, 64)
    assert not first.overlaps(second)
    with pytest.raises(AddressError, match="no IPv6 address pool"):
        choose_subnet(DEFAULT_POOLS, {}, 6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("10.1.0.0/31",), "too small"),
        (("10.1.0.0/24", "10.2.0.1"), "gateway 10.2.0.1 lies outside"),
        (("10.1.0.0/24", "10.1.0.0"), "first or last address"),
        (("10.1.0.0/24", "", "10.1.0.0/16"), "range 10.1.0.0/16 lies outside"),
        (("10.1.0.0/24", "", "", ["10.9.0.1"]), "auxiliary address 10.9.0.1"),
        (("10.1.0.0/24", "x"), "x"),
    ],
)
def test_parts_outside_of_a_subnet_are_refused_by_name(arguments, words: str) -> None:
    network, *rest = arguments
    with pytest.raises(AddressError, match=words):
        make_subnet(ip_network(network), *rest)


def test_pools_are_read_in_all_their_forms() -> None:
    assert parse_pool("10.1.0.0/16") == (IPv4Network("10.1.0.0/16"), 24)
    assert parse_pool("10.1.0.0/16:26") == (IPv4Network("10.1.0.0/16"), 26)
    assert parse_pool("10.1.0.0/16,28") == (IPv4Network("10.1.0.0/16"), 28)
    assert parse_pool("fd00:1::/48") == (IPv6Network("fd00:1::/48"), 64)
    assert parse_pool("fd00:1::/48,72") == (IPv6Network("fd00:1::/48"), 72)
    for wrong in ("10.1.0.0/16:8", "10.1.0.0/16:31", "x", "10.1.0.1/16", "10.1.0.0/16:x"):
        with pytest.raises(AddressError):
            parse_pool(wrong)
    with pytest.raises(AddressError, match="invalid subnet 10.1.0.1/16"):
        parse_subnet("10.1.0.1/16")


def test_overlaps_are_found_within_a_family() -> None:
    taken = {IPv4Network("10.0.0.0/8"): "route of wg0", IPv6Network("fd00::/8"): "network a"}
    assert overlapping(IPv4Network("10.3.0.0/24"), taken) == (
        IPv4Network("10.0.0.0/8"), "route of wg0",
    )  # fmt: skip
    assert overlapping(IPv6Network("fd01::/64"), taken) == (IPv6Network("fd00::/8"), "network a")
    assert overlapping(IPv4Network("192.168.0.0/24"), taken) is None


def test_mac_addresses() -> None:
    assert mac_for(ip_address("10.1.2.3")) == "02:42:0a:01:02:03"
    assert mac_for(ip_address("fd00::1:2")) == "02:42:00:01:00:02"
    assert parse_mac("02-42-AC-11-0-2") == "02:42:ac:11:00:02"
    assert str(link_local_of("02:42:ac:11:00:02")) == "fe80::42:acff:fe11:2"
    for wrong in ("", "02:42", "zz:42:ac:11:00:02", "03:42:ac:11:00:02", "00:00:00:00:00:00"):
        with pytest.raises(AddressError, match="invalid MAC address"):
            parse_mac(wrong)
