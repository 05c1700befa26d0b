"""A build carried out: each step is an image on top of the one before, taken from the cache if it can.

Rules: steps are run one after the other and told as Docker's classic builder tells them; what a
step needs on disk is gone when it ends, however it ends; decisions are in the pure rooms.
"""

from __future__ import annotations

import secrets
import time
from typing import IO, TYPE_CHECKING

import trio

from engine.build.cache import BuildCache
from engine.build.context import Context, receive, remove_tree
from engine.build.dockerfile import parse
from engine.build.request import (
    BuildError,
    BuildRequest,
    Output,
    Pull,
    Report,
    RunMount,
    RunResult,
    RunStep,
    StepRunner,
)
from engine.build.solve import solve
from engine.build.stage import Bench, StageBuilder, local_platform
from engine.errors import InvalidRequestError, NotSupportedError
from engine.images.reference import parse_reference
from engine.images.registry.manifest import Platform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from engine.build.solve import Solution
    from engine.images.model import Image
    from engine.images.store import Images
    from engine.storage.database import Database

__all__ = [
    "BuildError",
    "BuildRequest",
    "Builder",
    "Output",
    "Pull",
    "Report",
    "RunMount",
    "RunResult",
    "RunStep",
    "StepRunner",
]


class Builder:
    """Builds images from Dockerfiles. `cache_mounts` is the folder of RUN --mount=type=cache."""

    def __init__(
        self,
        images: Images,
        database: Database,
        runner: StepRunner,
        pull: Pull,
        cache_mounts: Path,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.cache = BuildCache(images, database, clock_ns)
        self._images = images
        self._runner = runner
        self._pull = pull
        self._cache_mounts = cache_mounts
        self._clock_ns = clock_ns

    async def build(self, request: BuildRequest, context: IO[bytes], report: Report) -> str:
        """Build what the context's Dockerfile says; returns the image's id.

        `context` is a tar, compressed or not. Raises BuildError for a RUN that fails,
        InvalidRequestError for a bad Dockerfile, other EngineErrors.
        """
        platform = _check(request)
        tags = [parse_reference(tag).familiar for tag in request.tags]
        work = self._images.scratch / f"build-{secrets.token_hex(6)}"
        try:
            await trio.to_thread.run_sync(work.mkdir)
            unpacked = await trio.to_thread.run_sync(
                receive, context, work / "context", request.dockerfile
            )
            tell = _only_errors if request.quiet else report
            image = await self._build(request, unpacked, work, platform, tell)
            for tag in tags:
                self._images.tag(image, tag)
            await _finish(image, tags, tell)
            if request.quiet:
                await report({"stream": f"{image.id}\n"})
            return image.id
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(remove_tree, work)

    async def _build(
        self,
        request: BuildRequest,
        context: Context,
        work: Path,
        platform: Platform,
        report: Report,
    ) -> Image:
        dockerfile = parse(context.dockerfile)
        solution = solve(
            dockerfile, request.build_args, platform, target=request.target, labels=request.labels
        )
        for name in request.not_honoured:
            await report({"stream": f"[Warning] {name} is not supported and has no effect\n"})
        bench = Bench(
            self._images, self.cache, self._runner, self._pull, report, request, work,
            context.folder, self._cache_mounts, dockerfile.escape, platform, self._clock_ns,
        )  # fmt: skip
        image = await _run_stages(bench, solution)
        if solution.unused_args:
            names = " ".join(solution.unused_args)
            await report(
                {"stream": f"[Warning] One or more build-args [{names}] were not consumed\n"}
            )
        return image


def _check(request: BuildRequest) -> Platform:
    """What cannot be honoured is refused by its name; the platform to build for."""
    if request.squash:
        raise NotSupportedError("squash is not supported: use a multi-stage build")
    if request.remote:
        raise NotSupportedError(
            "a remote build context is not supported: fetch it and build the folder"
        )
    own = local_platform()
    if not request.platform:
        return own
    try:
        wanted = Platform.parse(request.platform)
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error
    if (wanted.os, wanted.architecture) != (own.os, own.architecture):
        raise NotSupportedError(f"cannot build for {wanted}: this host runs {own} only")
    return wanted


async def _run_stages(bench: Bench, solution: Solution) -> Image:
    done: dict[int, StageBuilder] = {}
    number = 0
    for instruction in solution.preamble:
        number += 1
        await bench.announce(number, solution.steps, instruction.source)
    for stage in solution.stages:
        builder = StageBuilder(bench, stage, solution.arguments, done)
        number = await builder.run(number, solution.steps)
        done[stage.index] = builder
    image = done[solution.stages[-1].index].image
    if image is None:
        raise InvalidRequestError("No image was generated: add an instruction after FROM scratch")
    return image


async def _finish(image: Image, tags: list[str], report: Report) -> None:
    await report({"aux": {"ID": image.id}})
    await report({"stream": f"Successfully built {image.id[7:19]}\n"})
    for tag in tags:
        await report({"stream": f"Successfully tagged {tag}\n"})


async def _only_errors(_message: dict[str, Any]) -> None:
    """A quiet build tells nothing but its result."""
