"""Containers: every verb of their life. The one place that changes a container's state.

Rules: verbs on one container take turns (a lock each); the end of a process is seen by its watcher,
which settles the state, takes the network away, decides on a restart, and rings whoever waits. A verb
that needs an end waits for that ring. "Already so" is NotModifiedError.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from engine.containers.creation import NAME
from engine.containers.execs import Execs
from engine.containers.graves import Graves
from engine.containers.inputs import check_against_host, limits_of
from engine.containers.joining import check_join, check_leave, tracer_warnings
from engine.containers.launching import Launcher
from engine.containers.live import Bell, Handles
from engine.containers.logs import LogReaders
from engine.containers.making import Maker
from engine.containers.model import Created
from engine.containers.registry import Registry
from engine.containers.signals import parse_signal
from engine.containers.supervision import Supervisor
from engine.containers.update import updated_host_config
from engine.containers.volume_use import VolumeUse
from engine.errors import (
    ConflictError,
    HostLimitError,
    InvalidRequestError,
    NotModifiedError,
)
from engine.runtime.cgroups import tree

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from engine.containers.live import Live
    from engine.containers.model import (
        Container,
        ContainerRequest,
        EndpointSettings,
        UpdateRequest,
        WaitCondition,
    )
    from engine.containers.rooms import Rooms
    from engine.processes.attachment import Attachment
    from engine.runtime.spec import Rootfs


class Containers:
    """All containers of one engine."""

    def __init__(self, rooms: Rooms, nursery: trio.Nursery) -> None:
        self.layout = rooms.layout
        self.host = rooms.host
        self.engine_id = rooms.engine_id
        self.forks = rooms.forks
        self.nursery = nursery
        self.images = rooms.images
        self.volumes = rooms.volumes
        self.networks = rooms.networks
        self.registry = Registry(rooms.database)
        self.handles = Handles()
        self.execs = Execs(rooms, self.registry, self.handles, nursery, self.publish)
        self._graves = Graves()
        nursery.start_soon(self._graves.run)
        self.log_readers = LogReaders()
        nursery.start_soon(self.log_readers.watch.run)
        self._events = rooms.events
        self._launcher = Launcher(rooms, self.registry)
        self.secret_files = self._launcher.secret_files
        self.volume_use = VolumeUse(rooms, self.registry, self._launcher)
        self._maker = Maker(rooms, self.registry, self._launcher, self.volume_use)
        self.life = Supervisor(
            self.registry, self.execs, rooms.networks, self._launcher, self.volume_use,
            nursery, self.publish, self.discard,
        )  # fmt: skip
        rooms.images.users = lambda image_id: [c.id for c in self.all() if image_id in images_of(c)]

    def all(self) -> list[Container]:
        """Every container, the oldest first."""
        return self.registry.all()

    def find(self, name: str) -> Container:
        """By name, id or the beginning of one. Raises NotFoundError."""
        return self.registry.find(name)

    def get(self, container_id: str) -> Container:
        """By its full id. Raises NotFoundError."""
        return self.registry.get(container_id)

    def live(self, container_id: str) -> Live:
        """The handle of a running container. Raises ConflictError."""
        return self.handles.of(container_id)

    def rootfs(self, container: Container) -> Rootfs:
        """The overlay of a container. Raises NotFoundError for a missing layer."""
        return self._launcher.rootfs(container)

    def publish(
        self, container: Container, action: str, attributes: Mapping[str, str] | None = None
    ) -> None:
        """An event of a container, with its labels, image and name."""
        if action == "die":
            self.log_readers.watch.ring(str(self.layout.container(container.id)))
        self._events.publish(
            "container",
            action,
            container.id,
            {
                **container.config.labels,
                "image": container.config.image,
                "name": container.name,
                **(attributes or {}),
            },
        )

    async def create(self, request: ContainerRequest) -> Created:
        """Make a container. Raises NotFoundError (the image), ConflictError (the name), ..."""
        made, warnings = await self._maker.make(request)
        self.publish(made, "create")
        traced = tracer_warnings(made, self.all)
        return Created(made.id, (*warnings, *traced))

    async def start(self, name: str) -> None:
        """Start. Raises NotModifiedError if it runs, StartError, ConflictError."""
        container = self.find(name)
        async with self.life.lock(container.id):
            container = self.get(container.id)
            status = container.state.status
            if status == "running":
                raise NotModifiedError(f"container {container.name} is already running")
            if status == "paused":
                raise ConflictError("cannot start a paused container, try unpause instead")
            if status in ("removing", "dead"):
                raise ConflictError("container is marked for removal and cannot be started")
            self.life.call_off_restart(container.id)
            await self.life.launch(container)

    async def stop(self, name: str, *, timeout: int | None = None, signal: str = "") -> None:
        """Stop. Raises NotModifiedError if it does not run."""
        container = self.find(name)
        async with self.life.lock(container.id):
            container = self.get(container.id)
            if container.state.status == "restarting":
                self.life.call_off_restart(container.id)
                self.registry.set_state(container.id, status="exited", stopped_by_user=True)
                self.life.next_end(container.id).ring(container.state.exit_code)
                return
            if not container.state.running:
                raise NotModifiedError(f"container {container.name} is not running")
            await self.life.stop(container, timeout, signal)
        self.publish(container, "stop")

    async def restart(self, name: str, *, timeout: int | None = None, signal: str = "") -> None:
        """Stop, if it runs, and start again."""
        container = self.find(name)
        async with self.life.lock(container.id):
            container = self.get(container.id)
            self.life.call_off_restart(container.id)
            if container.state.running:
                await self.life.stop(container, timeout, signal)
                self.publish(container, "stop")
            await self.life.launch(self.get(container.id))
        self.publish(container, "restart")

    async def kill(self, name: str, signal: str = "") -> None:
        """Send a signal (KILL by default). Raises ConflictError if it does not run."""
        container = self.find(name)
        number = parse_signal(signal or "KILL")
        if container.state.status == "restarting":
            self.life.call_off_restart(container.id)
            self.registry.set_state(container.id, status="exited", stopped_by_user=True)
            return
        if not container.state.running:
            raise ConflictError(
                f"cannot kill container: {name}: container {container.id} is not running"
            )
        stops = {9, parse_signal(container.config.stop_signal or "TERM")}
        if number in stops:
            self.registry.set_state(container.id, stopped_by_user=True)
        if number == 9:
            await self.life.kill(container.id)
            return
        self.life.signal(self.live(container.id), number)
        self.publish(container, "kill", {"signal": str(number)})

    async def pause(self, name: str) -> None:
        """Freeze every process. Raises ConflictError."""
        container = self.find(name)
        async with self.life.lock(container.id):
            container = self.get(container.id)
            if container.state.status == "paused":
                raise ConflictError(f"Container {container.name} is already paused")
            await self.life.freeze(container.id, frozen=True)
        self.publish(container, "pause")

    async def unpause(self, name: str) -> None:
        """Thaw. Raises ConflictError."""
        container = self.find(name)
        async with self.life.lock(container.id):
            container = self.get(container.id)
            if container.state.status != "paused":
                raise ConflictError(f"Container {container.name} is not paused")
            await self.life.freeze(container.id, frozen=False)
        self.publish(container, "unpause")

    async def update(self, name: str, request: UpdateRequest) -> tuple[str, ...]:
        """New limits, at once where it runs, and a new restart policy; warnings.

        Raises InvalidRequestError, ConflictError, HostLimitError.
        """
        container = self.find(name)
        async with self.life.lock(container.id):
            container = self.get(container.id)
            wanted = updated_host_config(container, request)
            check_against_host(wanted, self.host)
            limits = limits_of(wanted)
            warnings: tuple[str, ...] = ()
            if container.state.running:
                live = self.live(container.id)
                cgroup = replace(live.spec.cgroup, limits=limits)
                try:
                    warnings = await trio.to_thread.run_sync(tree.update, cgroup)
                except OSError as error:
                    raise HostLimitError(
                        f"Cannot update container {container.id}: {error.strerror}: {error.filename or ''}"
                    ) from error
                live.spec = replace(live.spec, cgroup=cgroup)
            container = self.registry.change(container.id, host_config=wanted)
        self.publish(container, "update")
        return warnings

    async def rename(self, name: str, new_name: str) -> None:
        """Give another name. Raises ConflictError, InvalidRequestError."""
        container = self.find(name)
        new_name = new_name.removeprefix("/")
        if not NAME.fullmatch(new_name):
            raise InvalidRequestError(f"Invalid container name ({new_name})")
        if new_name == container.name:
            raise InvalidRequestError("Renaming a container with the same name as its current name")
        holder = self.registry.holder_of(new_name)
        if holder is not None:
            raise ConflictError(
                f'Conflict. The container name "/{new_name}" is already in use by container "{holder}".'
            )
        old = container.name
        container = self.registry.change(container.id, name=new_name)
        self.publish(container, "rename", {"oldName": f"/{old}"})

    def wait(
        self, name: str, condition: WaitCondition = "not-running"
    ) -> Callable[[], Awaitable[int]]:
        """Arm a wait now; the function returned waits and gives the exit code. Raises NotFoundError."""
        container = self.find(name)
        if condition == "removed":
            return self.life.removal(container.id).wait
        if condition == "not-running" and not (
            container.state.running or container.state.status == "restarting"
        ):
            bell = Bell()
            bell.ring(container.state.exit_code)
            return bell.wait
        return self.life.next_end(container.id).wait

    async def join_streams(self, container_id: str, **wants: bool) -> Attachment | None:
        """Take part in a container's streams (stdin, stdout, stderr), now or from its next start on."""
        return await self.life.join_streams(container_id, wants)

    async def wait_recorded(self, container_id: str) -> None:
        """Until the end of a process that has ended is settled; at once where it has not ended."""
        await self.life.wait_recorded(container_id)

    async def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove; `volumes` takes anonymous ones along. Raises ConflictError if it runs (no force)."""
        container = self.find(name)
        async with self.life.lock(container.id):
            container = self.get(container.id)
            if container.state.running or container.state.status == "restarting":
                if not force:
                    raise ConflictError(
                        f'cannot remove container "/{container.name}": container is '
                        f"{container.state.status}: stop the container before removing or force remove"
                    )
                self.life.call_off_restart(container.id)
                self.registry.set_state(container.id, stopped_by_user=True)
                await self.life.kill(container.id)
            await self._remove(container, volumes=volumes)

    async def connect(self, name: str, network: str, settings: EndpointSettings) -> None:
        """Join one more network, at once if it runs. Raises InvalidRequestError, ForbiddenError."""
        container = self.find(name)
        found = self.networks.find(network)
        async with self.life.lock(container.id):
            container = self.get(container.id)
            check_join(container, found.name, settings)
            joined = {**container.networks, found.name: settings}
            planned = replace(container, networks={found.name: settings})
            if container.state.running:
                pid = container.state.pid
                fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    await self.networks.connect(self._launcher.sandbox(planned, fd, None, pid))
                finally:
                    os.close(fd)
            container = self.registry.change(container.id, networks=joined)
            if container.state.running:
                self._launcher.write_hosts(
                    container, tuple(self.networks.endpoints_for(container.id))
                )

    async def disconnect(self, name: str, network: str) -> None:
        """Leave a network. Raises InvalidRequestError, ConflictError."""
        container = self.find(name)
        found = self.networks.find(network)
        async with self.life.lock(container.id):
            container = self.get(container.id)
            check_leave(container, found.name)
            if container.state.running:
                fd = os.open(f"/proc/{container.state.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    await self.networks.disconnect(container.id, found.id, fd)
                finally:
                    os.close(fd)
                self._launcher.write_hosts(
                    container, tuple(self.networks.endpoints_for(container.id))
                )
            left = {key: value for key, value in container.networks.items() if key != found.name}
            self.registry.change(container.id, networks=left)

    async def discard(self, container_id: str) -> None:
        """Remove a container that does not run, and its anonymous volumes; fine if it has gone."""
        async with self.life.lock(container_id):
            started = container_id in self.handles  # by somebody, meanwhile
            if not started and any(c.id == container_id for c in self.all()):
                await self._remove(self.get(container_id), volumes=True)

    async def _remove(self, container: Container, *, volumes: bool) -> None:
        exit_code = container.state.exit_code
        await self.life.tidy(container.id)
        self.registry.remove(container.id)
        self.execs.forget(container.id)
        self._launcher.bury(container.id, self._graves)
        self.life.forget(container.id, exit_code)
        await self.networks.detach(container.id, alive=True)  # others may have kept its namespace
        self.publish(container, "destroy")
        if volumes:
            await self.volume_use.drop_anonymous(container)


def images_of(container: Container) -> set[str]:
    """The images that a container needs: its own, and those that it mounts."""
    return {container.image, *(m.data for m in container.mounts if m.type == "image")}
