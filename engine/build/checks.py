"""The Dockerfile's checks: what is legal and likely wrong, as warnings. Pure but for the telling.

Rules are named as Docker names them: https://docs.docker.com/reference/build-checks/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.build.events import Warned
from engine.build.excerpt import excerpt_at
from engine.build.ignore import parse_ignore
from engine.build.solve import SCRATCH
from engine.build.variables import PROXY_ARGS
from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.build.dockerfile import Dockerfile, Instruction
    from engine.build.events import Tell
    from engine.build.solve import Solution, Stage

_URL = "https://docs.docker.com/go/dockerfile/rule/"
_SECRET_WORDS = re.compile(
    r"(^|_)(apikey|auth|credentials?|git|key|passwd|password|pword|secret|token)(_|$)",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(r"public", re.IGNORECASE)
_USE = re.compile(r"(?<!\\)\$(?:\{([A-Za-z_]\w*)(:?[-+?])?|([A-Za-z_]\w*))")
_EXPANDED = frozenset(
    ("ADD", "COPY", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")
)
_PREDEFINED = frozenset(
    f"{side}{what}"
    for side in ("BUILD", "TARGET")
    for what in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
_RESERVED = frozenset(("scratch", "context"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One warning."""

    rule: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """`# check=skip=A,B;error=true`."""

    skipped: frozenset[str] = frozenset()
    everything_skipped: bool = False
    fatal: bool = False


def read_setting(text: str) -> Setting:
    """The check directive. Raises InvalidRequestError."""
    skipped: set[str] = set()
    fatal = False
    for part in filter(None, text.split(";")):
        key, _, value = part.partition("=")
        if key.strip() == "skip":
            skipped.update(name.strip() for name in value.split(","))
        elif key.strip() == "error":
            if value.strip() not in ("true", "false"):
                raise InvalidRequestError(
                    f"check directive: error={value} is neither true nor false"
                )
            fatal = value.strip() == "true"
        elif key.strip() != "experimental":
            raise InvalidRequestError(
                f"check directive: unknown key {key}: there are skip and error"
            )
    return Setting(frozenset(skipped), "all" in skipped, fatal)


def check(dockerfile: Dockerfile, solution: Solution, ignored: str = "") -> tuple[Finding, ...]:
    """What the checks find, by line; rules the directive skips are left out."""
    setting = read_setting(dockerfile.check)
    if setting.everything_skipped:
        return ()
    found = [
        *_of_file(dockerfile),
        *_of_stages(dockerfile, solution),
        *_of_copies(solution, ignored),
    ]
    kept = {one for one in found if one.rule not in setting.skipped}
    return tuple(sorted(kept, key=lambda one: (one.line, one.rule)))


def fails(dockerfile: Dockerfile) -> bool:
    """Whether the check directive makes warnings errors."""
    return read_setting(dockerfile.check).fatal


async def report_checks(
    found: tuple[Finding, ...], text: str, name: str, tell: Tell, *, fatal: bool
) -> None:
    """Tell the findings with the lines they are about; `name` is the Dockerfile's. Raises InvalidRequestError if they are fatal."""
    for one in found:
        url = f"{_URL}{_kebab(one.rule)}/"
        place = f"{name}:{one.line}"
        await tell(Warned(one.text, one.line, one.rule, url, place, excerpt_at(one.line, text)))
    if found and fatal:
        first = found[0]
        plural = "s" if len(found) > 1 else ""
        raise InvalidRequestError(
            f"Dockerfile:{first.line}: lint violation found for rule {first.rule}: {first.text} "
            f"({len(found)} warning{plural})"
        )


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def _of_file(dockerfile: Dockerfile) -> Iterator[Finding]:
    """What single instructions and their spelling show."""
    names = [one.source.split(None, 1)[0] for one in dockerfile.instructions]
    upper = sum(name.isupper() for name in names) * 2 >= len(names)
    for one, name in zip(dockerfile.instructions, names, strict=True):
        if not (name.isupper() if upper else name.islower()):
            case = "uppercase" if upper else "lowercase"
            yield Finding("ConsistentInstructionCasing", one.line,
                          f"Command '{name}' should match the case of the command majority ({case})")  # fmt: skip
        yield from _of_instruction(one)
    yield from _empty_continuations(dockerfile)


