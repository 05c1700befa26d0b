"""network_mode container:...: who shares a namespace is never orphaned."""

from __future__ import annotations

import pytest

from tests.integration.engine.networks.test_ports import bind, serves
from tests.integration.engine.networks.town import Town

pytestmark = pytest.mark.root


def test_the_sharer_keeps_its_network_while_the_owner_restarts(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    second = town.network("second", "10.104.201.0/24")
    mate = town.run("mate", "net")
    owner = town.run(
        "owner", "net", host_config={**bind("18800"), "Sysctls": {"net.core.somaxconn": "77"}}
    )
    side = town.run("side", host_config={"NetworkMode": f"container:{owner.container.id}"})
    assert side.ask("mate") == ["10.104.200.2"]
    server = side.site.listen("0.0.0.0", 80)
    serves(town.host, "127.0.0.1", 18800, server)
    owner.container.kill()
    owner.container.wait()
    assert mate.ask("owner") == []  # it does not run
    serves(mate.site, "10.104.200.3", 80, server)  # but its namespace lives
    serves(town.host, "127.0.0.1", 18800, server)
    assert side.ask("mate") == ["10.104.200.2"]
    second.connect(owner.container)
    owner.container.start()
    again = town.box(owner.container)
    assert mate.ask("owner") == ["10.104.200.3"]
    assert again.address("second") == "10.104.201.2"
    assert "10.104.201.2" in side.site.run("ip", "addr")
    serves(again.site, "127.0.0.1", 80, server)  # the same namespace
    town.kill_engine()
    serves(town.host, "::1", 18800, server)
    owner.container.kill()
    owner.container.wait()
    town.kill_engine()
    assert mate.ask("owner") == []
    serves(town.host, "127.0.0.1", 18800, server)
    owner.container.start()
    assert mate.ask("owner") == ["10.104.200.3"]


def test_the_last_of_those_who_share_takes_the_network_along(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    owner = town.run("owner", "net")
    side = town.run("side", host_config={"NetworkMode": f"container:{owner.container.id}"})
    owner.container.kill()
    owner.container.wait()
    assert town.client.networks.get("net").attrs["Containers"]
    side.container.kill()
    side.container.wait()
    assert not town.client.networks.get("net").attrs["Containers"]


def test_an_owner_that_is_removed_frees_its_address(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    owner = town.run("owner", "net")
    side = town.run("side", host_config={"NetworkMode": f"container:{owner.container.id}"})
    owner.container.remove(force=True)
    assert not town.client.networks.get("net").attrs["Containers"]
    assert list(side.site.links()) == ["lo"]
    assert town.run("next", "net").address("net") == "10.104.200.3"
