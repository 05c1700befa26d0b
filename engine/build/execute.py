"""A build carried out: stages side by side, each waiting for what it takes from others.

Rules: what a build needs on disk is gone when it ends, however it ends; the first error ends all
stages; an image appears, and gets its names, only when everything is done.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING

import trio

from engine.build.bench import Bench, Used
from engine.build.cache import MOMENT, BuildCache, Remembered
from engine.build.checks import check, fails, report_checks
from engine.build.context import receive, remove_tree
from engine.build.dockerfile import check_syntax, parse
from engine.build.events import Began, Built, Ended, Failed, Planned, Step, Warned
from engine.build.excerpt import find_excerpt
from engine.build.given import Given
from engine.build.mount_caches import MountCaches
from engine.build.platforms import local_platform, read_platforms
from engine.build.portable import FIELD, VERSION, export_cache, import_caches, steps_of
from engine.build.prune import PruneRequest, prune
from engine.build.request import BuildError, BuildRequest
from engine.build.snapshot import timestamp
from engine.build.solve import solve, step_key
from engine.build.stage import StageBuilder
from engine.errors import (
    EngineError,
    InvalidRequestError,
    NotSupportedError,
    first_error,
    host_errors,
)
from engine.images.model import Image
from engine.images.outgoing import index_of_images
from engine.images.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from engine.build.events import Tell
    from engine.build.request import Giver, Material, Pull, StepRunner
    from engine.build.snapshot import Snapshot
    from engine.images.registry.manifest import Platform
    from engine.images.store import Images
    from engine.storage.database import Database

__all__ = ["BuildError", "BuildRequest", "Builder"]
#: The part of the disk that the build cache may take, as in BuildKit.
DISK_SHARE = 0.1


class Builder:
    """Builds images from Dockerfiles. `cache_mounts` is the folder of RUN --mount=type=cache.

    `private` is the folder where secrets lie while a RUN sees them; `nursery` is the engine's, for
    what goes on after an answer.
    """

    def __init__(
        self,
        images: Images,
        database: Database,
        runner: StepRunner,
        pull: Pull,
        cache_mounts: Path,
        private: Path,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        nursery: trio.Nursery | None = None,
    ) -> None:
        self.cache = BuildCache(images, database, clock_ns)
        self._images = images
        self._runner = runner
        self._pull = pull
        self._cache_mounts = cache_mounts
        self._private = private
        self._clock_ns = clock_ns
        self._nursery = nursery
        self._mount_caches = MountCaches()
        shutil.rmtree(private, ignore_errors=True)  # what an engine left that was killed

    async def recover(self) -> None:
        """At the engine's start, when containers are known: what a killed engine's builds have left."""
        await self._runner.recover()
        for image in self._images.all():
            if "draft" in image.document:
                self._images.drop_draft(image)

    @asynccontextmanager
    async def workplace(self) -> AsyncIterator[Path]:
        """A folder of one build's own, deleted at the end. Raises HostLimitError for what the host refuses."""
        work = self._images.scratch / f"build-{secrets.token_hex(6)}"
        try:
            with host_errors():
                await trio.to_thread.run_sync(work.mkdir)
                yield work
        finally:
            if self._nursery is not None:
                # Nobody need wait for it; what is left after a kill goes when the engine starts.
                self._nursery.start_soon(trio.to_thread.run_sync, remove_tree, work)
            else:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(remove_tree, work)

    async def build_tar(
        self, request: BuildRequest, context: IO[bytes], tell: Tell, giver: Giver | None = None
    ) -> str:
        """Build from a tar, compressed or not; the image's id ("" for a check). Raises as `build`."""
        _check(request)
        async with self.workplace() as work:
            folder = work / "context"
            material = await receive(context, folder, request)
            return await self.build(request, material, work, tell, giver or Given())

    async def build(
        self, request: BuildRequest, material: Material, work: Path, tell: Tell, giver: Giver
    ) -> str:
        """Build what the Dockerfile says; the image's id ("" for a check).

        Raises BuildError for a RUN that fails, InvalidRequestError for a bad Dockerfile, other
        EngineErrors.
        """
        try:
            with host_errors():
                return await self._build(request, material, work, tell, giver)
        except EngineError as error:
            place, excerpt = find_excerpt(error, material.dockerfile)
            if "lint violation" in error.message:
                excerpt = ()  # the warning has shown it
            name = request.shown_dockerfile
            if name != "Dockerfile":
                error.message = error.message.replace("Dockerfile:", f"{name}:", 1)
                error.hint = error.hint.replace("Dockerfile:", f"{name}:", 1)
                place = place.replace("Dockerfile", name, 1)
            await tell(Failed(str(error), place, excerpt))
            raise

    async def _build(
        self, request: BuildRequest, material: Material, work: Path, tell: Tell, giver: Giver
    ) -> str:
        platform, platforms = local_platform(), _check(request)
        names = [parse_reference(tag).familiar for tag in request.tags]
        check_syntax(request.build_args.get("BUILDKIT_SYNTAX") or "", "build-arg BUILDKIT_SYNTAX")
        dockerfile = parse(material.dockerfile)
        solutions = [
            solve(
                dockerfile, request.build_args, platform, target=request.target,
                labels=request.labels, contexts=request.contexts, wanted=wanted,
            )
            for wanted in platforms
        ]  # fmt: skip
        for name in request.not_honoured:
            await tell(Warned(f"{name} is not supported and has no effect"))
        found = check(dockerfile, solutions[0], material.ignored)
        await report_checks(
            found,
            material.dockerfile,
            request.shown_dockerfile,
            tell,
            fatal=request.check or fails(dockerfile),
        )
        if request.check:
            return ""
        benches: list[Bench] = []
        used: dict[str, Used] = {}
        for wanted, solution in zip(platforms, solutions, strict=True):
            several = len(platforms) > 1
            private = self._private / f"{work.name}-{len(benches)}"
            bench = Bench(
                self._images, self.cache, self._runner, self._pull, tell, request, material, giver,
                dockerfile, solution, work, private, self._cache_mounts, self._mount_caches,
                platform, wanted, self._clock_ns, read_epoch(request),
                1 + sum(one.solution.steps for one in benches), f"{wanted} " if several else "",
                used=used,
            )  # fmt: skip
            benches.append(bench)
        cache = ""
        try:
            await import_caches(benches[0])
            images = await _run_platforms(benches)
            if request.cache_to in ("min", "max"):
                of = images if request.cache_to == "min" else None
                cache = (await export_cache(benches[0], of)).id
        finally:
            benches[0].release()
            for bench in benches:
                remove_tree(bench.private)
        made, index = images[0].id, None
        if len(images) > 1:
            index = index_of_images(self._images, images)
            made = index.id
        for name in names:
            self._images.tag(images[0], name, index=index)
        if solutions[0].unused_args:
            unused = " ".join(solutions[0].unused_args)
            await tell(Warned(f"One or more build-args [{unused}] were not consumed"))
        await tell(Built(made, tuple(names), cache))
        return made

    async def prune(self, request: PruneRequest) -> tuple[list[str], int]:
        """Drop from the cache what is asked for: (keys, bytes freed). Raises InvalidRequestError."""
        return await prune(self.cache, self._images, request, self._clock_ns())

    async def keep_within_bounds(self) -> None:
        """Drop what was not used for longest where the cache takes more than its share of the disk."""
        share = int(shutil.disk_usage(self._images.scratch).total * DISK_SHARE)
        if sum(record.size for record in self.cache.records()) > share:
            await self.prune(PruneRequest(everything=True, most=share))


