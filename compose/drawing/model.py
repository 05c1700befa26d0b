"""What pictures are drawn of: the services and whom they wait for; the networks and who is on them."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # records read their annotations
from typing import Literal

from compose.model.record import EMPTY, Record

#: What a waiting service waits for, in words for people.
CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}


class ServiceNode(Record):
    """A service of the file. `enabled`: an active profile, or none, asks for it."""

    name: str
    image: str = ""
    built: bool = False
    replicas: int = 1
    profiles: tuple[str, ...] = ()
    enabled: bool = True


class Edge(Record):
    """`source` waits for `target`."""

    source: str
    target: str
    condition: str = "service_started"
    required: bool = True
    restart: bool = False

    @property
    def words(self) -> str:
        """ "healthy, restart"."""
        said = [CONDITIONS.get(self.condition, self.condition)]
        said += ["restart"] if self.restart else []
        said += [] if self.required else ["optional"]
        return ", ".join(said)


class Dependencies(Record):
    """A project's services, by name, and who waits for whom."""

    project: str
    services: tuple[ServiceNode, ...]
    edges: tuple[Edge, ...]

    def needs(self, name: str) -> list[Edge]:
        """Whom a service waits for, by name."""
        return sorted((edge for edge in self.edges if edge.source == name), key=lambda e: e.target)


class NetworkNode(Record):
    """A network that runs. `name` is the engine's, `key` the project's, the same for one of others."""

    name: str
    key: str
    driver: str = "bridge"
    subnets: tuple[str, ...] = ()
    gateway: str = ""
    internal: bool = False
    external: bool = False


class ContainerLine(Record):
    """A container: its short name, its state, and its addresses on each network (the engine's name)."""

    name: str
    state: str
    health: str = ""
    addresses: Mapping[str, tuple[str, ...]] = EMPTY


class MountLine(Record):
    """Something mounted in a service's containers. `name` is a volume's own name, or the host's path."""

    kind: Literal["volume", "bind", "tmpfs", "image"]
    name: str
    target: str
    read_only: bool = False


class ServiceCard(Record):
    """A service that runs. `ports` are texts as "0.0.0.0:80 → 80/tcp"."""

    name: str
    image: str = ""
    containers: tuple[ContainerLine, ...] = ()
    ports: tuple[str, ...] = ()
    mounts: tuple[MountLine, ...] = ()
    networks: tuple[str, ...] = ()
    mode: str = ""  # host, none, or whose network it shares

    @property
    def state(self) -> str:
        """The worst of its containers': unhealthy, exited, starting, running ..."""
        words = [one.health or one.state for one in self.containers]
        for word in ("unhealthy", "dead", "restarting", "exited", "paused", "created", "starting"):
            if word in words:
                return word
        return words[0] if words else "missing"


class NetworkMap(Record):
    """The running project: its networks, services and volumes, each by name."""

    project: str
    networks: tuple[NetworkNode, ...]
    services: tuple[ServiceCard, ...]

    @property
    def volumes(self) -> list[str]:
        """Named volumes that some service has mounted."""
        names = (mount.name for card in self.services for mount in card.mounts if mount.kind == "volume")  # fmt: skip
        return sorted(set(names))
