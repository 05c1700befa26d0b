"""`image ls --tree`: each image with a line for each platform of it, sizes, and what containers use. Pure."""

from __future__ import annotations

from compose.cli.units import decimal_size
from compose.engine_client.payloads.platforms import platform_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

#: The columns after the first: title, width, where the text stands.
COLUMNS = (("ID", 12, "<"), ("DISK USAGE", 10, ">"), ("CONTENT SIZE", 12, ">"), ("USED", 4, "^"))
GAP = "   "
USED = "✔"


def tree_lines(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines, a blank one between images. An engine that knows no manifests has images alone."""
    blocks = [list(_block(item)) for item in items]
    width = max([len("IMAGE"), *(len(name) for block in blocks for name, _ in block)])
    yield _line("IMAGE", width, [title for title, _, _ in COLUMNS])
    for number, block in enumerate(blocks):
        if number:
            yield ""
        for name, cells in block:
            yield _line(name, width, cells)


def _block(item: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    members = [one for one in item.get("Manifests") or [] if one.get("Kind") == "image"]
    sizes = [one.get("Size") or {} for one in members]
    total = sum(int(size.get("Total") or 0) for size in sizes) or int(item.get("Size") or 0)
    content = sum(int(size.get("Content") or 0) for size in sizes)
    used = int(item.get("Containers") or 0) > 0 or any(map(_users, members))
    *others, last = item.get("RepoTags") or ["<untagged>"]
    yield from ((name, []) for name in others)
    yield last, _cells(str(item["Id"]), total, content, used=used)
    for number, one in enumerate(members, start=1):
        branch = "└─" if number == len(members) else "├─"
        platform = (one.get("ImageData") or {}).get("Platform") or {}
        name = platform_of({key.capitalize(): value for key, value in platform.items()})
        size = one.get("Size") or {}
        cells = _cells(
            str(one["ID"]), int(size.get("Total") or 0), int(size.get("Content") or 0),
            used=_users(one),
        )  # fmt: skip
        yield f"{branch} {name}", cells


def _users(member: Mapping[str, Any]) -> bool:
    return bool((member.get("ImageData") or {}).get("Containers"))


def _cells(image_id: str, total: int, content: int, *, used: bool) -> list[str]:
    short = image_id.partition(":")[2][:12]
    return [short, decimal_size(total), decimal_size(content), USED if used else ""]


def _line(name: str, width: int, cells: list[str]) -> str:
    shown = [f"{cell:{at}{size}}" for cell, (_, size, at) in zip(cells, COLUMNS, strict=False)]
    return GAP.join([f"{name:<{width}}", *shown]).rstrip()