def _of_instruction(one: Instruction) -> Iterator[Finding]:
    line = one.line
    if one.name == "MAINTAINER":
        yield Finding("MaintainerDeprecated", line,
                      "Maintainer instruction is deprecated in favor of using label")  # fmt: skip
    if one.name in ("CMD", "ENTRYPOINT") and not one.exec_form:
        yield Finding("JSONArgsRecommended", line,
                      f"JSON arguments recommended for {one.name} to prevent unintended behavior "
                      "related to OS signals")  # fmt: skip
    if one.name in ("ENV", "LABEL") and "=" not in one.rest.split(None, 1)[0]:
        yield Finding("LegacyKeyValueFormat", line,
                      f'"{one.name} key=value" should be used instead of legacy "{one.name} key value" format')  # fmt: skip
    if one.name in ("ENV", "ARG"):
        for word in one.words:
            key = word.partition("=")[0].strip("'\"")
            if _SECRET_WORDS.search(key) and not _NOT_SECRET.search(key):
                yield Finding("SecretsUsedInArgOrEnv", line,
                              "Do not use ARG or ENV instructions for sensitive data "
                              f'({one.name} "{key}")')  # fmt: skip
    yield from _of_ports(one)


def _of_ports(one: Instruction) -> Iterator[Finding]:
    line = one.line
    if one.name == "EXPOSE":
        for word in one.words:
            port, _, protocol = word.partition("/")
            if protocol != protocol.lower():
                yield Finding("ExposeProtoCasing", line,
                              f"Defined protocol '{word}' in EXPOSE instruction should be lowercase")  # fmt: skip
            if ":" in port:
                yield Finding("ExposeInvalidFormat", line,
                              f"EXPOSE instruction should not define an IP address or host-port mapping, found '{word}'")  # fmt: skip


def _empty_continuations(dockerfile: Dockerfile) -> Iterator[Finding]:
    """Blank lines within an instruction: a future version may end it there."""
    ends = re.compile(rf"{re.escape(dockerfile.escape)}[ \t]*$")
    documents = [range(one.line, one.last + 1) for one in dockerfile.instructions if one.heredocs]
    inside = start = 0
    for number, text in enumerate(dockerfile.lines, start=1):
        stripped = text.strip()
        if inside and not stripped and not any(start in lines for lines in documents):
            yield Finding("NoEmptyContinuation", number, "Empty continuation line")
            inside = 0
            continue
        if stripped.startswith("#"):
            continue
        going = bool(ends.search(text))
        if going and not inside:
            start = number
        inside = int(going)


def _of_stages(dockerfile: Dockerfile, solution: Solution) -> Iterator[Finding]:
    names: dict[str, str] = {}
    for one in dockerfile.instructions:
        if one.name == "FROM" and len(one.words) == 3:
            yield from _of_opening(one, names)
    declared = {w.partition("=")[0] for i in solution.preamble for w in i.words}
    known: dict[int, set[str] | None] = {}
    for stage in solution.all_stages:
        yield from _of_from(stage, declared, solution)
        known[stage.index] = _known_names(stage, known)
        yield from _of_stage(stage, known)


def _of_opening(one: Instruction, names: dict[str, str]) -> Iterator[Finding]:
    name, word = one.words[2], one.words[1]
    written = one.source.split(None, 1)[0]
    if name != name.lower():
        yield Finding("StageNameCasing", one.line, f"Stage name '{name}' should be lowercase")
    if word.isupper() != written.isupper():
        yield Finding("FromAsCasing", one.line,
                      f"'{word.lower()}' and '{written}' keywords' casing do not match")  # fmt: skip
    if name.lower() in _RESERVED:
        yield Finding(
            "ReservedStageName",
            one.line,
            f"'{name}' is a reserved name and should not be used as a stage name",
        )
    names[name.lower()] = name


