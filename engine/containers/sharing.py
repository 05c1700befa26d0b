"""Network namespaces that containers share (network_mode: container:..., service:...). Pure.

The theory: such a namespace belongs to the container at the end of the chain, its owner. It lives as
long as any of its users runs. So when the owner ends while others run, its endpoints stay; when it
starts again it joins the namespace that they have kept, and nobody is orphaned. When the last user
ends, the endpoints go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.containers.model import Container

PREFIX = "container:"


def owner_of(container: Container, known: Mapping[str, Container]) -> str:
    """The id of the container whose network namespace this one uses; its own if it has one."""
    current, seen = container, {container.id}
    while shares(current):
        target = current.host_config.network_mode.removeprefix(PREFIX)
        if target in seen:
            return container.id
        seen.add(target)
        if target not in known:
            return target
        current = known[target]
    return current.id


def shares(container: Container) -> bool:
    """Whether it uses the network namespace of another."""
    return container.host_config.network_mode.startswith(PREFIX)


def keeper_of(
    owner_id: str, sharers: Iterable[Container], known: Mapping[str, Container]
) -> Container | None:
    """A running container, other than the owner, that keeps the owner's namespace alive.

    `sharers` are those that share one, of all that are `known`.
    """
    return next(
        (
            c
            for c in sharers
            if c.state.running and c.id != owner_id and owner_of(c, known) == owner_id
        ),
        None,
    )
