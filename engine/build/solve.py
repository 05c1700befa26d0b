"""From instructions to what is to be done: stages, the ones the target needs, keys of steps. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.build.dockerfile import Instruction, fault
from engine.build.variables import PROXY_ARGS, Arguments, ExpansionError, expand
from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.build.dockerfile import Dockerfile
    from engine.images.registry.manifest import Platform

#: Raised when what an earlier key stood for changes its meaning.
KEY_VERSION = 1
SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Stage:
    """FROM and what follows. `base` is an image name, "scratch", or an earlier stage's index."""

    index: int
    name: str
    base: str | int
    platform: str
    opening: Instruction
    instructions: tuple[Instruction, ...] = ()

    @property
    def label(self) -> str:
        """How people call it."""
        return self.name or str(self.index)


@dataclass(frozen=True, slots=True)
class Solution:
    """What to build, in order; the last stage is the target."""

    preamble: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    arguments: Arguments
    unused_args: tuple[str, ...]

    @property
    def steps(self) -> int:
        """How many steps there are to count, triggers aside."""
        return len(self.preamble) + sum(1 + len(stage.instructions) for stage in self.stages)


def solve(
    dockerfile: Dockerfile,
    given: Mapping[str, str | None],
    platform: Platform,
    *,
    target: str = "",
    labels: Mapping[str, str] | None = None,
) -> Solution:
    """The stages the target needs, with the request's labels at its end.

    Raises InvalidRequestError.
    """
    preamble, rest = _preamble(dockerfile)
    arguments = _global_arguments(preamble, given, platform, dockerfile.escape)
    stages = _stages(rest, arguments, dockerfile.escape)
    wanted = _target(stages, target)
    stages = stages[: wanted.index + 1]
    if labels:
        extra = _label_instruction(labels, dockerfile.escape, wanted.opening.line)
        stages[-1] = replace(wanted, instructions=(*wanted.instructions, extra))
    needed = _needed(stages)
    return Solution(
        preamble,
        tuple(stage for stage in stages if stage.index in needed),
        arguments,
        _unused(dockerfile, given, platform),
    )


def find_stage(name: str, stages: list[Stage]) -> int | None:
    """The index of an earlier stage by name or number, None if it is none."""
    for stage in reversed(stages):
        if stage.name and stage.name == name.lower():
            return stage.index
    return int(name) if name.isdecimal() and int(name) < len(stages) else None


def platform_args(platform: Platform) -> dict[str, str]:
    """The arguments that tell of the platform; build and target are one here."""
    values = {"PLATFORM": str(platform), "OS": platform.os, "ARCH": platform.architecture,
              "VARIANT": platform.variant}  # fmt: skip
    return {f"{side}{name}": text for side in ("BUILD", "TARGET") for name, text in values.items()}


