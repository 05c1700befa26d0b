"""A container's volumes: made with it, mounted while it runs, its anonymous ones removed with it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.errors import ConflictError
from engine.volumes.service import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.containers.config import VolumeOptions
    from engine.containers.launching import Launcher
    from engine.containers.model import Container, MountPoint
    from engine.containers.registry import Registry
    from engine.containers.rooms import Rooms


class VolumeUse:
    """What the containers of one engine do with its volumes."""

    def __init__(self, rooms: Rooms, registry: Registry, launcher: Launcher) -> None:
        self._volumes = rooms.volumes
        self._events = rooms.events
        self._registry = registry
        self._launcher = launcher
        self._volumes.users = lambda name: [c.id for c in registry.all() if name in names_of(c)]
        self._volumes.is_running = lambda name: any(
            c.state.running and name in names_of(c) for c in registry.all()
        )

    async def make(self, container: Container) -> None:
        """Make what is missing and fill what is new. Raises EngineError."""
        for point in points_of(container):
            asked = _options_of(container, point)
            driver = asked.driver_config if asked else None
            labels = dict((asked.labels if asked else None) or {})
            volume = self._volumes.create(
                point.name,
                labels={**labels, **({ANONYMOUS: ""} if point.anonymous else {})},
                options=dict((driver.options if driver else None) or {}),
            )
            if not (point.no_copy or volume.comes_and_goes or volume.read_only):
                root = self._launcher.rootfs(container)
                async with self._volumes.held([volume.name]):
                    await self._volumes.fill(volume, root, point.destination)

    async def drop_anonymous(self, container: Container) -> None:
        """Remove the anonymous volumes of a container that is gone, but for those others use."""
        for point in points_of(container):
            if point.anonymous and not self._volumes.users(point.name):
                try:
                    await self._volumes.remove(point.name, force=True)
                except ConflictError:
                    continue  # somebody has begun to use it

    @asynccontextmanager
    async def held(self, container: Container) -> AsyncIterator[None]:
        """While inside, its volumes are mounted; afterwards, while it runs."""
        async with self._volumes.held(names_of(container)):
            yield

    def tell_mounted(self, container: Container) -> None:
        """Docker's events at a start."""
        for point in points_of(container):
            self._events.publish(
                "volume", "mount", point.name,
                {
                    "container": container.id, "destination": point.destination, "driver": "local",
                    "propagation": point.propagation, "read/write": str(point.rw).lower(),
                },
            )  # fmt: skip

    async def release(self, container: Container) -> None:
        """After its end."""
        for point in points_of(container):
            self._events.publish(
                "volume", "unmount", point.name, {"container": container.id, "driver": "local"}
            )
        await self._volumes.release(names_of(container))

    async def settle(self) -> None:
        """After a start of the engine: nothing stays mounted that no running container uses."""
        await self._volumes.release(volume.name for volume in self._volumes.all())


def points_of(container: Container) -> list[MountPoint]:
    """The mount points that are volumes."""
    return [point for point in container.mounts if point.type == "volume"]


def names_of(container: Container) -> list[str]:
    """The volumes by name."""
    return [point.name for point in points_of(container)]


def _options_of(container: Container, point: MountPoint) -> VolumeOptions | None:
    """What the long form of the request says about a new volume."""
    for asked in container.host_config.mounts or ():
        if asked.type == "volume" and asked.target.rstrip("/") == point.destination:
            return asked.volume_options
    return None
