"""Whether a container may join a network, or leave it; what joining a pid namespace risks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ConflictError, ForbiddenError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


def tracer_warnings(
    container: Container, others: Callable[[], Iterable[Container]]
) -> tuple[str, ...]:
    """A container is built inside the pid namespace that it joins, where a tracer sees it (decision 25).

    `others` gives those that there are; of a pid namespace's owner its name, id and the id's short form
    may stand in a mode.
    """
    kind, _, wanted = container.host_config.pid_mode.partition(":")
    if kind != "container":
        return ()
    known = list(others())
    owner = next((c for c in known if wanted in (c.id, c.name, c.id[:12])), None)
    if owner is None:
        return ()
    names = (owner.id, owner.name, owner.id[:12])
    inside = [
        owner,
        *(c for c in known if c.host_config.pid_mode.removeprefix("container:") in names),
    ]
    tracers = sorted({c.name for c in inside if c.id != container.id and _may_trace(c)})
    if not tracers or container.host_config.privileged:
        return ()
    words = (
        f"{', '.join(tracers)} may trace processes (SYS_PTRACE or privileged) in the pid namespace "
        "that this container joins, and its start with them: share it with those alone that you "
        "trust as the host"
    )
    return (words,)


def _may_trace(container: Container) -> bool:
    host = container.host_config
    added = {name.upper().removeprefix("CAP_") for name in host.cap_add or ()}
    return host.privileged or bool(added & {"SYS_PTRACE", "ALL"})
