"""What images are called: a name or a digest -> an image, and the index that the name stands for.

A name of an image for several platforms has its index, and one of the index's members: the one that
is meant where nobody asks for a platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import InvalidRequestError
from engine.images.reference import parse_reference

if TYPE_CHECKING:
    from engine.storage.database import Database


@dataclass(frozen=True, slots=True)
class Target:
    """What a name stands for: an image, and the id of its index, "" for none."""

    image: str
    index: str = ""


class ImageNames:
    """All names of one engine's images, complete and familiar (name:tag, name@digest)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def complete(self, name: str) -> str | None:
        """The name as it is kept, None where no image has it."""
        found = self._row(name)
        return found[0] if found else None

    def target(self, name: str) -> Target | None:
        """What a name, complete or not, stands for."""
        found = self._row(name)
        return found[1] if found else None

    def point(self, reference: str, target: Target) -> None:
        """Give a complete name to an image; whoever had it loses it."""
        self._database.execute(
            "INSERT INTO image_references (reference, image_id, index_id) VALUES (?, ?, ?) "
            "ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id, "
            "index_id = excluded.index_id",
            (reference, target.image, target.index),
        )

    def drop(self, reference: str) -> None:
        """Take a complete name away. Idempotent."""
        self._database.execute("DELETE FROM image_references WHERE reference = ?", (reference,))

    def of(self, image_id: str) -> list[str]:
        """The names of an image, sorted."""
        query = "SELECT reference FROM image_references WHERE image_id = ? ORDER BY reference"
        return [row[0] for row in self._database.rows(query, (image_id,))]

    def by_image(self) -> dict[str, list[str]]:
        """All names, by the image's id."""
        return self._grouped("image_id")

    def by_index(self) -> dict[str, list[str]]:
        """The names that stand for an index, by its id."""
        return self._grouped("index_id")

    def _grouped(self, column: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for reference, key in self._database.rows(
            f"SELECT reference, {column} FROM image_references WHERE {column} != '' "  # noqa: S608  # words of ours
            "ORDER BY reference"
        ):
            found.setdefault(key, []).append(reference)
        return found

    def _row(self, name: str) -> tuple[str, Target] | None:
        try:
            wanted = parse_reference(name)
        except InvalidRequestError:
            return None
        at = f"{wanted.familiar_name}@{wanted.digest}" if wanted.digest else wanted.familiar
        rows = self._database.rows(
            "SELECT reference, image_id, index_id FROM image_references WHERE reference = ?", (at,)
        )
        return (str(rows[0][0]), Target(str(rows[0][1]), str(rows[0][2]))) if rows else None