def _check(request: BuildRequest) -> tuple[Platform, ...]:
    """What cannot be honoured is refused by its name; the platforms to build for."""
    if request.squash:
        raise NotSupportedError("squash is not supported: use a multi-stage build")
    return read_platforms(request.platform, local_platform())


def read_epoch(request: BuildRequest) -> int | None:
    """SOURCE_DATE_EPOCH in seconds since 1970, None without. Raises InvalidRequestError."""
    text = request.build_args.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not re.fullmatch(r"\d{1,11}", text):
        raise InvalidRequestError(f"SOURCE_DATE_EPOCH={text} is no time: write seconds since 1970")
    return int(text)


async def _run_platforms(benches: list[Bench]) -> list[Image]:
    """The image of each platform; they are made side by side. Raises the first EngineError.

    What they have in common (stages FROM --platform=$BUILDPLATFORM) is made once, by way of the cache.
    """
    await benches[0].tell(Planned(sum(bench.solution.steps for bench in benches)))
    if len(benches) == 1:
        return [await _run_stages(benches[0])]
    images: dict[int, Image] = {}

    async def one(number: int) -> None:
        images[number] = await _run_stages(benches[number])

    try:
        async with trio.open_nursery() as nursery:
            for number in range(len(benches)):
                nursery.start_soon(one, number)
    except BaseExceptionGroup as group:
        failed, others = group.split(EngineError)
        if failed is None or others is not None:
            raise
        raise first_error(failed) from None
    return [images[number] for number in range(len(benches))]


async def _run_stages(bench: Bench) -> Image:
    """All stages that the target needs; the image. Raises the first EngineError."""
    solution = bench.solution
    for number, instruction in enumerate(solution.preamble, start=bench.first):
        await bench.tell(
            Began(Step(number, instruction.source, "", instruction.line), bench.clock_ns())
        )
        await bench.tell(Ended(number, bench.clock_ns()))
    first = len(solution.preamble) + bench.first
    alone = len(solution.all_stages) == 1
    stages: dict[int, StageBuilder] = {}
    for stage in solution.stages:
        titles = stage.titles(alone=alone, prefix=bench.prefix)
        stages[stage.index] = StageBuilder(bench, stage, stages, first, titles)
        first += 1 + len(stage.instructions)
    try:
        async with trio.open_nursery() as nursery:
            for builder in stages.values():
                nursery.start_soon(builder.run)
    except BaseExceptionGroup as group:
        failed, others = group.split(EngineError)
        if failed is None or others is not None:
            raise
        raise first_error(failed) from None
    last = stages[solution.stages[-1].index]
    if not last.snapshot.layers and not last.snapshot.history:
        raise InvalidRequestError("No image was generated: add an instruction after FROM scratch")
    return _image(bench, last.snapshot, last.platform)


def _image(bench: Bench, snapshot: Snapshot, platform: Platform) -> Image:
    """The image; the same as the last time if nothing differs."""
    told = [entry.get("created_by") for entry in snapshot.history[snapshot.inherited :]]
    key = step_key(snapshot.chain, "image", snapshot.config, told, dict(snapshot.kept), bench.epoch)
    found = bench.cache.get(key)
    if found is None:
        found = Remembered(None, timestamp(bench.moment_ns()))
        bench.cache.put(key, found, description="image", kind=MOMENT)
    document = snapshot.document(platform, found.created)
    if bench.request.cache_to == "inline":
        own = Image("", document, snapshot.layers)
        document[FIELD] = {"version": VERSION, "alone": False, "steps": steps_of(bench, [own])}
    return bench.images.add(document, snapshot.layers)
