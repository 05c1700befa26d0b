"""Which of a container's networks its default routes go by. Pure.

Docker's rule: the highest gw_priority, then a network with both families, then the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.networks.model import Endpoint


def gateway_of(endpoint: Endpoint, version: int) -> str:
    """An endpoint's gateway of a family, "" for none."""
    return endpoint.gateway if version == 4 else endpoint.gateway6


def gateway_endpoint(endpoints: Iterable[Endpoint], version: int) -> Endpoint | None:
    """The endpoint that a family's default route goes by; None if none has a gateway."""
    fitting = [endpoint for endpoint in endpoints if gateway_of(endpoint, version)]
    return min(
        fitting,
        key=lambda e: (-e.gw_priority, not (e.gateway and e.gateway6), e.network_name),
        default=None,
    )


def default_routes(endpoints: Iterable[Endpoint]) -> dict[str, list[str]]:
    """Family ("4", "6") -> [interface, gateway], for the network worker."""
    endpoints = list(endpoints)
    found = {}
    for version in (4, 6):
        chosen = gateway_endpoint(endpoints, version)
        if chosen is not None:
            found[str(version)] = [chosen.interface, gateway_of(chosen, version)]
    return found


def free_interface(prefix: str, taken: Iterable[str]) -> str:
    """The first free name: eth0, eth1 ..."""
    names = set(taken)
    return next(name for n in range(len(names) + 1) if (name := f"{prefix}{n}") not in names)
