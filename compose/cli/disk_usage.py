"""`system df`: the engine's account of its disk -> rows. Pure."""

from __future__ import annotations

from compose.cli.units import decimal_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

Row = dict[str, str]
RUNNING = ("running", "paused", "restarting")


def summary(found: Mapping[str, Any]) -> list[Row]:
    """A row a kind: how many, how many in use, how big, how much of it could be freed."""
    images, containers = found.get("Images") or [], found.get("Containers") or []
    volumes, cache = found.get("Volumes") or [], found.get("BuildCache") or []
    layers = found.get("LayersSize") or 0
    used = sum(
        one["Size"] - max(one.get("SharedSize", 0), 0) for one in images if one.get("Containers", 0) > 0
    )  # fmt: skip
    stopped = [one for one in containers if one.get("State") not in RUNNING]
    sized = [one.get("UsageData") or {} for one in volumes]
    own = [one for one in cache if not one.get("Shared")]
    return [
        row("Images", len(images), sum(one.get("Containers", 0) > 0 for one in images), layers, max(layers - used, 0)),
        row("Containers", len(containers), len(containers) - len(stopped), written(containers), written(stopped)),
        row(
            "Local Volumes", len(volumes), sum(one.get("RefCount", 0) > 0 for one in sized),
            sum(max(one.get("Size", 0), 0) for one in sized),
            sum(max(one.get("Size", 0), 0) for one in sized if not one.get("RefCount", 0)),
        ),
        row(
            "Build Cache", len(cache), sum(bool(one.get("InUse")) for one in cache),
            sum(one.get("Size", 0) for one in own),
            sum(one.get("Size", 0) for one in own if not one.get("InUse")), percent=False,
        ),
    ]  # fmt: skip


def written(containers: list[Mapping[str, Any]]) -> int:
    """What containers have written."""
    return sum(one.get("SizeRw") or 0 for one in containers)


def row(kind: str, total: int, active: int, size: int, free: int, *, percent: bool = True) -> Row:
    """One kind's row; a share where there is a whole."""
    share = f" ({free * 100 // size}%)" if size > 0 and percent else ""
    return {
        "Active": str(active), "Reclaimable": decimal_size(free, 4) + share,
        "Size": decimal_size(size, 4), "TotalCount": str(total), "Type": kind,
    }  # fmt: skip


def details(part: str, found: Mapping[str, Any]) -> list[list[str]]:
    """`system df -v`: headings and rows of one kind."""
    items = found.get(part) or []
    if part == "Images":
        rows = [
            [
                (one.get("RepoTags") or ["<none>"])[0], one["Id"].partition(":")[2][:12],
                decimal_size(one["Size"]), decimal_size(max(one.get("SharedSize", 0), 0)),
                str(one.get("Containers", 0)),
            ]
            for one in items
        ]  # fmt: skip
        return [["IMAGE", "IMAGE ID", "SIZE", "SHARED SIZE", "CONTAINERS"], *rows]
    if part == "Containers":
        rows = [
            [
                one["Id"][:12], one.get("Image", ""), decimal_size(one.get("SizeRw") or 0),
                one.get("Status", ""), ",".join(name.lstrip("/") for name in one.get("Names") or []),
            ]
            for one in items
        ]  # fmt: skip
        return [["CONTAINER ID", "IMAGE", "SIZE", "STATUS", "NAMES"], *rows]
    if part == "Volumes":
        rows = [
            [
                one["Name"], str((one.get("UsageData") or {}).get("RefCount", 0)),
                decimal_size(max((one.get("UsageData") or {}).get("Size", 0), 0)),
            ]
            for one in items
        ]  # fmt: skip
        return [["VOLUME NAME", "LINKS", "SIZE"], *rows]
    rows = [
        [one.get("ID", "")[:12], one.get("Type", ""), decimal_size(one.get("Size", 0)), str(one.get("UsageCount", 0))]
        for one in items
    ]  # fmt: skip
    return [["CACHE ID", "CACHE TYPE", "SIZE", "USAGE"], *rows]
