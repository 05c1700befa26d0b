"""Which containers a `filters` parameter means. An unknown filter is refused, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.containers.logs import parse_time
from engine.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.api.engine import Engine
    from engine.containers.model import Container


def has_label(labels: dict[str, str], wanted: str) -> bool:
    """ "key" or "key=value"."""
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def matches(engine: Engine, container: Container, filters: dict[str, list[str]]) -> bool:
    """Whether a container passes: every filter, and of its values any (of labels: all).

    Raises InvalidRequestError for a filter that there is none of.
    """
    for key, values in filters.items():
        test = _TESTS.get(key)
        if test is None:
            raise InvalidRequestError(f"invalid filter '{key}'")
        how = all if key in ("label", "label!", "until") else any
        if values and not how(test(engine, container, value) for value in values):
            return False
    return True


def _ancestor(engine: Engine, container: Container, value: str) -> bool:
    try:
        return engine.images.find(value).id == container.image
    except NotFoundError:
        return container.config.image == value


def _network(engine: Engine, container: Container, value: str) -> bool:
    try:
        name = engine.networks.find(value).name
    except NotFoundError:
        return False
    return name in container.networks or container.host_config.network_mode == name


def _exited(engine: Engine, container: Container, value: str) -> bool:
    del engine
    ended = container.state.status == "exited"
    return ended and str(container.state.exit_code) == value


def _before(engine: Engine, container: Container, value: str) -> bool:
    return container.created_ns < engine.containers.find(value).created_ns


def _since(engine: Engine, container: Container, value: str) -> bool:
    return container.created_ns > engine.containers.find(value).created_ns


def _until(engine: Engine, container: Container, value: str) -> bool:
    import time

    del engine
    return container.created_ns < (parse_time(value, time.time_ns()) or 0)


def _health(engine: Engine, container: Container, value: str) -> bool:
    del engine
    health = container.state.health
    return (health.status if health else "none") == value


def _published(engine: Engine, container: Container, value: str) -> bool:
    port = value if "/" in value else f"{value}/tcp"
    return any(
        port in (f"{p.container_port}/{p.protocol}", f"{p.host_port}/{p.protocol}")
        for endpoint in engine.networks.endpoints_for(container.id)
        for p in endpoint.ports
    )


_TESTS: dict[str, Callable[[Engine, Container, str], bool]] = {
    "id": lambda _, c, value: c.id.startswith(value),
    "name": lambda _, c, value: (
        value.removeprefix("^").removesuffix("$").removeprefix("/")
        in (c.name if not value.startswith("^") else (c.name,))
    ),
    "label": lambda _, c, value: has_label(dict(c.config.labels), value),
    "label!": lambda _, c, value: not has_label(dict(c.config.labels), value),
    "status": lambda _, c, value: c.state.status == value,
    "ancestor": _ancestor,
    "network": _network,
    "volume": lambda _, c, value: any(value in (m.name, m.destination) for m in c.mounts),
    "exited": _exited,
    "before": _before,
    "since": _since,
    "until": _until,
    "health": _health,
    "publish": _published,
    "expose": lambda _, c, value: (
        (value if "/" in value else f"{value}/tcp") in (c.config.exposed_ports or {})
    ),
    "is-task": lambda _, __, value: value.lower() in ("false", "0"),
}
