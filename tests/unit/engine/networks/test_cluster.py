"""Overlay networks over several engines: parts of subnets, and lines that only peers can say."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.networks.cluster import (
    Underlay,
    own_part,
    read_said,
    read_underlay,
    sign,
    verify,
    vxlan_id_of,
)
from engine.networks.model import IpamConfig
from networking.ipam import AddressError


@given(st.integers(1, 9), st.sampled_from(["10.50.0.0/16", "10.50.0.0/24", "fd50::/64"]))
def test_the_parts_of_all_engines_lie_apart_and_their_gateways_too(size: int, subnet: str) -> None:
    everyone = [f"192.0.2.{n}" for n in range(1, size + 1)]
    parts, gateways = [], set()
    for address in everyone:
        peers = tuple(other for other in everyone if other != address)
        config = own_part(IpamConfig(subnet), Underlay(address, peers, b"k"))
        part = ip_network(config.ip_range)
        assert ip_network(subnet).version == part.version
        assert part[0] in ip_network(subnet)
        assert part[-1] in ip_network(subnet)
        assert not any(part.overlaps(other) for other in parts)
        assert ip_address(config.gateway) in part
        parts.append(part)
        gateways.add(config.gateway)
    assert len(gateways) == size


def test_a_subnet_that_is_too_small_is_refused_and_a_range_is_respected() -> None:
    underlay = Underlay("192.0.2.1", ("192.0.2.2", "192.0.2.3"), b"k")
    with pytest.raises(AddressError, match="too small for 3 engines"):
        own_part(IpamConfig("10.0.0.0/29"), underlay)
    asked = IpamConfig("10.0.0.0/24", ip_range="10.0.0.64/26")
    assert own_part(asked, underlay) == asked


def test_only_what_is_signed_counts() -> None:
    line = sign(b"key", {"number": 1, "members": []})
    assert verify(b"key", line) == {"number": 1, "members": []}
    assert verify(b"other", line) is None
    assert verify(b"key", line.replace(b"1", b"2", 1)) is None
    assert verify(b"key", b"") is None
    assert verify(b"key", b"nonsense\n") is None


def test_options_are_complete_or_refused() -> None:
    assert read_underlay("", [], "") is None
    found = read_underlay("192.0.2.1", ["192.0.2.2"], "k")
    assert found == Underlay("192.0.2.1", ("192.0.2.2",), b"k")
    for wrong in (
        ("192.0.2.1", [], "k"), ("", ["192.0.2.1"], "k"), ("192.0.2.1", ["192.0.2.2"], ""),
        ("x", ["192.0.2.2"], "k"), ("192.0.2.1", ["192.0.2.1"], "k"),
    ):  # fmt: skip
        with pytest.raises(EngineError):
            read_underlay(*wrong)


def test_every_engine_finds_the_same_vxlan_id() -> None:
    assert vxlan_id_of("front") == vxlan_id_of("front") != vxlan_id_of("back")
    assert 4096 <= vxlan_id_of("front") < 1 << 24


@pytest.mark.parametrize(
    "document",
    [{}, {"number": 1}, {"number": None, "members": []}, {"number": 1, "members": None}, {"number": 1, "members": [{}]},
     {"number": 1, "members": ["x"]}, {"number": "x", "members": []}],
)  # fmt: skip
def test_a_peer_of_another_version_talks_nonsense_and_ends_nothing(
    document: dict[str, object],
) -> None:
    with pytest.raises(ValueError, match="another version|invalid literal"):
        read_said(document)
    assert read_said({"number": 7, "members": []}) == (7, [])
