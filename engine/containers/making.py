"""A container made: its record, its folders, its volumes; what could not start is refused here."""

from __future__ import annotations

import random
import secrets
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from engine.containers.creation import choose_name, plan_container
from engine.containers.id_ranges import free_range
from engine.containers.inputs import check_against_host
from engine.containers.launching import check_bind, port_requests
from engine.errors import InvalidRequestError, NotFoundError
from engine.images.registry.manifest import Platform
from engine.networks.ports import protocol_warnings

if TYPE_CHECKING:
    from engine.containers.launching import Launcher
    from engine.containers.model import Container, ContainerRequest, MountPoint
    from engine.containers.registry import Registry
    from engine.containers.rooms import Rooms
    from engine.containers.volume_use import VolumeUse


class Maker:
    """Makes the containers of one engine."""

    def __init__(
        self, rooms: Rooms, registry: Registry, launcher: Launcher, volumes: VolumeUse
    ) -> None:
        self._rooms = rooms
        self._registry = registry
        self._launcher = launcher
        self._volumes = volumes

    async def make(self, request: ContainerRequest) -> tuple[Container, tuple[str, ...]]:
        """The container, and what of its request has no effect.

        Raises NotFoundError (the image), ConflictError (the name), InvalidRequestError, HostLimitError.
        """
        planned = self._planned(request)
        # What is wrong with them is told now.
        port_warnings = protocol_warnings(port_requests(planned))
        if not planned.name:
            planned = replace(planned, name=choose_name(self._is_taken, random.SystemRandom()))
        planned = self._with_network_of_another(planned)
        self._registry.add(planned)
        folder = self._rooms.layout.container(planned.id)
        try:
            for name in ("upper", "work"):
                (folder / name).mkdir(parents=True, mode=0o755)
            folder.chmod(0o711)  # programs of users other than root reach their files
            await self._volumes.make(planned)
            _, warnings = await self._launcher.spec(as_if_startable(planned))
        except BaseException:
            self._registry.remove(planned.id)
            with trio.CancelScope(shield=True):
                await self._volumes.drop_anonymous(planned)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return planned, (*warnings, *port_warnings)

    def _planned(self, request: ContainerRequest) -> Container:
        host = self._rooms.host
        image = self._rooms.images.find(request.config.image, _platform(request.platform))
        check_against_host(request.host_config, host)
        planned = plan_container(
            request,
            image,
            secrets.token_hex(32),
            time.time_ns(),
            self._registry.find,
            host.hostname,
            self._choose_ids,
        )
        return replace(planned, mounts=tuple(map(self._resolved, planned.mounts)))

    def _is_taken(self, name: str) -> bool:
        return self._registry.holder_of(name) is not None

    def _choose_ids(self, mode: str) -> int:
        """The first id of a container's own range by its user namespace mode; 0: none."""
        if (mode or self._rooms.userns) != "auto":
            return 0
        return free_range(c.first_id for c in self._registry.all())

    def _with_network_of_another(self, planned: Container) -> Container:
        """With the other's id in place of its name, where the network is another container's."""
        kind, _, target = planned.host_config.network_mode.partition(":")
        if kind != "container":
            return planned
        try:
            other = self._registry.find(target)
        except NotFoundError as error:  # 404 would mean the image, which clients then pull
            raise InvalidRequestError(str(error)) from error
        mode = f"container:{other.id}"
        return replace(planned, host_config=replace(planned.host_config, network_mode=mode))

    def _resolved(self, point: MountPoint) -> MountPoint:
        """A mount point whose source is there. Raises NotFoundError, InvalidRequestError."""
        if point.type == "image":
            return replace(point, data=self._rooms.images.find(point.source).id)
        if point.type == "bind" and "create" not in point.options:
            check_bind(point.source, create=False)
        return point


def as_if_startable(container: Container) -> Container:
    """For the warnings of a create: what depends on other containers' running is left out."""
    host = container.host_config
    modes = {
        field: "private"
        for field in ("pid_mode", "ipc_mode")
        if getattr(host, field).startswith("container:")
    }
    if host.network_mode.startswith("container:"):
        modes["network_mode"] = "none"
    return replace(container, host_config=replace(host, **modes), networks={}, mounts=())  # type: ignore[arg-type]  # names of strings


def _platform(text: str) -> Platform | None:
    """The platform that a container's image is to be of, None for any. Raises InvalidRequestError."""
    try:
        return Platform.parse(text) if text else None
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error
