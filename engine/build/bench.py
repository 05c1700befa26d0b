"""What all stages of one build work with: images, cache, runner, where output goes, finished stages."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from engine.build.context import remove_tree
from engine.build.events import Fetched
from engine.build.snapshot import chained, clamp_times
from engine.errors import EngineError, NotFoundError
from engine.images.model import Layer
from engine.images.pack import measure
from engine.images.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from engine.build.cache import BuildCache, Remembered
    from engine.build.dockerfile import Dockerfile
    from engine.build.events import Tell
    from engine.build.mount_caches import MountCaches
    from engine.build.request import BuildRequest, Giver, Material, Pull, StepRunner
    from engine.build.snapshot import Snapshot
    from engine.build.solve import Solution
    from engine.images.model import Image
    from engine.images.registry.manifest import Platform
    from engine.images.store import Images


@dataclass(frozen=True, slots=True)
class Used:
    """A step that this build has used or made: on what it stands, and what it is."""

    before: Snapshot
    found: Remembered


@dataclass(frozen=True, slots=True)
class Bench:
    """One build's. `private` is a folder for secrets, in memory where the run folder is.

    `platform` is what this host runs, `wanted` what the image is for. Of a build for several platforms
    each has a bench; they share `used`, number their steps from `first` on, and put `prefix` in front
    of the stages' names.
    """

    images: Images
    cache: BuildCache
    runner: StepRunner
    pull: Pull
    tell: Tell
    request: BuildRequest
    material: Material
    giver: Giver
    dockerfile: Dockerfile
    solution: Solution
    work: Path
    private: Path
    cache_mounts: Path
    mount_caches: MountCaches
    platform: Platform
    wanted: Platform
    clock_ns: Callable[[], int]
    epoch: int | None = None
    first: int = 1
    prefix: str = ""
    used: dict[str, Used] = field(default_factory=dict)

    @property
    def escape(self) -> str:
        """The Dockerfile's escape character."""
        return self.dockerfile.escape

    def moment_ns(self) -> int:
        """The time that goes into images: SOURCE_DATE_EPOCH, or now."""
        return self.clock_ns() if self.epoch is None else self.epoch * 10**9

    def use(self, key: str, before: Snapshot, found: Remembered) -> None:
        """Note a step, which pruning then leaves alone until the build ends."""
        if key not in self.used:
            self.cache.in_use[key] += 1
        self.used[key] = Used(before, found)

    def parent_of(self, chain: str) -> str:
        """The key of the step of this build that made a chain, "" for a base image's."""
        for key, used in self.used.items():
            if used.found.layer and chained(used.before.chain, used.found.layer.diff_id) == chain:
                return key
        return ""

    def release(self) -> None:
        """The build has ended."""
        self.cache.in_use.subtract(list(self.used))
        self.cache.flush()

    async def find(self, name: str, number: int, platform: Platform | None = None) -> Image:
        """An image by name, pulled if it is missing or `pull` asks for it. Raises EngineError.

        What is here under the name may be for another platform than the one to build for: then that is
        pulled, and the name stays with what is here.
        """
        wanted = platform or self.platform
        foreign = wanted.architecture != self.platform.architecture
        here, fitting = self._here(name, wanted)
        if fitting is not None and not self.request.pull:
            return fitting
        alone = here is not None and not foreign and self.images.index_of(name) is None
        if here is not None and alone and not self.request.pull:
            return here  # whoever runs it finds out

        async def report(message: dict[str, Any]) -> None:
            await self.tell(Fetched(number, message))

        try:
            await self.pull(
                name, report, await self.auths_for(name), str(wanted) if foreign else ""
            )
        except EngineError as error:
            if name not in error.message:
                error.message = f"{name}: {error.message}"
            if foreign and here is not None:
                error.message += f"; the {name} that is here is for {here.platform}, not {wanted}"
            raise
        image = self._here(name, wanted)[1] or self.images.find(name)
        named = foreign and here is not None and bool(here.references)
        if here is not None and named and not self.images.means(name, here.id):
            self.images.tag(here, name, quiet=True)
        return image

    def _here(self, name: str, wanted: Platform) -> tuple[Image | None, Image | None]:
        """What a name stands for, and what of it is for a platform, or does not say for which."""
        try:
            here = self.images.find(name)
        except NotFoundError:
            return None, None
        if not here.platform.architecture:
            return here, here
        try:
            return here, self.images.find(name, wanted)
        except NotFoundError:
            return here, None

    async def auths_for(self, name: str) -> Mapping[str, Any]:
        """The credentials for an image's registry: the request's, or the client's if it is asked."""
        if self.request.auths:
            return self.request.auths
        host = parse_reference(name).host
        found = await self.giver.credentials(host)
        return {host: found} if found else {}

    async def keep(self, upper: Path, below: str) -> Layer:
        """An overlay's upper folder as a layer on top of a chain; the folder is consumed."""
        if self.epoch is not None:
            await trio.to_thread.run_sync(clamp_times, upper, self.epoch)
        diff_id, size = await trio.to_thread.run_sync(measure, str(upper))
        layer = Layer(diff_id, size=size)
        chain = chained(below, diff_id)
        self.images.layers.adopt(upper, chain, diff_id, below, size)
        return layer

    @asynccontextmanager
    async def folder(self) -> AsyncIterator[Path]:
        """A folder of one step's own, deleted with all below when the step ends."""
        path = self.work / f"step-{secrets.token_hex(4)}"
        await trio.to_thread.run_sync(path.mkdir)
        try:
            yield path
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(remove_tree, path)
