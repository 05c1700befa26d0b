"""Which containers a `filters` parameter means. An unknown filter is refused, never ignored.

Source: Docker's `docker ps --filter` and the Engine API, ContainerList.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from engine.containers.logs import parse_time
from engine.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.api.engine import Engine
    from engine.containers.model import Container

    Filters = dict[str, list[str]]

LIST_FILTERS = (
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label",
    "name", "network", "publish", "since", "status", "volume",
)  # fmt: skip
PRUNE_FILTERS = ("label", "label!", "until")
_VALUES = {
    "status": ("created", "dead", "exited", "paused", "removing", "restarting", "running"),
    "health": ("healthy", "none", "starting", "unhealthy"),
    "is-task": ("0", "1", "F", "FALSE", "False", "T", "TRUE", "True", "f", "false", "t", "true"),
}
_PORT = re.compile(r"(\d+)(?:-(\d+))?(?:/(tcp|udp|sctp))?")


def check_filters(filters: Filters, allowed: Iterable[str]) -> None:
    """Raises InvalidRequestError for a filter that there is none of, or a value that none can have."""
    for key, values in filters.items():
        if key not in allowed:
            raise InvalidRequestError(f"invalid filter '{key}'")
        for value in values:
            if value not in _VALUES.get(key, (value,)):
                raise InvalidRequestError(f"invalid filter '{key}={value}'")
            if key == "exited" and not re.fullmatch(r"-?\d+", value):
                raise InvalidRequestError(f"invalid filter 'exited={value}': not a number")
            if key in ("expose", "publish"):
                _ports_of(value)


def has_label(labels: dict[str, str], wanted: str) -> bool:
    """ "key" or "key=value"."""
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def matches(engine: Engine, container: Container, filters: Filters) -> bool:
    """Whether a container passes: every filter, and of its values any (of labels: all).

    Raises NotFoundError where `before` or `since` name no container.
    """
    for key in ("before", "since"):
        for value in filters.get(key, ()):
            engine.containers.find(value)
    for key, values in filters.items():
        how = all if key in ("label", "label!", "until", "before", "since") else any
        if values and not how(_TESTS[key](engine, container, value) for value in values):
            return False
    return True


def _ancestor(engine: Engine, container: Container, value: str) -> bool:
    """Made from the image, or from one that was built on it."""
    try:
        wanted = engine.images.find(value).id
    except NotFoundError:
        return container.config.image == value
    image_id = container.image
    while image_id:
        if image_id == wanted:
            return True
        try:
            image_id = engine.images.find(image_id).parent
        except NotFoundError:
            return False
    return False


def _network(engine: Engine, container: Container, value: str) -> bool:
    try:
        name = engine.networks.find(value).name
    except NotFoundError:
        return False
    return name in container.networks or container.host_config.network_mode == name


def _exited(engine: Engine, container: Container, value: str) -> bool:
    del engine
    ended = container.state.status == "exited"
    return ended and container.state.exit_code == int(value)


def _before(engine: Engine, container: Container, value: str) -> bool:
    return container.created_ns < engine.containers.find(value).created_ns


def _since(engine: Engine, container: Container, value: str) -> bool:
    return container.created_ns > engine.containers.find(value).created_ns


def _until(engine: Engine, container: Container, value: str) -> bool:
    del engine
    return container.created_ns < (parse_time(value, time.time_ns()) or 0)


def _health(engine: Engine, container: Container, value: str) -> bool:
    del engine
    health = container.state.health
    return (health.status if health else "none") == value


def _published(engine: Engine, container: Container, value: str) -> bool:
    wanted = _ports_of(value)
    return any(
        (p.host_port, p.protocol) in wanted
        for endpoint in engine.networks.endpoints_for(container.id)
        for p in endpoint.ports
    )


def _exposed(engine: Engine, container: Container, value: str) -> bool:
    wanted = _ports_of(value)
    named = [name.partition("/") for name in container.config.exposed_ports or {}]
    known = {(int(n), protocol or "tcp") for n, _, protocol in named if n.isdigit()}
    known |= {
        (p.container_port, p.protocol)
        for endpoint in engine.networks.endpoints_for(container.id)
        for p in endpoint.ports
    }
    return any(port in wanted for port in known)


class _Ports:
    """A range of ports of one protocol."""

    def __init__(self, low: int, high: int, protocol: str) -> None:
        self._range = range(low, high + 1)
        self._protocol = protocol

    def __contains__(self, port: tuple[int, str]) -> bool:
        return port[0] in self._range and port[1] == self._protocol


def _ports_of(value: str) -> _Ports:
    match = _PORT.fullmatch(value)
    low = int(match[1]) if match else 0
    high = int(match[2] or low) if match else 0
    if match is None or not 0 < low <= high < 65536:
        raise InvalidRequestError(f"invalid filter: '{value}' is no port or range of ports")
    return _Ports(low, high, match[3] or "tcp")


def _name(engine: Engine, container: Container, value: str) -> bool:
    """A regular expression, looked for in the name with and without its slash."""
    del engine
    try:
        pattern = re.compile(value)
    except re.error:
        return value in (container.name, f"/{container.name}")
    return bool(pattern.search(container.name) or pattern.search(f"/{container.name}"))


_TESTS: dict[str, Callable[[Engine, Container, str], bool]] = {
    "id": lambda _, c, value: c.id.startswith(value),
    "name": _name,
    "label": lambda _, c, value: has_label(dict(c.config.labels), value),
    "label!": lambda _, c, value: not has_label(dict(c.config.labels), value),
    "status": lambda _, c, value: c.state.status == value,
    "ancestor": _ancestor,
    "network": _network,
    "volume": lambda _, c, value: any(value in (m.name, m.source, m.destination) for m in c.mounts),
    "exited": _exited,
    "before": _before,
    "since": _since,
    "until": _until,
    "health": _health,
    "publish": _published,
    "expose": _exposed,
    "is-task": lambda _, __, value: value.lower() in ("false", "f", "0"),
    "isolation": lambda _, __, value: value == "default",
}
