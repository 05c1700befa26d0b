"""`builder prune` and `du`: the engine's build cache, read and emptied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.engine_client import calls
from compose.engine_client.object_calls import DISK_USAGE
from compose.model import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.operations.session import Session


class Record(record.Record):
    """One record; times are the engine's RFC 3339."""

    id: str
    kind: str
    description: str
    size: int
    in_use: bool
    shared: bool
    created: str
    used: str
    uses: int


class Pruned(record.Record):
    """What went, and the bytes it took."""

    deleted: tuple[str, ...]
    freed: int


def records(session: Session) -> list[Record]:
    """Every record, the latest used first. Raises ComposeError."""
    document = session.client().do(DISK_USAGE).json() or {}
    return [
        Record(
            one["ID"], one["Type"], one["Description"], one["Size"], one["InUse"], one["Shared"],
            one["CreatedAt"], one.get("LastUsedAt") or "", one["UsageCount"],
        )
        for one in document.get("BuildCache") or []
    ]  # fmt: skip


def prune(
    session: Session, filters: Mapping[str, list[str]], *, everything: bool, reserved: int = 0
) -> Pruned:
    """Remove; a running build's steps stay. Raises ComposeError."""
    call = calls.prune_builds(everything=everything, reserved=reserved, **filters)
    document = session.client().do(call).json() or {}
    return Pruned(tuple(document.get("CachesDeleted") or ()), document.get("SpaceReclaimed") or 0)
