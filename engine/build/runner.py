"""RUN steps as containers of this engine: made, watched, their upper folder handed to the builder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from engine.build.request import RunResult
from engine.containers.config import (
    Config,
    HealthConfig,
    HostConfig,
    LogConfig,
    MountRequest,
    TmpfsOptions,
    Ulimit,
)
from engine.containers.model import ContainerRequest
from engine.containers.restoring import EPHEMERAL
from engine.errors import ConflictError, EngineError, NotFoundError, first_error

if TYPE_CHECKING:
    from engine.build.request import Output, RunMount, RunStep
    from engine.containers.service import Containers


#: On the containers of RUN steps, so that a next engine knows what a killed one has left.
BUILD_LABEL = "pycompose.build"


class ContainerRunner:
    """The StepRunner of a real engine."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    async def run(self, step: RunStep, output: Output) -> RunResult:
        """Run to the end; output as it comes. Cancelled: no container is left."""
        limits = step.limits
        request = ContainerRequest(
            Config(
                image=step.image_id,
                entrypoint=("",),
                cmd=step.argv,
                env=step.env,
                user=step.user,
                working_dir=step.cwd,
                labels={**step.labels, BUILD_LABEL: "1"},
                healthcheck=HealthConfig(test=("NONE",)),
                attach_stdout=True,
                attach_stderr=True,
            ),
            HostConfig(
                network_mode=step.network_mode,
                userns_mode="host",  # what it makes becomes a layer
                extra_hosts=step.extra_hosts,
                shm_size=limits.shm_size,
                memory=limits.memory,
                memory_swap=limits.memory_swap,
                cpu_shares=limits.cpu_shares,
                cpu_period=limits.cpu_period,
                cpu_quota=limits.cpu_quota,
                cpuset_cpus=limits.cpuset_cpus,
                cpuset_mems=limits.cpuset_mems,
                cgroup_parent=limits.cgroup_parent,
                ulimits=tuple(Ulimit(*one) for one in limits.ulimits),
                log_config=LogConfig("none"),
                annotations={EPHEMERAL: "build"},  # an engine that is killed leaves no step behind
                mounts=tuple(_mount(mount) for mount in step.mounts),
            ),
        )
        created = await self._containers.create(request)
        try:
            await output(0, created.id.encode())
            code = await self._run(created.id, output)
        except BaseException:
            with trio.CancelScope(shield=True):
                await self._remove(created.id)
            raise
        upper = self._containers.layout.container(created.id) / "upper"
        return RunResult(created.id, code, str(upper))

    async def recover(self) -> None:
        """Remove the containers of builds that ended with an engine that was killed."""
        for container in self._containers.all():
            if BUILD_LABEL in container.config.labels:
                await self._remove(container.id)

    async def discard(self, result: RunResult) -> None:
        """Remove the container; its upper folder may be gone already."""
        await self._remove(result.container_id)

    async def _run(self, container_id: str, output: Output) -> int:
        """Start and wait, passing output on; the exit code. Raises EngineError if it cannot start."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pass_output, container_id, output)
                ended = self._containers.wait(container_id, "next-exit")
                await self._containers.start(container_id)
                return await ended()
        except BaseExceptionGroup as group:
            failed, others = group.split(EngineError)
            if failed is None or others is not None:
                raise
            raise first_error(failed) from None

    async def _pass_output(self, container_id: str, output: Output) -> None:
        attachment = await self._containers.join_streams(
            container_id, stdin=False, stdout=True, stderr=True
        )
        if attachment is None:
            return
        try:
            async for stream, data in attachment.frames():
                await output(stream, data)
        finally:
            with trio.CancelScope(shield=True):
                await attachment.aclose()

    async def _remove(self, container_id: str) -> None:
        try:
            await self._containers.remove(container_id, force=True, volumes=True)
        except (NotFoundError, ConflictError):
            return


def _mount(mount: RunMount) -> MountRequest:
    tmpfs = TmpfsOptions(size_bytes=mount.size) if mount.kind == "tmpfs" else None
    return MountRequest(
        type=mount.kind,
        source=mount.source,
        target=mount.target,
        read_only=mount.read_only,
        tmpfs_options=tmpfs,
    )
