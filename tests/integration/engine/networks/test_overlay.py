"""One overlay network over two engines, each on a host of its own, a wire between them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.engine.networks.test_networks import refusal
from tests.integration.engine.networks.town import Town, open_town
from tests.integration.networking.lab import Site, echo_once, new_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

SUBNET = "10.104.128.0/20"


@pytest.fixture(scope="module")
def two_towns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, Town]]:
    hosts = [Site(new_namespace(), name) for name in ("here", "there")]
    far = f"/proc/{os.getpid()}/fd/{hosts[1].netns}"
    hosts[0].run(
        "ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire0", "netns", far
    )
    for number, host in enumerate(hosts, start=1):
        host.run("ip", "addr", "add", f"192.0.2.{number}/24", "dev", "wire0")
        host.run("ip", "link", "set", "wire0", "up")

    def environ(own: int, other: int) -> dict[str, str]:
        return {
            "PYCOMPOSE_CLUSTER_ADDRESS": f"192.0.2.{own}",
            "PYCOMPOSE_CLUSTER_PEERS": f"192.0.2.{other}",
            "PYCOMPOSE_CLUSTER_KEY": "open sesame",
        }

    folder = tmp_path_factory.mktemp
    with (
        open_town(folder("here"), "10.104.0.0/20", hosts[0], **environ(1, 2)) as here,
        open_town(folder("there"), "10.104.16.0/20", hosts[1], **environ(2, 1)) as there,
    ):
        yield here, there


@pytest.fixture
def towns(two_towns: tuple[Town, Town]) -> Iterator[tuple[Town, Town]]:
    try:
        yield two_towns
    finally:
        for town in two_towns:
            town.clear()


def until(condition, patience: float = 5.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)  # another engine tells in its own time


def test_containers_of_two_engines_find_and_reach_each_other(towns: tuple[Town, Town]) -> None:
    here, there = towns
    for town in towns:
        town.network("span", SUBNET, Driver="overlay")
    web = here.run("web", "span", endpoint={"Aliases": ["site"]})
    box = there.run("box", "span")
    assert web.address("span") == "10.104.128.2"
    assert box.address("span") == "10.104.136.0"
    until(lambda: box.ask("web") == ["10.104.128.2"])
    assert box.ask("site") == ["10.104.128.2"]
    assert box.ask("2.128.104.10.in-addr.arpa", "PTR") == ["web.span."]
    server = web.site.listen("0.0.0.0", 80)
    box.site.connect("10.104.128.2", 80)
    assert echo_once(server)[0] == "10.104.136.0"
    assert web.site.links()["eth0"].mtu == 1430
    second = there.run("web-2", "span", endpoint={"Aliases": ["site"]})
    until(lambda: sorted(web.ask("site")) == ["10.104.128.2", "10.104.136.2"])
    second.container.kill()
    until(lambda: web.ask("site") == ["10.104.128.2"])
    # Its own gateway leads each out by its own host.
    assert "default via 10.104.136.1" in box.site.run("ip", "route")


def test_an_engine_that_is_killed_takes_nothing_along(towns: tuple[Town, Town]) -> None:
    here, there = towns
    for town in towns:
        town.network("span", SUBNET, Driver="overlay")
    web, box = here.run("web", "span"), there.run("box", "span")
    until(lambda: box.ask("web") == ["10.104.128.2"])
    server = web.site.listen("0.0.0.0", 80)
    here.kill_engine()
    assert box.ask("web") == ["10.104.128.2"]
    assert box.site.reaches("10.104.128.2", 80, timeout=2)
    here.run("late", "span")
    until(lambda: box.ask("late") == ["10.104.128.3"])
    assert server


def test_networks_that_only_one_has_stay_there(towns: tuple[Town, Town]) -> None:
    here, there = towns
    here.network("alone", "10.104.144.0/24", Driver="overlay")
    there.network("span", SUBNET, Driver="overlay")
    here.run("web", "alone")
    box = there.run("box", "span")
    time.sleep(0.2)  # as long as it would take
    assert box.ask("web") == []


def test_who_was_there_before_the_network_is_found_at_once(towns: tuple[Town, Town]) -> None:
    here, there = towns
    here.network("span", SUBNET, Driver="overlay")
    here.run("web", "span")
    here.network("other", "10.104.144.0/20", Driver="overlay")
    there.network("other", "10.104.144.0/20", Driver="overlay")
    here.run("sign", "other")
    sentry = there.run("sentry", "other")
    until(lambda: sentry.ask("sign") != [])  # so what was said of web has been heard as well
    there.network("span", SUBNET, Driver="overlay")
    box = there.run("box", "span")
    assert box.ask("web") == ["10.104.128.2"]


def test_what_an_overlay_needs_is_said(towns: tuple[Town, Town]) -> None:
    here, _ = towns
    status, words = refusal(here.network, "span", Driver="overlay")
    assert (status, "needs the same subnet on every engine" in words) == (400, True)
    status, words = refusal(
        here.network, "span", SUBNET, Driver="overlay", Options={"encrypted": "true"}
    )
    assert (status, "encrypted overlay" in words) == (501, True)
