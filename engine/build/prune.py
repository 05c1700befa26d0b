"""What of the build cache goes: filters of the API, and a bound on its size. Deciding is pure.

Source: the Engine API, POST /build/prune (filters until, id, parent, type, description, inuse,
shared, private; all, reserved-space, max-used-space, min-free-space).
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from engine.build.cache import MOMENT, MOUNT
from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.build.cache import BuildCache, CacheRecord
    from engine.images.store import Images

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
          "h": 3600 * 10**9, "d": 86400 * 10**9}  # fmt: skip
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
FILTERS = frozenset(
    ("until", "unused-for", "id", "parent", "parents", "type", "description", "inuse", "shared",
     "private", "mutable", "immutable", "label", "label!")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PruneRequest:
    """What is asked for. `reserved` bytes of the latest used stay; `most` bytes may be left."""

    everything: bool = False
    reserved: int = 0
    most: int = 0
    least_free: int = 0
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)


def parse_age(text: str, now_ns: int) -> int:
    """`until`: "24h" ago, a Unix time or RFC 3339, as nanoseconds since 1970.

    Raises InvalidRequestError.
    """
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return now_ns - round(sum(float(number) * _UNITS[unit] for number, unit in parts))
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return round(float(text) * 10**9)
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 10**9)
    except ValueError as error:
        raise InvalidRequestError(
            f'invalid filter until="{text}": write 24h, a Unix time or 2026-01-31T10:00:00Z'
        ) from error


def choose(
    records: Sequence[CacheRecord], request: PruneRequest, now_ns: int, free: int
) -> list[CacheRecord]:
    """The records to drop, the least recently used first. Raises InvalidRequestError. Pure."""
    unknown = sorted(set(request.filters) - FILTERS)
    if unknown:
        raise InvalidRequestError(
            f"invalid filter '{unknown[0]}': there are {', '.join(sorted(FILTERS))}"
        )
    limit = min(
        [now_ns, *(parse_age(t, now_ns) for k in ("until", "unused-for") for t in request.filters.get(k, ()))]
    )  # fmt: skip
    going = [
        one
        for one in sorted(records, key=lambda one: one.last_used_ns)
        if one.last_used_ns <= limit
        and not one.in_use
        and (request.everything or not one.shared)
        and all(_fits(one, name, values) for name, values in request.filters.items())
    ]
    if not (request.reserved or request.most or request.least_free):
        return going
    total = sum(one.size for one in records)
    bound = max(request.most or request.reserved, request.reserved)
    chosen: list[CacheRecord] = []
    for one in going:
        too_much = bool(request.most or request.reserved) and total > bound
        too_full = free < request.least_free and total > request.reserved
        if not (too_much or too_full):
            break
        chosen.append(one)
        total -= one.size
        free += one.size
    return chosen


def _fits(one: CacheRecord, name: str, values: Sequence[str]) -> bool:
    """Whether a record passes one filter; the times are looked at elsewhere."""
    key = one.key.removeprefix("sha256:")
    answers = {
        "id": any(key.startswith(value.removeprefix("sha256:")) for value in values),
        "parent": bool(set(values) & set(one.parents)),
        "parents": bool(set(values) & set(one.parents)),
        "type": one.kind in values,
        "description": any(value in one.description for value in values),
        "inuse": one.in_use,
        "shared": one.shared,
        "private": not one.shared,
        "mutable": one.kind == MOUNT,
        "immutable": one.kind != MOUNT,
        "label": False,  # `system prune` passes it on; the cache has no labels
    }
    return answers.get(name, True)


async def measured(cache: BuildCache) -> list[CacheRecord]:
    """The records, with the sizes that mount caches have now."""
    from dataclasses import replace

    found = []
    for one in cache.records():
        if one.kind == MOUNT:
            size = await trio.to_thread.run_sync(folder_size, cache.folder_of(one.key))
            one = replace(one, size=size)  # noqa: PLW2901 -- the same record, measured
        found.append(one)
    return found


async def prune(
    cache: BuildCache, images: Images, request: PruneRequest, now_ns: int
) -> tuple[list[str], int]:
    """Drop what is asked for; the keys of visible records and the bytes freed."""
    records = await measured(cache)
    free = shutil.disk_usage(images.scratch).free
    going = choose(records, request, now_ns, free)
    freed = 0
    for one in going:
        if one.kind == MOUNT:
            folder = cache.folder_of(one.key)
            await trio.to_thread.run_sync(
                lambda path: shutil.rmtree(path, ignore_errors=True), folder
            )
            freed += one.size
    cache.forget(one.key for one in going)
    freed += await images.sweep()
    return [one.key for one in going if one.kind != MOMENT], freed


def folder_size(folder: str) -> int:
    """Bytes of the files below a folder; 0 if there is none."""
    total = 0
    todo = [folder] if folder and Path(folder).is_dir() else []
    while todo:
        for entry in Path(todo.pop()).iterdir():
            if entry.is_dir() and not entry.is_symlink():
                todo.append(str(entry))
            else:
                total += entry.lstat().st_size
    return total
