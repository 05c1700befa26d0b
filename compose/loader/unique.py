"""Phase 5, continued: of two entries of a list that mean the same thing, the later one stays. Pure.

Source: the Compose Specification, merge, unique resources.
"""

from __future__ import annotations

from compose.loader.mounts import parse_mount
from compose.loader.tree import FaultError, Rule, rewrite, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Path = tuple[str | int, ...]


def unique(tree: Any) -> Any:
    """The tree with the duplicates of all its lists removed. Raises FaultError for an entry without a key."""
    return rewrite(tree, _KEYS, (), _deduplicate)


def with_nulls(value: Any, rule: Rule | None = None) -> Any:
    """The tree as the reference prints it raw: an empty list is null, but where entries are unique."""
    rule = _KEYS if rule is None else rule
    if isinstance(value, dict):
        return {key: with_nulls(below, rule.child(key) or _NOTHING) for key, below in value.items()}
    if isinstance(value, list):
        below = rule.below.get("*") or _NOTHING
        kept = [with_nulls(entry, below) for entry in value]
        return kept if kept or rule.action is not None else None
    return value


def _deduplicate(key_of: Callable[[Any, Path], Any], value: Any, path: Path) -> Any:
    if not isinstance(value, list):
        return value
    places: dict[Any, int] = {}
    kept: list[Any] = []
    for index, entry in enumerate(value):
        key = key_of(entry, (*path, index))
        try:
            known = places.setdefault(key, len(kept))
        except TypeError:
            raise FaultError(
                (*path, index), "must be told by a name, not by a mapping or list"
            ) from None
        if known < len(kept):
            kept[known] = entry
        else:
            kept.append(entry)
    return value if len(kept) == len(value) else kept


def _name(entry: Any, path: Path) -> str:
    if not isinstance(entry, str):
        raise FaultError(path, "must be a string: put it in quotes")
    return entry.partition("=")[0]


def _mount(entry: Any, path: Path) -> Any:
    if isinstance(entry, str):
        try:
            return parse_mount(entry).get("target")
        except ValueError as error:
            raise FaultError(path, str(error)) from None
    if isinstance(entry, dict):
        if not isinstance(entry.get("target"), str):
            raise FaultError(path, "the mount has no target: say where in the container it goes")
        return entry["target"]
    return ""


def _device(entry: Any, path: Path) -> Any:
    if isinstance(entry, str):
        parts = entry.split(":")
        return parts[0] if len(parts) == 1 else parts[1]
    if isinstance(entry, dict):
        if not isinstance(entry.get("target"), str):
            raise FaultError(path, "the device has no target: say where in the container it goes")
        return entry["target"]
    return ""


def _exposed(entry: Any, path: Path) -> str:
    if isinstance(entry, str) or (isinstance(entry, int) and not isinstance(entry, bool)):
        return str(entry)
    raise FaultError(path, "must be a port or a range of ports")


def _granted(folder: str) -> Callable[[Any, Path], Any]:
    def key(entry: Any, path: Path) -> Any:
        if isinstance(entry, str):
            return f"{folder}/{entry}"
        if isinstance(entry, dict):
            return entry.get("target", f"{folder}/{entry.get('source')}")
        raise FaultError(path, "must be a name or a mapping")

    return key


def _port(entry: Any, path: Path) -> Any:
    if not isinstance(entry, dict):
        return str(entry)
    if "target" not in entry:
        raise FaultError(path, "the port has no target: say the port in the container")
    host, protocol = entry.get("host_ip", "0.0.0.0"), entry.get("protocol", "tcp")  # noqa: S104
    published = entry.get("published")
    # 80 and "80" are two keys to the reference, and so they are here.
    return (host, type(published), published, entry["target"], protocol)


def _env_file(entry: Any, path: Path) -> Any:
    if isinstance(entry, dict):
        if "path" not in entry:
            raise FaultError(path, "the env_file has no path")
        return entry["path"]
    return entry if isinstance(entry, str) else ""


_NOTHING = Rule()
_NAMED = (
    "annotations build.args build.additional_contexts build.platform build.tags build.labels cap_add"
    " cap_drop deploy.labels dns dns_opt dns_search environment labels links networks.*.aliases"
    " networks.*.link_local_ips profiles sysctls tmpfs"
)
_KEYS = table(
    {
        **{f"services.*.{attribute}": _name for attribute in _NAMED.split()},
        "networks.*.labels": _name,
        "networks.*.ipam.options": _name,
        "services.*.configs": _granted(""),
        "services.*.secrets": _granted("/run/secrets"),
        "services.*.devices": _device,
        "services.*.env_file": _env_file,
        "services.*.expose": _exposed,
        "services.*.ports": _port,
        "services.*.volumes": _mount,
    }
)
