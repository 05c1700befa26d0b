"""One stage carried out: FROM, then each instruction to an image, by the cache or by work."""

from __future__ import annotations

import platform as machine
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.build import copying, files, metadata, running
from engine.build.context import remove_tree
from engine.build.dockerfile import Instruction, fault, parse_trigger
from engine.build.output import Decoder
from engine.build.request import BuildError, RunStep
from engine.build.run_mounts import MOUNT_POINTS, open_mounts
from engine.build.solve import SCRATCH, declared, step_key
from engine.build.variables import ExpansionError, expand
from engine.errors import EngineError, InvalidRequestError, NotFoundError, NotSupportedError
from engine.images.registry.manifest import Platform

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from engine.build.cache import BuildCache
    from engine.build.request import BuildRequest, Pull, Report, StepRunner
    from engine.build.solve import Stage
    from engine.build.variables import Arguments, Lookup
    from engine.images.model import Image
    from engine.images.store import Images

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def local_platform() -> Platform:
    """What this host runs."""
    name = machine.machine()
    variant = "v7" if name == "armv7l" else ""
    return Platform("linux", _ARCHITECTURES.get(name, name), variant)


@dataclass(frozen=True, slots=True)
class Bench:
    """What all stages of one build work with."""

    images: Images
    cache: BuildCache
    runner: StepRunner
    pull: Pull
    report: Report
    request: BuildRequest
    work: Path
    context: Path
    cache_mounts: Path
    escape: str
    platform: Platform
    clock_ns: Callable[[], int]

    async def announce(self, number: int, total: int, text: str) -> None:
        """The line that begins a step."""
        await self.report({"stream": f"Step {number}/{total} : {text}\n"})

    async def find(self, name: str) -> Image:
        """An image by name, pulled if it is missing or `pull` asks for it. Raises EngineError."""
        if not self.request.pull:
            try:
                return self.images.find(name)
            except NotFoundError:
                pass  # pulled below
        await self.pull(name, self.report)
        return self.images.find(name)

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


