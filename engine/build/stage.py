"""One stage carried out: FROM, then each instruction to a snapshot, by the cache or by work."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.build import copying, files, metadata, mount_flags, running
from engine.build.cache import Remembered
from engine.build.dockerfile import Instruction, fault, parse_trigger
from engine.build.events import Began, Ended, Said, Step, Warned
from engine.build.mount_points import strip_mount_points
from engine.build.output import Decoder
from engine.build.ownership import read_owner
from engine.build.platforms import check_runs, read_platform
from engine.build.request import BuildError, RunStep
from engine.build.run_mounts import MOUNT_POINTS, MountOpener, open_mounts
from engine.build.snapshot import Snapshot, snapshot_of, timestamp
from engine.build.solve import IMAGE_CONTEXT, SCRATCH, Named, declared, find_stage, step_key
from engine.build.variables import ExpansionError, expand
from engine.errors import EngineError, InvalidRequestError, host_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from engine.build.bench import Bench
    from engine.build.solve import Stage
    from engine.build.variables import Lookup
    from engine.images.model import Image
    from engine.images.registry.manifest import Platform

    #: Does a step's work in a folder; the upper folder with the change, None if there is none.
    Make = Callable[[Path], Awaitable[Path | None]]


class StageBuilder:
    """The state of one stage. `done` is set when `snapshot` is its result.

    `platform` is the stage's own, known once it has begun; `others` are the stages of this build, by number.
    """

    def __init__(
        self, bench: Bench, stage: Stage, others: Mapping[int, StageBuilder], first: int,
        titles: tuple[str, ...],
    ) -> None:  # fmt: skip
        self.bench = bench
        self._others = others
        self.stage = stage
        self.arguments = bench.solution.arguments
        self.snapshot = Snapshot()
        self.platform = bench.wanted
        self.done = trio.Event()
        filtered = {name.lower() for name in bench.request.no_cache_filter}
        self._no_cache = bench.request.no_cache or bool(
            {stage.name, str(stage.index), stage.label} & filtered
        )
        self._first = first
        self._titles = titles
        self._number = first
        self._key = ""
        self._cached = False
        self._cmd_set = False
        self._container = ""

    async def run(self) -> None:
        """Every instruction of the stage. Raises EngineError."""
        async with self._step(self.stage.opening, 0):
            triggers = await self._open()
            if triggers:
                plural = "s" if len(triggers) > 1 else ""
                await self._say(f"# Executing {len(triggers)} build trigger{plural}\n")
            for text in triggers:
                await self._say(f"{text}\n")
                await self._dispatch(
                    parse_trigger(text, self.stage.opening.line, self.bench.escape)
                )
        for offset, instruction in enumerate(self.stage.instructions, start=1):
            async with self._step(instruction, offset):
                await self._dispatch(instruction)
        self.done.set()

    @asynccontextmanager
    async def _step(self, instruction: Instruction, offset: int) -> AsyncIterator[None]:
        """Tell that an instruction begins and ends; its errors say where it is."""
        self._number, self._cached, self._container = self._first + offset, False, ""
        bench = self.bench
        step = Step(self._number, instruction.source, self._titles[offset], instruction.line)
        await bench.tell(Began(step, bench.clock_ns()))
        try:
            with host_errors():
                yield
        except EngineError as error:
            if not isinstance(error, BuildError) and not error.message.startswith("Dockerfile:"):
                error.message = (
                    f"Dockerfile:{instruction.line}: {instruction.name}: {error.message}"
                )
            name = bench.request.shown_dockerfile
            said = str(error).replace("Dockerfile:", f"{name}:", 1)
            await bench.tell(Ended(self._number, bench.clock_ns(), error=said))
            raise
        made = self._key or self.snapshot.chain
        ended = Ended(self._number, bench.clock_ns(), self._cached, "", made, self._container)
        await bench.tell(ended)

    async def _open(self) -> list[str]:
        """FROM: what to stand on; returns its ONBUILD triggers."""
        stage = self.stage
        if stage.platform:
            self.platform = self._read_platform(stage.platform)
        if isinstance(stage.base, int):
            base = self._others[stage.base]
            await base.done.wait()
            self.snapshot, self.arguments = base.snapshot, base.arguments
            self.platform = base.platform
        elif isinstance(stage.base, Named):
            await self._open_named(stage.base)
        elif stage.base != SCRATCH:
            try:
                image = await self.bench.find(stage.base, self._number, self.platform)
            except InvalidRequestError as error:
                raise fault(stage.opening.line, f"FROM: {error}") from error
            await self._stand_on(image)
        else:
            self.snapshot = Snapshot(config={"WorkingDir": "/"})
        config = self.snapshot.config
        triggers = list(config.get("OnBuild") or ())
        env = list(config.get("Env") or ())
        if "PATH" not in metadata.environment(config):
            env.append(f"PATH={metadata.DEFAULT_PATH}")
        config = {**config, "Env": env, "OnBuild": None}
        self.snapshot = replace(self.snapshot, config=config)
        return triggers

    async def _stand_on(self, image: Image) -> None:
        self.snapshot = snapshot_of(image)
        architecture = image.document.get("architecture")
        if architecture and architecture != self.platform.architecture:
            asked = self.stage.platform or self.bench.request.platform
            whose = "the one asked for" if asked else "this host's"
            await self.bench.tell(
                Warned(
                    f"the image's platform (linux/{architecture}) does not match {whose} "
                    f"({self.platform})",
                    self.stage.opening.line,
                )
            )

    async def _open_named(self, named: Named) -> None:
        if named.value.startswith(IMAGE_CONTEXT):
            name = named.value.removeprefix(IMAGE_CONTEXT)
            await self._stand_on(await self.bench.find(name, self._number, self.platform))
            return
        plan = copying.CopyPlan("COPY", (".",), (), (), (), "/", named.name)
        await self._files(
            "context", f"COPY context {named.name} /", partial(self._copy_key, plan),
            partial(self._apply_copy, plan),
        )  # fmt: skip

    def _read_platform(self, text: str) -> Platform:
        try:
            return read_platform(text, self.bench.platform)
        except InvalidRequestError as error:
            raise fault(self.stage.opening.line, f"FROM --platform: {error}") from error

    async def _dispatch(self, instruction: Instruction) -> None:
        match instruction.name:
            case "RUN":
                await self._run(instruction)
            case "COPY" | "ADD":
                await self._copy(instruction)
            case "WORKDIR":
                await self._workdir(instruction)
            case "ARG":
                self._arg(instruction)
            case _:
                self._metadata(instruction)

    def _lookup(self) -> Lookup:
        return self.arguments.lookup(metadata.environment(self.snapshot.config))

    def _arg(self, instruction: Instruction) -> None:
        config = self.snapshot.config
        env = metadata.environment(config)
        for name, default in declared(instruction, self.arguments, env, self.bench.escape):
            self.arguments = self.arguments.declare(name, default)
        self.snapshot = self.snapshot.with_config(config, f"ARG {instruction.rest}")

    def _metadata(self, instruction: Instruction) -> None:
        config, comment = metadata.change(
            self.snapshot.config, instruction, self._lookup(), self.bench.escape, cmd_set=self._cmd_set
        )  # fmt: skip
        self._cmd_set |= instruction.name == "CMD"
        if instruction.name == "MAINTAINER":
            kept = {**self.snapshot.kept, "author": instruction.rest}
            self.snapshot = replace(self.snapshot, kept=kept)
        self.snapshot = self.snapshot.with_config(config, comment)

    async def _workdir(self, instruction: Instruction) -> None:
        try:
            text = expand(instruction.words[0], self._lookup(), self.bench.escape)
        except ExpansionError as error:
            raise fault(instruction.line, f"WORKDIR: {error}") from error
        config = self.snapshot.config
        path = metadata.working_dir(config, text)
        user = str(config.get("User") or "")

        async def key(_work: Path) -> list[Any]:
            return [path, user]

        async def make(work: Path) -> Path | None:
            made = await trio.to_thread.run_sync(_make_folder, self._lower(), work, path, user)
            return work / "upper" if made else None

        await self._files("workdir", f"WORKDIR {path}", key, make)
        config = {**self.snapshot.config, "WorkingDir": path}
        self.snapshot = replace(self.snapshot, config=config)

    async def _copy(self, instruction: Instruction) -> None:
        plan = copying.plan_copy(
            instruction, self._lookup(), self.bench.escape,
            self.snapshot.config.get("WorkingDir") or "/",
        )  # fmt: skip
        flags = [f"--{key}" + (f"={value}" if value else "") for key, value in instruction.flags]
        told = " ".join([plan.name, *flags, *instruction.words[:-1], plan.destination])
        key, apply = partial(self._copy_key, plan), partial(self._apply_copy, plan)
        await self._files("copy", told, key, apply)

    async def _copy_key(self, plan: copying.CopyPlan, work: Path) -> list[Any]:
        fetched = work / "fetched"
        await trio.to_thread.run_sync(copying.write_inline, plan, fetched)
        await copying.fetch(plan, fetched)
        origin = await self.origin(plan.origin, work)
        digests = await trio.to_thread.run_sync(copying.digests, plan, origin, fetched)
        return [
            digests,
            plan.destination,
            plan.chown,
            plan.chmod,
            plan.name,
            plan.link,
            plan.unpack,
        ]

    async def _apply_copy(self, plan: copying.CopyPlan, work: Path) -> Path:
        origin = await self.origin(plan.origin, work)
        apply = partial(copying.apply, plan, origin, work / "fetched", self._lower(), work)
        return await trio.to_thread.run_sync(apply)

    async def origin(self, name: str, work: Path) -> copying.Origin:
        """Where `from` (or nothing) takes from: a named context, a stage, any image."""
        bench = self.bench
        if not name:
            return copying.Origin(bench.material.folder, (), work)
        contexts = {key.lower(): key for key in bench.request.contexts}
        key = contexts.get(name.lower(), "")
        if key:
            value = bench.request.contexts[key]
            if not value.startswith(IMAGE_CONTEXT):
                return copying.Origin(bench.material.contexts[key], (), work, f"context {key}")
            name = value.removeprefix(IMAGE_CONTEXT)
        layers = await self._layers_of(name, anything=not key)
        return copying.Origin(None, layers, work, name)

    async def _layers_of(self, name: str, *, anything: bool) -> tuple[str, ...]:
        """The folders behind a `from`: an earlier stage by name or number, else any image."""
        if anything:
            stages = self.bench.solution.all_stages[: self.stage.index]
            index = find_stage(name, stages)
            if index is not None:
                other = self._others.get(index)
                if other is None:
                    raise InvalidRequestError(
                        f"the stage {name} is not built: nothing else needs it"
                    )
                await other.done.wait()
                return other.lower()
            if name.isdecimal():
                raise InvalidRequestError(f"there is no stage {name} before this one")
            if name.lower() == self.stage.name:
                raise InvalidRequestError(f"{name} is this very stage: take from an earlier one")
        image = await self.bench.find(name, self._number, self.platform)
        return self.bench.images.lower_dirs(image)

    async def _run(self, instruction: Instruction) -> None:
        bench, config = self.bench, self.snapshot.config
        argv = running.command(config, instruction)
        network = running.network(instruction, bench.request.network_mode)
        cwd = config.get("WorkingDir") or "/"
        wishes = mount_flags.mounts(instruction, self._lookup(), bench.escape, cwd)
        if not self.snapshot.layers:
            raise InvalidRequestError("the stage is empty: nothing can run on FROM scratch yet")
        check_runs(self.platform, bench.platform)
        user = str(config.get("User") or "")
        env = running.run_environment(config, self.arguments, proxies=False)
        full = running.run_environment(config, self.arguments)
        async with open_mounts(bench, self.origin) as opener:

            async def key(_work: Path) -> list[Any]:
                await opener.look(wishes)
                return [argv, env, user, cwd, network, opener.prepared.facts]

            async def make(_work: Path) -> Path:
                await opener.open()
                prepared = opener.prepared
                step = RunStep(
                    "", prepared.wrapped(argv), (*full, *prepared.variables), user, cwd, network,
                    bench.request.extra_hosts, bench.request.limits, {}, tuple(prepared.mounts),
                )  # fmt: skip
                return await self._execute(step, instruction.line, opener)

            await self._files("run", running.told(config, argv, self.arguments), key, make)

    async def _execute(self, step: RunStep, line: int, opener: MountOpener) -> Path:
        """Run it; the upper folder, which stays until the opener is closed."""
        bench = self.bench
        draft = bench.images.add_draft(self.snapshot.layers)
        decoder = Decoder(self._output)
        try:
            result = await bench.runner.run(replace(step, image_id=draft.id), decoder.feed)
        finally:
            bench.images.drop_draft(draft)
        opener.at_end(partial(bench.runner.discard, result))
        self._container = result.container_id
        await decoder.finish(result.container_id)
        if result.exit_code:
            raise BuildError(running.shown(step.argv), result.exit_code, line)
        folder = Path(result.upper)
        targets = (*MOUNT_POINTS, *(mount.target for mount in step.mounts))
        strip = partial(strip_mount_points, folder, self._lower(), targets)
        await trio.to_thread.run_sync(strip)
        return folder

    async def _files(
        self, kind: str, created_by: str, facts: Callable[[Path], Awaitable[list[Any]]], make: Make
    ) -> None:
        """A step that may change files: from the cache by its facts, else made and remembered."""
        bench, before = self.bench, self.snapshot
        async with bench.folder() as work:
            key = step_key(before.chain, kind, *await facts(work), bench.epoch)
            self._key = key
            async with bench.cache.turn(key):
                found = None if self._no_cache else bench.cache.get(key)
                self._cached = found is not None
                if found is None:
                    upper = await make(work)
                    layer = await bench.keep(upper, before.chain) if upper is not None else None
                    found = Remembered(layer, timestamp(bench.moment_ns()))
                    chains = () if layer is None else before.with_layer(layer, "", "").chains
                    title = f"{self._titles[self._number - self._first] or created_by}"
                    bench.cache.put(
                        key, found, chains=chains, description=title, parent=bench.parent_of(before.chain)
                    )  # fmt: skip
                bench.use(key, before, found)
        if found.layer is None:
            self.snapshot = before.with_config(before.config, created_by)
        else:
            self.snapshot = before.with_layer(found.layer, created_by, found.created)

    def lower(self) -> tuple[str, ...]:
        """The folders of the stage's layers, the topmost first."""
        return self._lower()

    def _lower(self) -> tuple[str, ...]:
        return self.bench.images.lower_of(self.snapshot.chains)

    async def _say(self, text: str) -> None:
        await self.bench.tell(Said(self._number, 1, text))

    async def _output(self, stream: int, text: str) -> None:
        await self.bench.tell(Said(self._number, stream, text))


def _make_folder(lower: tuple[str, ...], work: Path, path: str, user: str) -> bool:
    with files.mounted(lower, work) as root:
        owner = read_owner(root, user) if user else (0, 0)
        return files.make_folder(root, path, owner)
