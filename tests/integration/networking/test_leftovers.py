"""What dead engines have left goes, and nothing that anybody may still need."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from networking.linux import leftovers, nft
from tests.integration.networking.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root


@pytest.fixture
def other(lab: Lab) -> Iterator[Lab]:
    """Another engine on the same host."""
    made = Lab(lab.host)
    try:
        yield made
    finally:
        made.close()


def tables_of(lab: Lab) -> list[int]:
    """The families in which an engine has a table."""
    with lab.host.entered():
        return [family for family, name in nft.tables() if name == lab.table]


def test_a_dead_engines_bridges_and_tables_go_and_nobody_elses(lab: Lab, other: Lab) -> None:
    lab.network("br-mine", "10.1.0.1/24")
    other.network("br-dead", "10.2.0.1/24")
    lab.host.run("ip", "link", "add", "br-users", "type", "bridge")
    lab.host.run("ip", "link", "set", "br-users", "alias", "pycompose-is-great")
    with lab.host.entered():
        nft.apply_batch([nft.table(nft.INET, "users", comment="rules of a user")])
    other.die()
    assert lab.perform("begin") == ["br-dead", f"table {other.table}"]
    assert {"br-mine", "br-users"} <= set(lab.host.links())
    assert "br-dead" not in lab.host.links()
    assert tables_of(other) == []
    assert len(tables_of(lab)) == 2
    with lab.host.entered():
        assert (nft.INET, "users") in nft.tables()


def test_a_live_engines_are_left_alone(lab: Lab, other: Lab) -> None:
    other.network("br-live", "10.2.0.1/24")
    assert lab.perform("begin") == []
    assert "br-live" in lab.host.links()
    assert len(tables_of(other)) == 2


def test_what_a_container_of_a_dead_engine_uses_stays_until_it_ends(lab: Lab, other: Lab) -> None:
    used = other.network("br-used", "10.2.0.1/24")
    other.network("br-empty", "10.3.0.1/24")
    box = other.container(used, "10.2.0.2/24")
    server = lab.host.listen("10.2.0.1", 80)
    other.die()
    assert lab.perform("begin") == ["br-empty"]
    box.connect("10.2.0.1", 80).close()
    assert len(tables_of(other)) == 2
    lab.host.run("ip", "link", "del", box.endpoint["veth"])
    assert lab.perform("begin") == ["br-used", f"table {other.table}"]
    assert tables_of(other) == []
    assert server


def test_an_overlay_of_a_dead_engine_goes_with_its_vxlan_device(lab: Lab, other: Lab) -> None:
    vxlan = {"id": 4242, "local": "127.0.0.1", "peers": [], "port": 4789}
    other.network("br-over", "10.2.0.1/24", vxlan=vxlan, mtu=1430)
    before = set(lab.host.links())
    other.die()
    gone = lab.perform("begin")
    assert len(gone) == 3
    assert before - set(lab.host.links()) == {gone[0], "br-over"}
    assert gone[0].startswith("vx")


def test_a_bridge_without_any_rules_left_goes_too(lab: Lab, other: Lab) -> None:
    other.network("br-bare", "10.2.0.1/24")
    other.perform("close")  # as "nft flush ruleset" does
    other.die()
    assert lab.perform("begin") == ["br-bare"]


def test_an_engine_of_a_version_that_holds_no_name_is_left_alone(lab: Lab, other: Lab) -> None:
    other.network("br-old", "10.2.0.1/24")
    with lab.host.entered():
        nft.apply_batch(
            [nft.table(nft.INET, other.table, delete=True), nft.table(nft.INET, other.table)]
        )
    other.die()
    assert lab.perform("begin") == []
    assert "br-old" in lab.host.links()


def test_an_engine_waits_for_its_name_while_another_looks_through_its_things(lab: Lab) -> None:
    with lab.host.entered():
        held = leftovers.take_name("pycompose-0123456789ab")
        assert held is not None
        assert leftovers.take_name("pycompose-0123456789ab") is None
        with closing(held):
            timer = threading.Timer(0.05, held.close)
            timer.start()
            mine = leftovers.take_name("pycompose-0123456789ab", patience=3)
        timer.join()
    assert mine is not None
    mine.close()
