"""RUN --mount=...: what is asked for, read and checked. Pure.

Source: https://docs.docker.com/reference/dockerfile/#run---mount.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.build.dockerfile import fault
from engine.build.variables import ExpansionError, Lookup, expand

if TYPE_CHECKING:
    from engine.build.dockerfile import Instruction

#: The keys of each type, `target` aside.
KEYS = {
    "bind": {"source", "from", "readonly", "readwrite"},
    "cache": {"id", "source", "from", "readonly", "readwrite", "sharing", "mode", "uid", "gid"},
    "tmpfs": {"size"},
    "secret": {"id", "source", "required", "mode", "uid", "gid", "env"},
    "ssh": {"id", "required", "mode", "uid", "gid"},
}
_SAME = {
    "dst": "target",
    "destination": "target",
    "src": "source",
    "ro": "readonly",
    "rw": "readwrite",
}
_SIZE = re.compile(r"(\d+)([bkmgt]?)b?", re.IGNORECASE)
_SIZES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True, slots=True)
class MountWish:
    """One RUN --mount. `target` is absolute, "" only for a secret that is an environment variable."""

    kind: str
    target: str
    source: str = ""
    origin: str = ""
    identity: str = ""
    read_only: bool = False
    size: int = 0
    sharing: str = "shared"
    mode: int = 0
    uid: int = 0
    gid: int = 0
    required: bool = False
    variable: str = ""


def mounts(
    instruction: Instruction, lookup: Lookup, escape: str, working_dir: str
) -> tuple[MountWish, ...]:
    """The --mount flags. Raises InvalidRequestError."""
    wishes: list[MountWish] = []
    for text in instruction.all_flags("mount"):
        try:
            wishes.append(_wish(_fields(expand(text, lookup, escape)), working_dir, len(wishes)))
        except (ExpansionError, ValueError) as error:
            raise fault(instruction.line, f"RUN --mount={text}: {error}") from error
    return tuple(wishes)


def _fields(text: str) -> dict[str, str]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = ",", True, ""
    pairs = (part.partition("=") for part in lexer)
    found = {key.lower(): value if equals else "true" for key, equals, value in pairs}
    return {_SAME.get(key, key): value for key, value in found.items()}


def _wish(fields: dict[str, str], working_dir: str, number: int) -> MountWish:
    """Raises ValueError."""
    kind = fields.pop("type", "bind")
    if kind not in KEYS:
        raise ValueError(f"unknown type {kind}: there are {', '.join(KEYS)}")
    target = fields.pop("target", "")
    unknown = sorted(set(fields) - KEYS[kind])
    if unknown:
        can = ", ".join(sorted(KEYS[kind]))
        raise ValueError(f"unknown key {unknown[0]} of type {kind}: there are target, {can}")
    if not target and kind in ("bind", "cache", "tmpfs"):
        raise ValueError("the target is missing: add target=/path")
    if target:
        target = posixpath.normpath(posixpath.join("/", working_dir, target)).replace("//", "/")
        if target == "/":
            raise ValueError("the target cannot be the root: name a path below it")
    if kind == "secret":
        return _secret(fields, target)
    if kind == "ssh":
        return MountWish(
            kind, target or f"/run/buildkit/ssh_agent.{number}", identity=fields.get("id", "default"),
            mode=_octal(fields, 0o600), uid=_number(fields, "uid"), gid=_number(fields, "gid"),
            required=_flag(fields, "required"),
        )  # fmt: skip
    if kind == "tmpfs":
        return MountWish(kind, target, size=_size(fields.get("size", "0")))
    sharing = fields.get("sharing", "shared")
    if sharing not in ("shared", "locked", "private"):
        raise ValueError(f"sharing={sharing} is unknown: take shared, locked or private")
    read_only = _flag(fields, "readonly", default=kind == "bind" and "readwrite" not in fields)
    return MountWish(
        kind, target, fields.get("source", ""), fields.get("from", ""), fields.get("id", target),
        read_only=read_only or not _flag(fields, "readwrite", default=not read_only),
        sharing=sharing, mode=_octal(fields, 0o755), uid=_number(fields, "uid"),
        gid=_number(fields, "gid"),
    )  # fmt: skip


def _secret(fields: dict[str, str], target: str) -> MountWish:
    name = fields.get("id") or fields.get("source") or posixpath.basename(target)
    if not name:
        raise ValueError("the secret's id is missing: add id=name")
    variable = fields.get("env", "")
    if variable and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise ValueError(f"env={variable} is no name of a variable")
    if not target and not variable:
        target = f"/run/secrets/{posixpath.basename(name)}"
    return MountWish(
        "secret", target, identity=name, mode=_octal(fields, 0o400), uid=_number(fields, "uid"),
        gid=_number(fields, "gid"), required=_flag(fields, "required"), variable=variable,
    )  # fmt: skip


def _flag(fields: dict[str, str], name: str, *, default: bool = False) -> bool:
    if name not in fields:
        return default
    value = fields[name].lower()
    if value not in ("true", "false", "1", "0"):
        raise ValueError(f"{name}={value} is neither true nor false")
    return value in ("true", "1")


def _number(fields: dict[str, str], name: str) -> int:
    text = fields.get(name, "0")
    if not text.isdecimal() or int(text) > 0xFFFFFFFE:
        raise ValueError(f"{name}={text} is no id: write a number")
    return int(text)


def _octal(fields: dict[str, str], usual: int) -> int:
    text = fields.get("mode")
    if text is None:
        return usual
    if not re.fullmatch(r"[0-7]{1,5}", text) or int(text, 8) > 0o7777:
        raise ValueError(f"mode={text} is no mode: write 0644")
    return int(text, 8)


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"size={text} is no size: write a number of bytes, or 64m")
    return int(found[1]) * _SIZES[found[2].lower()]