def step_key(parent: str, *parts: Any) -> str:
    """The cache's key of a step on top of a parent image ("" for none)."""
    raw = json.dumps([KEY_VERSION, parent, *parts], sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(raw.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _preamble(dockerfile: Dockerfile) -> tuple[tuple[Instruction, ...], list[Instruction]]:
    found = list(dockerfile.instructions)
    for number, instruction in enumerate(found):
        if instruction.name == "FROM":
            return tuple(found[:number]), found[number:]
        if instruction.name != "ARG":
            raise fault(
                instruction.line,
                f"no build stage in current context: put FROM before {instruction.name}",
            )
    raise fault(found[-1].line, "there is no FROM: add one with the image to build on")


def _global_arguments(
    preamble: tuple[Instruction, ...],
    given: Mapping[str, str | None],
    platform: Platform,
    escape: str,
) -> Arguments:
    """`globals` hold the platform's arguments and those declared before the first FROM."""
    arguments = Arguments(given, platform_args(platform))
    for instruction in preamble:
        for name, default in declared(instruction, arguments, {}, escape):
            arguments = arguments.declare(name, default)
    return Arguments(given, {**arguments.globals, **arguments.declared})


def declared(
    instruction: Instruction, arguments: Arguments, environment: Mapping[str, str], escape: str
) -> list[tuple[str, str | None]]:
    """The names of an ARG and their expanded defaults. Raises InvalidRequestError."""
    found: list[tuple[str, str | None]] = []
    for word in instruction.words:
        name, equals, default = word.partition("=")
        try:
            lookup = arguments.lookup(environment)
            found.append(
                (expand(name, lookup, escape), expand(default, lookup, escape) if equals else None)
            )
        except ExpansionError as error:
            raise fault(instruction.line, f"ARG: {error}") from error
        arguments = arguments.declare(*found[-1])
    return found


def _stages(rest: list[Instruction], arguments: Arguments, escape: str) -> list[Stage]:
    stages: list[Stage] = []
    for instruction in rest:
        if instruction.name == "FROM":
            stages.append(_open_stage(instruction, stages, arguments, escape))
        else:
            last = stages[-1]
            stages[-1] = replace(last, instructions=(*last.instructions, instruction))
    return stages


def _open_stage(
    opening: Instruction, stages: list[Stage], arguments: Arguments, escape: str
) -> Stage:
    lookup = {name: value for name, value in arguments.globals.items() if value is not None}.get
    line = opening.line
    try:
        base = expand(opening.words[0], lookup, escape)
        platform = expand(opening.flag("platform") or "", lookup, escape)
    except ExpansionError as error:
        raise fault(line, f"FROM: {error}") from error
    if not base:
        raise fault(
            line, f"base name ({opening.words[0]}) should not be blank: give its ARG a default"
        )
    name = opening.words[2].lower() if len(opening.words) > 1 else ""
    if name and not (
        name[0].isalpha() and name.replace("-", "").replace("_", "").replace(".", "").isalnum()
    ):
        raise fault(line, f"invalid name for build stage: {name}: take letters, digits, _ - .")
    if name and any(stage.name == name for stage in stages):
        raise fault(line, f"there is a stage {name} already: take another name")
    # a number is an image's name here, unlike in --from
    earlier = next((s.index for s in stages if s.name and s.name == base.lower()), None)
    return Stage(len(stages), name, base if earlier is None else earlier, platform, opening)


def _target(stages: list[Stage], target: str) -> Stage:
    if not target:
        return stages[-1]
    found = find_stage(target, stages)
    if found is None:
        names = ", ".join(stage.label for stage in stages)
        raise InvalidRequestError(
            f"failed to reach build target {target} in Dockerfile: its stages are {names}"
        )
    return stages[found]


def _needed(stages: list[Stage]) -> set[int]:
    """The indices of the last stage and all it stands on or copies from."""
    needed: set[int] = set()
    todo = [stages[-1].index]
    while todo:
        index = todo.pop()
        if index in needed:
            continue
        needed.add(index)
        stage = stages[index]
        if isinstance(stage.base, int):
            todo.append(stage.base)
        for instruction in stage.instructions:
            names = [instruction.flag("from"), *map(mount_from, instruction.all_flags("mount"))]
            found = [find_stage(name, stages[:index]) for name in names if name]
            todo += [number for number in found if number is not None]
    return needed


def mount_from(text: str) -> str:
    """The `from` of a --mount, "" if it has none."""
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    return fields.get("from", "")


def _unused(
    dockerfile: Dockerfile, given: Mapping[str, str | None], platform: Platform
) -> tuple[str, ...]:
    known = set(PROXY_ARGS) | set(platform_args(platform))
    for instruction in dockerfile.instructions:
        if instruction.name == "ARG":
            known.update(word.partition("=")[0] for word in instruction.words)
    return tuple(sorted(set(given) - known))


def _label_instruction(labels: Mapping[str, str], escape: str, line: int) -> Instruction:
    words = tuple(
        f"{_quoted(key, escape)}={_quoted(value, escape)}" for key, value in sorted(labels.items())
    )
    rest = " ".join(words)
    return Instruction(line, "LABEL", f"LABEL {rest}", rest, words)


def _quoted(text: str, escape: str) -> str:
    inner = "".join(escape + char if char in ('"', "$", escape) else char for char in text)
    return f'"{inner}"'
