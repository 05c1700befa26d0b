"""What handlers work on: the rooms of the engine, named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.api.buildkit.ongoing import Builds
from engine.api.buildkit.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.build.execute import Builder
    from engine.containers.service import Containers
    from engine.events.bus import EventBus
    from engine.host import HostFacts
    from engine.images.pull import Puller
    from engine.images.push import Pusher
    from engine.images.store import Images
    from engine.networks.service import Networks
    from engine.storage.paths import Layout
    from engine.volumes.service import Volumes


@dataclass(frozen=True, slots=True)
class Engine:
    """The rooms of one engine."""

    id: str
    version: str
    layout: Layout
    host: HostFacts
    events: EventBus
    images: Images
    puller: Puller
    pusher: Pusher
    volumes: Volumes
    networks: Networks
    containers: Containers
    builder: Builder
    shut_down: Callable[[], None]
    sessions: Sessions = field(default_factory=Sessions)
    builds: Builds = field(default_factory=Builds)
