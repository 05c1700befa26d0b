"""Whether a container may join a network, or leave it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ConflictError, ForbiddenError, InvalidRequestError

if TYPE_CHECKING:
    from engine.containers.model import Container, EndpointSettings


def check_join(container: Container, network: str, settings: EndpointSettings) -> None:
    """Raises InvalidRequestError, and ForbiddenError for one that is there and runs.

    One that does not run may be told anew how it shall be there.
    """
    mode = container.host_config.network_mode
    if mode in ("host", "none") or mode.startswith("container:"):
        raise InvalidRequestError(
            f"container {container.name} uses the network mode {mode} and cannot join networks"
        )
    if network in ("host", "none"):
        raise InvalidRequestError(
            f"container {container.name} cannot join the network {network} beside others"
        )
    if network == "bridge" and settings.aliases:
        raise InvalidRequestError(
            "network-scoped aliases are only for networks that users have made, not for bridge"
        )
    if network in container.networks and container.state.running:
        raise ForbiddenError(
            f"endpoint with name {container.name} already exists in network {network}"
        )


def check_leave(container: Container, network: str) -> None:
    """Raises InvalidRequestError, and ConflictError for one that is not there."""
    if network == "host" and container.host_config.network_mode == "host":
        raise InvalidRequestError(
            f"container {container.name} cannot be disconnected from the host's network"
        )
    if network not in container.networks:
        raise ConflictError(f"container {container.id} is not connected to network {network}")
