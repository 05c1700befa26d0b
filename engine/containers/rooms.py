"""What containers stand on, named once by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.containers.model import Container
    from engine.events.bus import EventBus
    from engine.host import HostFacts
    from engine.images.store import Images
    from engine.networks.service import Networks
    from engine.processes.client import ForkServer
    from engine.storage.database import Database
    from engine.storage.paths import Layout
    from engine.volumes.service import Volumes


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms below containers, of one engine."""

    layout: Layout
    database: Database
    events: EventBus
    images: Images
    volumes: Volumes
    networks: Networks
    forks: ForkServer
    host: HostFacts
    engine_id: str
    userns: str = "host"  # of containers that do not say: "host" or "auto"


class Publish(Protocol):
    """Tell of an event of a container, with its labels, image and name."""

    def __call__(
        self, container: Container, action: str, attributes: Mapping[str, str] | None = None, /
    ) -> None: ...
