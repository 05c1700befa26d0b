"""Images in the database: read with all their names, written, deleted. What may go, the store decides."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from engine.errors import InvalidRequestError
from engine.images.model import Image, Layer

if TYPE_CHECKING:
    from engine.images.indexes import IndexTable
    from engine.images.names import ImageNames
    from engine.storage.database import Database


class ImageRecords:
    """The images of one engine."""

    def __init__(self, database: Database, names: ImageNames, indexes: IndexTable) -> None:
        self._database = database
        self._names = names
        self._indexes = indexes

    def all(self) -> list[Image]:
        """Every image, the newest first."""
        rows = self._database.rows("SELECT id, document FROM images ORDER BY created_ns DESC")
        names, held = self._names.by_image(), self._holders()
        return [
            _image(image_id, document, names.get(image_id, []), held.get(image_id, []))
            for image_id, document in rows
        ]

    def get(self, name: str) -> Image | None:
        """By id or a beginning of it. Raises InvalidRequestError where that is several images'."""
        prefix = name.removeprefix("sha256:")
        if not prefix or len(prefix) > 64 or set(prefix) - set("0123456789abcdef"):
            return None
        rows = self._database.rows(
            "SELECT id, document FROM images WHERE id >= ? AND id < ?",
            (f"sha256:{prefix}", f"sha256:{prefix}g"),
        )
        if len(rows) > 1:
            raise InvalidRequestError(f"the image id {name} is ambiguous: give more of it")
        if not rows:
            return None
        image_id, document = rows[0]
        held = self._holders().get(image_id, [])
        return _image(image_id, document, self._names.of(image_id), held)

    def insert(self, image_id: str, document: dict[str, Any]) -> None:
        """Write an image, unless it is there."""
        self._database.execute(
            "INSERT INTO images (id, created_ns, document) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (image_id, time.time_ns(), json.dumps(document)),
        )

    def note(self, image_id: str, key: str, value: Any) -> None:
        """Change one thing about an image, by its JSON path."""
        self._database.execute(
            "UPDATE images SET document = json_set(document, ?, json(?)) WHERE id = ?",
            (key, json.dumps(value), image_id),
        )

    def delete(self, image_id: str) -> None:
        """Delete an image that has no name. Idempotent."""
        self._database.execute("DELETE FROM images WHERE id = ?", (image_id,))

    def has_children(self, image_id: str) -> bool:
        """Whether images are built on it."""
        query = "SELECT 1 FROM images WHERE json_extract(document, '$.parent') = ? LIMIT 1"
        return bool(self._database.rows(query, (image_id,)))

    def _holders(self) -> dict[str, list[str]]:
        """The names of indexes, by the images that are in them."""
        found: dict[str, list[str]] = {}
        for index_id, names in self._names.by_index().items():
            index = self._indexes.get(index_id)
            for image_id in index.images if index else ():
                found.setdefault(image_id, []).extend(names)
        return found


def _image(image_id: str, document: str, references: list[str], holders: list[str]) -> Image:
    kept = json.loads(document)
    layers = tuple(Layer(*fields) for fields in kept["layers"])
    manifest = kept.get("manifest", ["", ""])
    return Image(
        image_id,
        kept["config"],
        layers,
        references=tuple(name for name in references if "@" not in name),
        size=sum(layer.size for layer in layers),
        parent=kept["parent"],
        digests=tuple(name for name in references if "@" in name),
        manifest=manifest[0],
        manifest_type=manifest[1],
        tagged_ns=kept.get("tagged", 0),
        held=tuple(name for name in holders if name not in references),
    )
