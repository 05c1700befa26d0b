"""Phase 4: a service that extends another becomes the merge of both.

Source: the Compose Specification, extends.
"""

from __future__ import annotations

from compose.loader.merge import merge, without
from compose.loader.tree import FaultError, dotted, like
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Path = tuple[str | int, ...]
    Load = Callable[[str, str, Path], "Origin"]


class Origin(Record):
    """Services of one file, and the paths that `!reset` and `!override` name in it."""

    file: str
    services: dict[str, Any]
    resets: tuple[Path, ...]


def extend(origin: Origin, load: Load) -> dict[str, Any]:
    """The origin's services without any `extends`; `load(file, service, path)` gives the other file's.

    Raises FaultError for what cannot be extended, and for a circle.
    """
    done: dict[str, Any] = {}
    for name in origin.services:
        done[name] = _extended(name, origin, load, (), done)
    return done


def _extended(
    name: str,
    origin: Origin,
    load: Load,
    trail: tuple[tuple[str, str], ...],
    done: dict[str, Any],
) -> Any:
    if not trail and name in done:
        return done[name]
    service = origin.services[name]
    if not isinstance(service, dict) or "extends" not in service:
        return service
    path: Path = ("services", name, "extends")
    if (origin.file, name) in trail:
        circle = " -> ".join(f"{other} in {file}" for file, other in (*trail, (origin.file, name)))
        raise FaultError(path, f"circular reference: {circle}: remove one extends")
    target, file = _target(service["extends"], path)
    base_origin = origin
    if file:
        base_origin = load(file, target, (*path, "file"))
    if target not in base_origin.services:
        raise FaultError(
            path,
            f"service {target!r} not found in {base_origin.file}{like(target, base_origin.services) or ': check its name'}",
            (*path, "file"),
            ("services", target),
        )
    base = _extended(target, base_origin, load, (*trail, (origin.file, name)), {})
    own = {key: value for key, value in service.items() if key != "extends"}
    if base is None:
        return service
    if not isinstance(base, dict):
        raise FaultError(path, f"{dotted(('services', target))} must be a mapping")
    resets = [
        reset[2:] for reset in origin.resets if reset[:2] == ("services", name) and len(reset) > 2
    ]
    merged: dict[str, Any] = merge(without(base, resets), own, ("services", name))
    merged.pop("extends", None)
    return merged


def _target(extends: Any, path: Path) -> tuple[str, str]:
    if isinstance(extends, str):
        return extends, ""
    if not isinstance(extends, dict) or not isinstance(extends.get("service"), str):
        raise FaultError(path, "must be a service's name, or a mapping with service and file")
    file = extends.get("file")
    if file is not None and not isinstance(file, str):
        raise FaultError((*path, "file"), "must be a path")
    return extends["service"], file or ""