def _of_from(stage: Stage, declared: set[str], solution: Solution) -> Iterator[Finding]:
    one = stage.opening
    platform = one.flag("platform") or ""
    if platform in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
        yield Finding("RedundantTargetPlatform", one.line,
                      f"Setting platform to predefined {platform} in FROM is redundant as this is the default behavior")  # fmt: skip
    elif platform and "$" not in platform:
        yield Finding("FromPlatformFlagConstDisallowed", one.line,
                      f'FROM --platform flag should not use constant value "{platform}"')  # fmt: skip
    for found in _USE.finditer(one.words[0]):
        name = found[1] or found[3]
        if name not in declared | _PREDEFINED | {"TARGETSTAGE"} and not found[2]:
            yield Finding("UndefinedArgInFrom", one.line,
                          f"FROM argument '{name}' is not declared")  # fmt: skip
        elif name in declared and solution.arguments.globals.get(name) is None and not found[2]:
            yield Finding("InvalidDefaultArgInFrom", one.line,
                          f"Default value for ARG {one.words[0]} results in empty or invalid base image name")  # fmt: skip


def _known_names(stage: Stage, known: dict[int, set[str] | None]) -> set[str] | None:
    """The variables a stage begins with, None where an unknown image may bring any."""
    if stage.base == SCRATCH:
        return {"PATH"}
    if isinstance(stage.base, int):
        below = known.get(stage.base)
        return None if below is None else set(below)
    return None


def _of_stage(stage: Stage, known: dict[int, set[str] | None]) -> Iterator[Finding]:
    names = known[stage.index]
    seen = set(names or ())
    rooted = isinstance(stage.base, int)
    last: dict[str, int] = {}
    for one in stage.instructions:
        if one.name in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            if one.name in last:
                yield Finding("MultipleInstructionsDisallowed", last[one.name],
                              f"Multiple {one.name} instructions should not be used in the same stage because only the last one will be used")  # fmt: skip
            last[one.name] = one.line
        if one.name == "WORKDIR":
            relative = not one.words[0].startswith(("/", "$", '"/', "'/"))
            if relative and not rooted:
                yield Finding("WorkdirRelativePath", one.line,
                              f'Relative workdir "{one.words[0]}" can have unexpected results if the base image changes')  # fmt: skip
            rooted = True
        if one.name in _EXPANDED and names is not None:
            yield from _undefined(one, seen | PROXY_ARGS)
        if one.name in ("ARG", "ENV"):
            seen.update(word.partition("=")[0] for word in one.words)
    if names is not None:
        names.update(seen)


def _undefined(one: Instruction, seen: set[str] | frozenset[str]) -> Iterator[Finding]:
    for word in one.words:
        for found in _USE.finditer(word):
            name = found[1] or found[3]
            if name not in seen and not found[2]:
                yield Finding("UndefinedVar", one.line, f"Usage of undefined variable '${name}'")


def _of_copies(solution: Solution, ignored: str) -> Iterator[Finding]:
    """COPY of what .dockerignore keeps out."""
    if not ignored:
        return
    rules = parse_ignore(ignored)
    for stage in solution.all_stages:
        for one in stage.instructions:
            if one.name not in ("COPY", "ADD") or one.flag("from") or one.heredocs:
                continue
            for word in one.words[:-1]:
                path = word.strip("\"'").removeprefix("./").strip("/")
                plain = path and not re.search(r"[*?\[$]|://", path)
                if plain and path != "." and rules.ignores(path):
                    yield Finding("CopyIgnoredFile", one.line,
                                  f"Attempting to {one.name.title()} file \"{word}\" that is excluded by .dockerignore")  # fmt: skip
