"""Phase 3: what `include` names, and how its resources come into a file's own. Pure.

Source: the Compose Specification, include.
"""

from __future__ import annotations

from compose.loader.tree import FaultError, kind
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SECTIONS = ("services", "volumes", "networks", "secrets", "configs", "models")


class Included(Record):
    """One entry: its files (the first is the main one), and what the entry says of them."""

    paths: tuple[str, ...]
    project_directory: str
    env_files: tuple[str, ...]
    place: tuple[str | int, ...]


def entries(include: Any) -> list[Included]:
    """The entries of a file's `include`. Raises FaultError."""
    if include is None:
        return []
    if not isinstance(include, list):
        raise FaultError(
            ("include",), f"must be a list, not {kind(include)}: begin its lines with a dash"
        )
    found = []
    for index, entry in enumerate(include):
        given = {"path": entry} if isinstance(entry, str) else entry
        if not isinstance(given, dict):
            raise FaultError(("include", index), "must be a path or a mapping with a path")
        paths, env_files = (_texts(given.get(key), (index, key)) for key in ("path", "env_file"))
        if paths:
            folder = str(given.get("project_directory") or "")
            found.append(Included(paths, folder, env_files, ("include", index)))
    return found


def _texts(value: Any, place: tuple[str | int, ...]) -> tuple[str, ...]:
    if value is None:
        return ()
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise FaultError(("include", *place), "must be a path or a list of paths")
    return tuple(texts)


def check_sections(tree: dict[str, Any]) -> None:
    """Raises FaultError for a section that is no mapping, so that nothing can be put into it."""
    for section in _SECTIONS:
        value = tree.get(section)
        if not isinstance(value, dict | None):
            raise FaultError((section,), f"must be a mapping, not {kind(value)}: write a mapping")


def import_into(tree: dict[str, Any], included: dict[str, Any]) -> dict[str, Any]:
    """The tree with the resources of an included one. Raises FaultError if both define one differently."""
    merged = dict(tree)
    for section in _SECTIONS:
        theirs = included.get(section)
        if theirs is None:
            continue
        ours = dict(merged.get(section) or {})
        for name, resource in theirs.items():
            if name in ours and ours[name] != resource:
                raise FaultError(
                    (section, name), "conflicts with an included resource: rename one of them"
                )
            ours[name] = resource
        merged[section] = ours
    return merged
