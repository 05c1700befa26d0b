"""From instructions to what is to be done: stages, the ones the target needs, keys of steps. Pure.

Rules: a named context goes before a stage, and a stage before an image, of the same name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.build.dockerfile import Instruction, fault, parse_trigger
from engine.build.variables import PROXY_ARGS, Arguments, ExpansionError, expand
from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.build.dockerfile import Dockerfile
    from engine.images.registry.manifest import Platform

#: Raised when what an earlier key stood for changes its meaning.
KEY_VERSION = 3
SCRATCH = "scratch"
#: The scheme of a named context that is an image.
IMAGE_CONTEXT = "docker-image://"
#: Instructions that change the file system: they are counted and shown.
VISIBLE = frozenset(("RUN", "COPY", "ADD", "WORKDIR"))


@dataclass(frozen=True, slots=True)
class Named:
    """A named context: an image ("docker-image://x"), or a folder that came with the request."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Stage:
    """FROM and what follows. `base` is an image's name, "scratch", an earlier stage or a context."""

    index: int
    name: str
    base: str | int | Named
    platform: str
    opening: Instruction
    instructions: tuple[Instruction, ...] = ()

    @property
    def label(self) -> str:
        """How people call it."""
        return self.name or f"stage-{self.index}"

    def titles(self, *, alone: bool, prefix: str = "") -> tuple[str, ...]:
        """What people see for FROM and each instruction; "" for those that are not shown."""
        count = 1 + sum(one.name in VISIBLE for one in self.instructions)
        prefix += f"{self.name} " if self.name else "" if alone else f"{self.label} "
        found, number = [f"[{prefix}1/{count}] {one_line(self.opening.source)}"], 1
        for one in self.instructions:
            number += one.name in VISIBLE
            shown = f"[{prefix}{number}/{count}] {one_line(one.source)}"
            found.append(shown if one.name in VISIBLE else "")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Solution:
    """What to build, in order; the last stage is the target."""

    preamble: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    arguments: Arguments
    unused_args: tuple[str, ...]
    all_stages: tuple[Stage, ...] = ()

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
    contexts: Mapping[str, str] | None = None,
    wanted: Platform | None = None,
) -> Solution:
    """The stages the target needs, with the request's labels at its end.

    `platform` is built on, `wanted` built for (None: the same). Raises InvalidRequestError.
    """
    preamble, rest = _preamble(dockerfile)
    predefined = {
        **platform_args(platform, wanted or platform),
        "TARGETSTAGE": target or "default",
    }
    arguments = _global_arguments(preamble, given, predefined, dockerfile.escape)
    named = {key.lower(): Named(key, value) for key, value in (contexts or {}).items()}
    stages = [_replaced(one, named) for one in _stages(rest, arguments, dockerfile.escape)]
    last = _target(stages, target)
    stages = stages[: last.index + 1]
    if labels:
        extra = _label_instruction(labels, dockerfile.escape, last.opening.line)
        stages[-1] = replace(last, instructions=(*last.instructions, extra))
    needed = _needed(stages, named, dockerfile.escape)
    return Solution(
        preamble,
        tuple(stage for stage in stages if stage.index in needed),
        arguments,
        _unused(dockerfile, given, predefined),
        tuple(stages),
    )


def one_line(text: str) -> str:
    """An instruction as one line of output."""
    return " ".join(text.split())


def _replaced(stage: Stage, named: Mapping[str, Named]) -> Stage:
    """The stage, or the named context in its place."""
    if stage.name in named:
        return replace(stage, base=named[stage.name], instructions=())
    if isinstance(stage.base, str) and stage.base.lower() in named:
        return replace(stage, base=named[stage.base.lower()])
    return stage


def find_stage(name: str, stages: Sequence[Stage]) -> int | None:
    """The index of an earlier stage by name or number, None if it is none."""
    for stage in reversed(stages):
        if stage.name and stage.name == name.lower():
            return stage.index
    return int(name) if name.isdecimal() and int(name) < len(stages) else None


def platform_args(platform: Platform, wanted: Platform) -> dict[str, str]:
    """The arguments that tell of the platforms: the one to build on, and the one to build for."""
    found = {"TARGETSTAGE": ""}
    for side, one in (("BUILD", platform), ("TARGET", wanted)):
        found |= {
            f"{side}PLATFORM": str(one), f"{side}OS": one.os, f"{side}ARCH": one.architecture,
            f"{side}VARIANT": one.variant,
        }  # fmt: skip
    return found


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
    predefined: Mapping[str, str],
    escape: str,
) -> Arguments:
    """`globals` hold the platform's arguments and those declared before the first FROM."""
    arguments = Arguments(
        given, {**predefined, **{k: v for k, v in given.items() if k in predefined}}
    )
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


def _needed(stages: list[Stage], named: Mapping[str, Named], escape: str) -> set[int]:
    """The indices of the last stage and all it stands on or copies from, also by its base's ONBUILD."""
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
        for instruction in (*_triggers(stage, stages, escape), *stage.instructions):
            names = [instruction.flag("from"), *map(mount_from, instruction.all_flags("mount"))]
            taken = [name for name in names if name and name.lower() not in named]
            found = [find_stage(name, stages[:index]) for name in taken]
            todo += [number for number in found if number is not None]
    return needed


def _triggers(stage: Stage, stages: list[Stage], escape: str) -> list[Instruction]:
    """What an earlier stage that this one stands on has for it to do (ONBUILD)."""
    if not isinstance(stage.base, int):
        return []
    base = stages[stage.base].instructions
    found = [one for one in base if one.name == "ONBUILD"]
    return [parse_trigger(one.words[0], stage.opening.line, escape) for one in found]


def mount_from(text: str) -> str:
    """The `from` of a --mount, "" if it has none."""
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    return fields.get("from", "")


def _unused(
    dockerfile: Dockerfile, given: Mapping[str, str | None], predefined: Iterable[str]
) -> tuple[str, ...]:
    known = set(PROXY_ARGS) | set(predefined) | {"SOURCE_DATE_EPOCH", "BUILDKIT_SYNTAX"}
    for instruction in dockerfile.instructions:
        if instruction.name == "ARG":
            known.update(word.partition("=")[0] for word in instruction.words)
    return tuple(sorted(name for name in set(given) - known if not name.startswith("BUILDKIT_")))


def _label_instruction(labels: Mapping[str, str], escape: str, line: int) -> Instruction:
    """The request's labels as one more instruction; quoted, so that nothing in them is expanded."""
    words = tuple(
        f"{_quoted(key, escape)}={_quoted(value, escape)}" for key, value in sorted(labels.items())
    )
    rest = " ".join(words)
    return Instruction(line, "LABEL", f"LABEL {rest}", rest, words)


def _quoted(text: str, escape: str) -> str:
    inner = "".join(escape + char if char in ('"', "$", escape) else char for char in text)
    return f'"{inner}"'
