"""The short syntax of a mount, `[source:]target[:options]`, and x-map-owner of a long one. Pure."""

from __future__ import annotations

import posixpath

from compose.loader.tree import FaultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Path = tuple[str | int, ...]

#: Ours, of a bind and of a project: the folder's owner is, inside, the container's user.
MAP_OWNER = "x-map-owner"
_PROPAGATIONS = frozenset({"rprivate", "private", "rshared", "shared", "rslave", "slave"})


def parse_mount(text: str) -> dict[str, Any]:
    """The long syntax of it; ValueError if it is none.

    One letter before a colon reads as a Windows drive, so `v:/v` is an anonymous volume at `v:/v`.
    """
    if not text:
        raise ValueError("an empty volume: give at least a target")
    if len(text) <= 2:
        return {"type": "volume", "target": text}
    fields = _fields(text)
    if not all(fields):
        raise ValueError(f"invalid volume {text!r}: empty section between colons")
    if len(fields) > 3:
        raise ValueError(f"invalid volume {text!r}: too many colons")
    if len(fields) == 1:
        return {"type": "volume", "target": fields[0], "volume": {}}
    source, target, *options = fields
    mount: dict[str, Any] = {"type": "volume", "source": source, "target": target}
    for option in options[0].split(",") if options else ():
        _set_option(mount, option)
    if is_host_path(source):
        mount["type"] = "bind"
        mount["bind"] = {**mount.get("bind", {}), "create_host_path": True}
    else:
        mount.setdefault("volume", {})
    return mount


def lost_option(text: str) -> str:
    """What to say of an option of `-v` that a Compose file has another word for; "" if there is none."""
    if says_map_owner(text):
        return (
            f"{text!r}: map-owner is not honoured in the short syntax, which docker compose reads"
            " without it: use the long one, with bind: {x-map-owner: true}"
        )
    return ""


def says_map_owner(text: str) -> bool:
    """Whether a mount's short syntax has the option of `-v` for what is x-map-owner in a file."""
    fields = _fields(text) if "map-owner" in text else []
    return len(fields) == 3 and "map-owner" in fields[2].split(",")


def maps_owner(part: Mapping[str, Any], path: Path) -> bool | None:
    """What a part's x-map-owner says, None if nothing. Raises FaultError for what is no yes or no.

    A variable's value is a text: extensions have no type that it could be cast to.
    """
    given = part.get(MAP_OWNER)
    if given is None or isinstance(given, bool):
        return given
    said = {"true": True, "false": False}.get(str(given).lower())
    if said is None:
        raise FaultError((*path, MAP_OWNER), f"must be true or false, not {given!r}")
    return said


def with_owner(mount: dict[str, Any], path: Path, *, project: bool) -> dict[str, Any]:
    """A bind mount that says itself what the project says for all of them; its own word wins."""
    if mount.get("type") != "bind":
        return mount
    bind = mount.get("bind") or {}
    own = maps_owner(bind, (*path, "bind"))
    if own is None and not project:
        return mount
    return {**mount, "bind": {**bind, MAP_OWNER: project if own is None else own}}


def _fields(text: str) -> list[str]:
    """Split at colons, but not inside ${...} nor after a drive letter."""
    fields, current, depth = [], "", 0
    for index, char in enumerate(text):
        if char == "$" and text[index + 1 : index + 2] == "{":
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        elif char == ":" and not depth and not (len(current) == 1 and current.isalpha()):
            fields.append(current)
            current = ""
            continue
        current += char
    return [*fields, current]


def _set_option(mount: dict[str, Any], option: str) -> None:
    match option:
        case "ro":
            mount["read_only"] = True
        case "rw":
            mount.pop("read_only", None)
        case "nocopy":
            mount["volume"] = {"nocopy": True}
        case "z" | "Z":
            mount["bind"] = {**mount.get("bind", {}), "selinux": option}
        case _ if option in _PROPAGATIONS:
            mount["bind"] = {**mount.get("bind", {}), "propagation": option}
        case _:
            pass  # `cached`, `delegated` and whatever else mean nothing here


def is_host_path(source: str) -> bool:
    """Whether a mount's source is a path of the host rather than a volume's name."""
    if source[:1] in {".", "/", "~"} or source.startswith("\\\\"):
        return True
    return len(source) > 1 and source[0].isalpha() and source[1] == ":"


def clean_target(target: str) -> str:
    """The path without `.`, `..` and doubled slashes."""
    if not target:
        return ""
    clean = posixpath.normpath(target)
    return clean[1:] if clean.startswith("//") else clean