class StageBuilder:
    """The state of one stage: the image so far, the config the next step starts from."""

    def __init__(
        self, bench: Bench, stage: Stage, arguments: Arguments, done: dict[int, StageBuilder]
    ) -> None:
        self.bench = bench
        self.stage = stage
        self.arguments = arguments
        self.image: Image | None = None
        self.config: metadata.Config = {}
        self._author = ""
        self._cmd_set = False
        self._done = done

    async def run(self, number: int, total: int) -> int:
        """Every instruction of the stage; the number of the last step."""
        await self.bench.announce(number + 1, total, self.stage.opening.source)
        triggers = await self._open()
        await self._show()
        if triggers:
            plural = "s" if len(triggers) > 1 else ""
            await self._say(f"# Executing {len(triggers)} build trigger{plural}\n")
        for trigger in triggers:
            line = self.stage.opening.line
            await self._step(parse_trigger(trigger, line, self.bench.escape))
        for offset, instruction in enumerate(self.stage.instructions, start=2):
            await self.bench.announce(number + offset, total, instruction.source)
            await self._step(instruction)
        return number + 1 + len(self.stage.instructions)

    @property
    def parent_id(self) -> str:
        """The image that the next step stands on, "" for none."""
        return self.image.id if self.image else ""

    async def _open(self) -> list[str]:
        """FROM: the image to stand on; returns its ONBUILD triggers."""
        stage = self.stage
        if stage.platform:
            self._check_platform(stage.platform)
        if isinstance(stage.base, int):
            self.image = self._done[stage.base].image
            config = self._done[stage.base].config
        elif stage.base == SCRATCH:
            config = {}
        else:
            try:
                self.image = await self.bench.find(stage.base)
            except InvalidRequestError as error:
                raise fault(stage.opening.line, f"FROM: {error}") from error
            config = self.image.config
            architecture = self.image.document.get("architecture")
            if architecture and architecture != self.bench.platform.architecture:
                await self._say(
                    f" ---> [Warning] The image's platform (linux/{architecture}) does not match "
                    f"this host's ({self.bench.platform})\n"
                )
        triggers = list(config.get("OnBuild") or ())
        env = list(config.get("Env") or ())
        if "PATH" not in metadata.environment(config):
            env.append(f"PATH={metadata.DEFAULT_PATH}")
        self.config = {**config, "Env": env, "OnBuild": None}
        return triggers

    def _check_platform(self, text: str) -> None:
        line, own = self.stage.opening.line, self.bench.platform
        try:
            wanted = Platform.parse(text)
        except ValueError as error:
            raise fault(line, f"FROM --platform: {error}") from error
        if (wanted.os, wanted.architecture) != (own.os, own.architecture):
            raise NotSupportedError(
                f"Dockerfile:{line}: cannot build for {wanted}: this host runs {own} only"
            )

    async def _step(self, instruction: Instruction) -> None:
        """One instruction, then the image it made."""
        try:
            await self._dispatch(instruction)
        except BuildError:
            raise
        except EngineError as error:
            if not error.message.startswith("Dockerfile:"):
                error.message = (
                    f"Dockerfile:{instruction.line}: {instruction.name}: {error.message}"
                )
            raise
        await self._show()

    async def _dispatch(self, instruction: Instruction) -> None:
        if instruction.name == "RUN":
            await self._run(instruction)
        elif instruction.name in ("COPY", "ADD"):
            await self._copy(instruction)
        elif instruction.name == "WORKDIR":
            await self._workdir(instruction)
        elif instruction.name == "ARG":
            await self._arg(instruction)
        else:
            await self._metadata(instruction)

    def _lookup(self) -> Lookup:
        return self.arguments.lookup(metadata.environment(self.config))

    async def _arg(self, instruction: Instruction) -> None:
        env = metadata.environment(self.config)
        for name, default in declared(instruction, self.arguments, env, self.bench.escape):
            self.arguments = self.arguments.declare(name, default)
        await self._metadata_step(metadata.nop(self.config, f" ARG {instruction.rest}"))

    async def _metadata(self, instruction: Instruction) -> None:
        self.config, comment = metadata.change(
            self.config, instruction, self._lookup(), self.bench.escape, cmd_set=self._cmd_set
        )
        self._cmd_set |= instruction.name == "CMD"
        if instruction.name == "MAINTAINER":
            self._author = instruction.rest
        await self._metadata_step(metadata.nop(self.config, f" {comment}"))

    async def _metadata_step(self, created_by: str) -> None:
        key = step_key(self.parent_id, "config", created_by, self.config, self._author)
        if not await self._hit(key):
            self._commit(created_by, key)

    async def _workdir(self, instruction: Instruction) -> None:
        try:
            text = expand(instruction.words[0], self._lookup(), self.bench.escape)
        except ExpansionError as error:
            raise fault(instruction.line, f"WORKDIR: {error}") from error
        path = metadata.working_dir(self.config, text)
        self.config = {**self.config, "WorkingDir": path}
        created_by = metadata.nop(self.config, f"WORKDIR {path}")
        key = step_key(self.parent_id, "workdir", created_by, self.config, self._author)
        if await self._hit(key):
            return
        async with self.bench.folder() as work:
            made = await trio.to_thread.run_sync(_make_folder, self._lower(), work, path)
            if made:
                await self._commit_layer(work / "upper", created_by, key)
            else:
                self._commit(created_by, key)

    async def _copy(self, instruction: Instruction) -> None:
        plan = copying.plan_copy(
            instruction,
            self._lookup(),
            self.bench.escape,
            self.config.get("WorkingDir") or "/",
        )
        async with self.bench.folder() as work:
            fetched = work / "fetched"
            await trio.to_thread.run_sync(copying.write_inline, plan, fetched)
            for url in plan.urls:
                await copying.download(url, fetched, plan.checksum)
            origin = await self.origin(plan.origin, work)
            digests = await trio.to_thread.run_sync(copying.digests, plan, origin, fetched)
            what = digests[0] if len(digests) == 1 else f"multi:{step_key('', digests)[7:]}"
            comment = f"{instruction.name} {what} in {plan.destination} "
            created_by = metadata.nop(self.config, comment)
            options = [plan.chown, plan.chmod, instruction.name]
            key = step_key(self.parent_id, "copy", digests, plan.destination, options, self.config)
            if await self._hit(key):
                return
            upper = await trio.to_thread.run_sync(
                copying.apply, plan, origin, fetched, self._lower(), work
            )
            await self._commit_layer(upper, created_by, key)

    async def origin(self, name: str, work: Path) -> copying.Origin:
        """Where COPY --from (or without) takes from."""
        if not name:
            return copying.Origin(self.bench.context, (), work)
        image = await self.image_of(name)
        lower = self.bench.images.lower_dirs(image) if image else ()
        return copying.Origin(None, lower, work, name)

    async def image_of(self, name: str) -> Image | None:
        """The image behind a `from`: an earlier stage by name or number, else any image."""
        stages = [builder.stage for builder in self._done.values()]
        by_index = {stage.index: stage for stage in stages}
        index = next((s.index for s in stages if s.name and s.name == name.lower()), None)
        if index is None and name.isdecimal():
            index = int(name)
            if index not in by_index:
                raise InvalidRequestError(f"there is no stage {name} before this one")
        if index is None and name.lower() == self.stage.name:
            raise InvalidRequestError(f"{name} is this very stage: take from an earlier one")
        return self._done[index].image if index is not None else await self.bench.find(name)

    async def _run(self, instruction: Instruction) -> None:
        bench, request = self.bench, self.bench.request
        argv = running.command(self.config, instruction)
        network = running.network(instruction, request.network_mode)
        wishes = running.mounts(instruction, self._lookup(), bench.escape)
        created_by = running.told(self.config, argv, self.arguments)
        async with bench.folder() as work, open_mounts(self, wishes, work) as (mounts, facts):
            key = step_key(self.parent_id, "run", argv, created_by, network, facts)
            if await self._hit(key):
                return
            if self.image is None:
                raise InvalidRequestError("the stage is empty: nothing can run on FROM scratch yet")
            step = RunStep(
                self.image.id,
                argv,
                running.run_environment(self.config, self.arguments),
                self.config.get("User") or "",
                self.config.get("WorkingDir") or "/",
                network,
                request.extra_hosts,
                request.shm_size,
                self.config.get("Labels") or {},
                mounts,
            )
            targets = (*MOUNT_POINTS, *(mount.target for mount in mounts))
            await self._execute(step, created_by, key, instruction.line, targets)

    async def _execute(
        self, step: RunStep, created_by: str, key: str, line: int, targets: tuple[str, ...]
    ) -> None:
        decoder = Decoder(self.bench.report)
        result = await self.bench.runner.run(step, decoder.feed)
        try:
            await decoder.finish(result.container_id)
            if result.exit_code:
                raise BuildError(running.shown(step.argv), result.exit_code, line)
            folder = Path(result.upper)
            strip = partial(files.strip_mount_points, folder, self._lower(), targets)
            await trio.to_thread.run_sync(strip)
            await self._commit_layer(folder, created_by, key)
        finally:
            with trio.CancelScope(shield=True):
                await self.bench.runner.discard(result)
        await self._say(f"Removing intermediate container {result.container_id[:12]}\n")

    def _lower(self) -> tuple[str, ...]:
        return self.bench.images.lower_dirs(self.image) if self.image else ()

    async def _hit(self, key: str) -> bool:
        """Take the image from the cache if it is there."""
        image = None if self.bench.request.no_cache else self.bench.cache.get(key)
        if image is None:
            return False
        await self._say(" ---> Using cache\n")
        self._take(image)
        return True

    def _commit(self, created_by: str, key: str) -> None:
        """An image that differs in its config alone."""
        below = self.image.layers if self.image else ()
        document = self._document(created_by, empty=True)
        document["rootfs"] = {"type": "layers", "diff_ids": [layer.diff_id for layer in below]}
        image = self.bench.images.add(document, below, self.parent_id)
        self.bench.cache.put(key, image, created_by)
        self._take(image)

    async def _commit_layer(self, upper: Path, created_by: str, key: str) -> None:
        """An image with one more layer; the upper folder is consumed."""
        document = self._document(created_by, empty=False)
        image = await self.bench.images.add_layer(self.image, upper, document)
        self.bench.cache.put(key, image, created_by, image.layers[-1].size)
        self._take(image)

    def _take(self, image: Image) -> None:
        self.image = image
        self.config = image.config

    def _document(self, created_by: str, *, empty: bool) -> dict[str, Any]:
        now_ns = self.bench.clock_ns()
        moment = datetime.fromtimestamp(now_ns // 10**9, UTC)
        created = f"{moment:%Y-%m-%dT%H:%M:%S}.{now_ns % 10**9:09d}Z"
        below = self.image.document if self.image else {}
        platform = self.bench.platform
        entry: dict[str, Any] = {"created": created, "created_by": created_by}
        if self._author:
            entry["author"] = self._author
        if empty:
            entry["empty_layer"] = True
        kept = {
            key: below[key]
            for key in ("architecture", "os", "variant", "author", "os.version")
            if below.get(key)
        }
        document = {
            "architecture": platform.architecture,
            "os": platform.os,
            **kept,
            "created": created,
            "config": self.config,
            "history": [*(below.get("history") or ()), entry],
        }
        if self._author:
            document["author"] = self._author
        return document

    async def _show(self) -> None:
        """The image so far, as Docker shows it after each step."""
        await self._say(f" ---> {self.image.id[7:19] if self.image else ''}\n")

    async def _say(self, text: str) -> None:
        await self.bench.report({"stream": text})


def _make_folder(lower: tuple[str, ...], work: Path, path: str) -> bool:
    with files.mounted(lower, work) as root:
        return files.make_folder(root, path)
