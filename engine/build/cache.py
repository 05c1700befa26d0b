"""The build cache: a step's key to the layer it made, for every project; and the mount caches beside.

Rules: a hit counts while all its layers are here; what is remembered keeps its layers from being
swept away with the images; a step that is being made is waited for, not made twice. Uses are noted
when a build ends, in one transaction.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.images.model import Layer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from engine.images.store import Images
    from engine.storage.database import Database

#: BuildKit's words for the kinds of records.
STEP, MOUNT, MOMENT = "regular", "exec.cachemount", "internal"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a step made: its layer (None if nothing changed), and when."""

    layer: Layer | None
    created: str


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """One record as people see it. `chains` are the layers it keeps, the lowest first."""

    key: str
    kind: str
    description: str
    last_used_ns: int
    created_ns: int
    usage_count: int
    size: int
    parents: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    in_use: bool = False
    shared: bool = False


class BuildCache:
    """All remembered steps of one engine."""

    def __init__(
        self, images: Images, database: Database, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._images = images
        self._database = database
        self._clock_ns = clock_ns
        self._uses: Counter[str] = Counter()
        self._turns: dict[str, list[Any]] = {}
        #: keys of what running builds stand on: pruning leaves them alone
        self.in_use: Counter[str] = Counter()
        images.keepers.append(self.kept_chains)

    def get(self, key: str) -> Remembered | None:
        """What a step made, None if it is unknown or not whole any more."""
        document = self._document(key)
        if document is None:
            return None
        if document.get("chains") and not self._whole(document["chains"][-1]):
            self._database.execute("DELETE FROM build_cache WHERE key = ?", (key,))
            return None
        self._uses[key] += 1
        layer = document.get("layer")
        return Remembered(Layer(layer[0], size=layer[1]) if layer else None, document["created"])

    def put(
        self,
        key: str,
        found: Remembered,
        *,
        chains: Sequence[str] = (),
        description: str = "",
        parent: str = "",
        kind: str = STEP,
    ) -> None:
        """Remember what a step made; what was remembered under the key is replaced."""
        layer = found.layer
        document = {
            "kind": kind, "layer": [layer.diff_id, layer.size] if layer else None,
            "created": found.created, "chains": list(chains), "description": description,
            "size": layer.size if layer else 0, "created_ns": self._clock_ns(), "uses": 0,
            "parent": parent,
        }  # fmt: skip
        self._write(key, document)

    def note_mount(self, key: str, cache_id: str, folder: str) -> None:
        """Remember that a mount cache was used."""
        document = self._document(key) or {
            "kind": MOUNT, "layer": None, "created": "", "chains": [], "size": 0, "parent": "",
            "description": f"cached mount {cache_id}", "created_ns": self._clock_ns(), "uses": 0,
            "folder": folder,
        }  # fmt: skip
        self._write(key, {**document, "uses": document["uses"] + 1})

    def flush(self) -> None:
        """Write down which records were used since the last time."""
        used, self._uses = self._uses, Counter()
        if not used:
            return
        now = self._clock_ns()
        self._database.execute_many(
            "UPDATE build_cache SET last_used_ns = ?, document = "
            "json_set(document, '$.uses', json_extract(document, '$.uses') + ?) WHERE key = ?",
            [(now, count, key) for key, count in used.items()],
        )

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """One at a time for a key: whoever comes second finds what the first has made."""
        entry = self._turns.setdefault(key, [trio.Lock(), 0])
        entry[1] += 1
        try:
            async with entry[0]:
                yield
        finally:
            entry[1] -= 1
            if not entry[1]:
                del self._turns[key]

    def records(self) -> list[CacheRecord]:
        """Every step and mount, the latest used first; sizes of mount caches are not looked at."""
        self.flush()
        rows = self._database.rows(
            "SELECT key, last_used_ns, document FROM build_cache ORDER BY last_used_ns DESC, key"
        )
        needed = {chain for image in self._images.all() for chain in image.chain_ids}
        return [self._record(key, used, json.loads(raw), needed) for key, used, raw in rows]

    def folder_of(self, key: str) -> str:
        """Where a mount cache is, "" for other records."""
        return str((self._document(key) or {}).get("folder", ""))

    def forget(self, keys: Iterable[str]) -> None:
        """Drop records; their layers go with the next sweep if no image needs them."""
        self._database.execute_many(
            "DELETE FROM build_cache WHERE key = ?", [(key,) for key in keys]
        )

    def kept_chains(self) -> set[str]:
        """The layers that remembered steps need."""
        rows = self._database.rows(
            "SELECT DISTINCT j.value FROM build_cache, json_each(document, '$.chains') AS j"
        )
        return {row[0] for row in rows}

    def _record(
        self, key: str, used_ns: int, kept: dict[str, Any], needed: set[str]
    ) -> CacheRecord:
        chains = tuple(kept.get("chains") or ())
        parent = kept.get("parent")
        return CacheRecord(
            key, kept.get("kind", STEP), kept["description"], used_ns, kept["created_ns"],
            kept["uses"], kept["size"], (parent,) if parent else (), chains,
            in_use=self.in_use[key] > 0, shared=bool(chains) and chains[-1] in needed,
        )  # fmt: skip

    def _document(self, key: str) -> dict[str, Any] | None:
        rows = self._database.rows("SELECT document FROM build_cache WHERE key = ?", (key,))
        if not rows:
            return None
        document: dict[str, Any] = json.loads(rows[0][0])
        return document if "created" in document else None  # a record of an older engine

    def _whole(self, chain: str) -> bool:
        path = self._images.layers.path(chain)
        return path is not None and Path(path).is_dir()

    def _write(self, key: str, document: dict[str, Any]) -> None:
        self._database.execute(
            "INSERT INTO build_cache (key, last_used_ns, document) VALUES (?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET last_used_ns = excluded.last_used_ns, "
            "document = excluded.document",
            (key, self._clock_ns(), json.dumps(document)),
        )
