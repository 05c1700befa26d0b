"""RUN: the command, the environment and the mounts of one instruction. Pure but for `prepare`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.build.dockerfile import fault
from engine.build.metadata import argv_of, environment
from engine.build.variables import ExpansionError, Lookup, expand
from engine.errors import NotSupportedError

if TYPE_CHECKING:
    from engine.build.dockerfile import Instruction
    from engine.build.metadata import Config
    from engine.build.variables import Arguments

NETWORKS = ("default", "none", "host")
_END = "PYCOMPOSE_END_OF_SCRIPT"


@dataclass(frozen=True, slots=True)
class MountWish:
    """One RUN --mount: `kind` is bind, cache or tmpfs."""

    kind: str
    target: str
    source: str = ""
    origin: str = ""
    cache_id: str = ""
    read_only: bool = False
    size: int = 0


def command(config: Config, instruction: Instruction) -> tuple[str, ...]:
    """The argv of a RUN, here-documents included."""
    documents = instruction.heredocs
    if not documents:
        return tuple(argv_of(config, instruction.words, exec_form=instruction.exec_form))
    first = documents[0]
    alone = len(documents) == 1 and instruction.rest.lstrip("0123456789").startswith("<<")
    if alone and len(instruction.rest.split()) == 1:
        if not first.text.startswith("#!"):
            return tuple(argv_of(config, (first.text,), exec_form=False))
        interpreter, _, _ = first.text[2:].partition("\n")
        script = f"exec {interpreter.strip()} /dev/fd/3 3<<'{_END}'\n{first.text}{_END}\n"
        return ("/bin/sh", "-c", script)
    parts = [instruction.rest, "\n"]
    for document in documents:
        parts += [document.content, document.name, "\n"]
    return tuple(argv_of(config, ("".join(parts),), exec_form=False))


def run_environment(config: Config, arguments: Arguments) -> tuple[str, ...]:
    """ENV, and the build arguments in scope that it does not hide."""
    env = environment(config)
    extra = {**arguments.proxies(), **arguments.values()}
    return (
        *(config.get("Env") or ()),
        *(f"{name}={value}" for name, value in sorted(extra.items()) if name not in env),
    )


def told(config: Config, argv: tuple[str, ...], arguments: Arguments) -> str:
    """The history's created_by: the arguments in scope, then the command."""
    env = environment(config)
    seen = sorted(f"{k}={v}" for k, v in arguments.values().items() if k not in env)
    prefix = f"|{len(seen)} {' '.join(seen)} " if seen else ""
    return prefix + " ".join(argv)


def shown(argv: tuple[str, ...]) -> str:
    """The command as an error names it."""
    return " ".join(argv)


def network(instruction: Instruction, otherwise: str) -> str:
    """--network of a RUN, else the request's. Raises InvalidRequestError, NotSupportedError."""
    if instruction.flag("security") not in (None, "sandbox"):
        raise NotSupportedError(
            f"Dockerfile:{instruction.line}: RUN --security=insecure is not supported: remove it"
        )
    wanted = instruction.flag("network")
    if wanted is None or wanted == "default":
        return otherwise
    if wanted not in NETWORKS:
        raise fault(
            instruction.line, f"RUN --network={wanted} is unknown: take default, none or host"
        )
    return wanted


def mounts(instruction: Instruction, lookup: Lookup, escape: str) -> tuple[MountWish, ...]:
    """The --mount flags. Raises InvalidRequestError, NotSupportedError."""
    wishes = []
    for text in instruction.all_flags("mount"):
        try:
            fields = _fields(expand(text, lookup, escape))
            wishes.append(_wish(fields))
        except NotSupportedError as error:
            raise NotSupportedError(f"Dockerfile:{instruction.line}: {error.message}") from error
        except (ExpansionError, ValueError) as error:
            raise fault(instruction.line, f"RUN --mount={text}: {error}") from error
    return tuple(wishes)


def _fields(text: str) -> dict[str, str]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = ",", True, ""
    same = {"dst": "target", "destination": "target", "src": "source", "ro": "readonly",
            "rw": "readwrite"}  # fmt: skip
    pairs = (part.partition("=") for part in lexer)
    return {same.get(key, key): value if equals else "true" for key, equals, value in pairs}


def _wish(fields: dict[str, str]) -> MountWish:
    """Raises ValueError for what is wrong, NotSupportedError for what is not honoured."""
    kind = fields.pop("type", "bind")
    if kind in ("secret", "ssh"):
        raise NotSupportedError(
            f"RUN --mount=type={kind} is not supported: it needs BuildKit's session; "
            "pass what is not secret as a build argument, or fetch at run time"
        )
    if kind not in ("bind", "cache", "tmpfs"):
        raise ValueError(f"unknown type {kind}: there are bind, cache and tmpfs")
    target = fields.pop("target", "")
    if not target:
        raise ValueError("the target is missing: add target=/path")
    source, origin = fields.pop("source", ""), fields.pop("from", "")
    read_only = fields.pop("readonly", "true" if kind == "bind" else "false") == "true"
    writable = fields.pop("readwrite", "false") == "true"
    if kind == "bind" and (writable or not read_only):
        raise NotSupportedError("RUN --mount=type=bind,rw is not supported: copy what changes")
    if kind == "cache":
        _check_cache(fields, source or origin)
    cache_id, size = fields.pop("id", target), fields.pop("size", "0")
    if fields:
        raise ValueError(f"unknown key {min(fields)}")
    if not size.isdecimal():
        raise ValueError(f"size={size} is no number of bytes")
    return MountWish(kind, target, source, origin, cache_id, read_only and not writable, int(size))


def _check_cache(fields: dict[str, str], origin: str) -> None:
    """What a cache cannot have here; takes the keys it looked at."""
    if origin:
        raise NotSupportedError("RUN --mount=type=cache,from=... is not supported: remove from")
    for name, usual in (("uid", "0"), ("gid", "0"), ("mode", "0755")):
        if fields.pop(name, usual).lstrip("0") != usual.lstrip("0"):
            raise NotSupportedError(f"RUN --mount=type=cache,{name}=... is not supported")
    if fields.pop("sharing", "shared") not in ("shared", "locked", "private"):
        raise ValueError("sharing is shared, locked or private")
