"""Who answers to which name: endpoints as members of the DNS zone, containers' views of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.networks.gateways import gateway_endpoint
from networking.dns.zone import Member, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.networks.model import Endpoint, EndpointRequest, Network, Sandbox

#: What the host is called from inside, as under Docker Desktop and Podman.
HOST_NAMES = ("host.docker.internal", "gateway.docker.internal", "host.containers.internal")


def names_of(
    sandbox: Sandbox, request: EndpointRequest, *, default_bridge: bool
) -> tuple[str, ...]:
    """The names of a container on a network; on Docker's default bridge there are none."""
    if default_bridge:
        return ()
    given = (sandbox.name, *request.aliases, sandbox.container_id[:12], sandbox.hostname)
    return tuple(dict.fromkeys(filter(None, given)))


def member_of(endpoint: Endpoint, *, answering: bool = True) -> Member:
    """An endpoint in the zone."""
    return Member(
        id=endpoint.endpoint_id,
        network=endpoint.network_name,
        owner=endpoint.container_name,
        names=endpoint.dns_names,
        addresses=endpoint.addresses,
        answering=answering,
    )


def view_of(
    endpoints: Iterable[Endpoint], networks: Mapping[str, Network], servers: tuple[str, ...] = ()
) -> View:
    """What a container sees. It may ask the world if a network of it leads there.

    An internal network's containers must not talk to the world through their name server either.
    """
    endpoints = list(endpoints)
    gateways = []
    for version in (4, 6):
        door = gateway_endpoint(endpoints, version)
        if door is not None:
            gateways.append(door.gateway if version == 4 else door.gateway6)
    hosts = {name: tuple(gateways) for name in HOST_NAMES} if gateways else {}
    links = dict(split_link(link) for endpoint in endpoints for link in endpoint.links)
    return View(
        networks=tuple(endpoint.network_name for endpoint in endpoints),
        hosts=hosts,
        links=links,
        upstreams=servers,
        forward=any(not networks[e.network_id].internal for e in endpoints),
    )


def split_link(link: str) -> tuple[str, str]:
    """ "container:alias" -> (alias, container), in lower case; the alias is the name if there is none."""
    name, _, alias = link.lower().partition(":")
    name = name.removeprefix("/")
    return (alias or name).removeprefix("/"), name
