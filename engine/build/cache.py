"""The build cache: a step's key to the image it made. A hit counts while that image is whole."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.images.model import Image
    from engine.images.store import Images
    from engine.storage.database import Database


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """One remembered step."""

    key: str
    image_id: str
    description: str
    last_used_ns: int
    created_ns: int
    usage_count: int
    size: int


class BuildCache:
    """All remembered steps of one engine."""

    def __init__(
        self, images: Images, database: Database, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._images = images
        self._database = database
        self._clock_ns = clock_ns

    def get(self, key: str) -> Image | None:
        """The image a step made, None if it is unknown or not whole any more."""
        rows = self._database.rows("SELECT document FROM build_cache WHERE key = ?", (key,))
        if not rows:
            return None
        document = json.loads(rows[0][0])
        image = self._whole(document["image"])
        if image is None:
            self._database.execute("DELETE FROM build_cache WHERE key = ?", (key,))
            return None
        document["uses"] += 1
        self._write(key, document)
        return image

    def put(self, key: str, image: Image, description: str, size: int = 0) -> None:
        """Remember what a step made; what was remembered under the key is replaced."""
        document = {
            "image": image.id, "description": description, "size": size,
            "created_ns": self._clock_ns(), "uses": 0,
        }  # fmt: skip
        self._write(key, document)

    def records(self) -> list[CacheRecord]:
        """Every step, the latest used first."""
        rows = self._database.rows(
            "SELECT key, last_used_ns, document FROM build_cache ORDER BY last_used_ns DESC"
        )
        return [_record(*row) for row in rows]

    async def prune(self, *, unused_for_ns: int = 0) -> tuple[list[str], int]:
        """Forget steps and the nameless images only they keep: (keys, bytes freed).

        Images that have a name, are in use, or that another image stands on, stay.
        """
        limit = self._clock_ns() - unused_for_ns
        old = [record for record in self.records() if record.last_used_ns <= limit]
        if not old:
            return [], 0
        self._database.execute("DELETE FROM build_cache WHERE last_used_ns <= ?", (limit,))
        kept = {record.image_id for record in self.records()}
        candidates = {record.image_id: record.size for record in old if record.image_id not in kept}
        freed = 0
        while candidates:
            images = {image.id: image for image in self._images.all()}
            parents = {image.parent for image in images.values()}
            removable = [
                name
                for name in candidates
                if name in images and name not in parents and not images[name].references
            ]
            if not removable:
                break
            for name in removable:
                size = candidates.pop(name)
                try:
                    await self._images.remove(name, with_parents=False)
                except (ConflictError, NotFoundError):
                    continue  # a container uses it, or somebody was quicker
                freed += size
        return [record.key for record in old], freed

    def _whole(self, image_id: str) -> Image | None:
        try:
            image = self._images.find(image_id)
            folders = self._images.lower_dirs(image)
        except NotFoundError:
            return None
        return image if all(Path(folder).is_dir() for folder in folders) else None

    def _write(self, key: str, document: dict[str, Any]) -> None:
        self._database.execute(
            "INSERT INTO build_cache (key, last_used_ns, document) VALUES (?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET last_used_ns = excluded.last_used_ns, "
            "document = excluded.document",
            (key, self._clock_ns(), json.dumps(document)),
        )


def _record(key: str, last_used_ns: int, raw: str) -> CacheRecord:
    kept = json.loads(raw)
    return CacheRecord(
        key, kept["image"], kept["description"], last_used_ns, kept["created_ns"], kept["uses"],
        kept["size"],
    )  # fmt: skip
