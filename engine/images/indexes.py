"""Image indexes: an image for several platforms under one digest, and which of its members are here.

An index that came from elsewhere stays as the bytes that came; one that is made here is made of its
members' manifests. Source: OCI image-spec, image-index.md.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.images.registry.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    Platform,
    digest_of,
    provides,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from engine.images.registry.manifest import Index
    from engine.storage.database import Database

#: What stands in a platform's place of an attestation about another member.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Member:
    """One manifest of an index: `size` of its bytes, `image` the id of its image, "" while not here."""

    digest: str
    size: int
    media_type: str
    platform: Platform
    image: str = ""

    @property
    def is_image(self) -> bool:
        """Whether it is an image, and no attestation about one."""
        return self.platform.os != UNKNOWN


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """`id` is the digest of its document, which is a blob."""

    id: str
    media_type: str
    members: tuple[Member, ...]

    @property
    def images(self) -> tuple[str, ...]:
        """The ids of the images of its members, as far as they have come here."""
        return tuple(dict.fromkeys(one.image for one in self.members if one.image))


def preferred(index: ImageIndex, here: Collection[str], own: Platform) -> str:
    """The image to take where nobody asks for a platform: this host's, else the first there is. Pure."""
    there = [one for one in index.members if one.image in here]
    fitting = [one for one in there if provides(one.platform, own)]
    return next((one.image for one in (*fitting, *there)), "")


def encode_index(members: Iterable[Member]) -> tuple[bytes, str]:
    """An index of these members: its bytes, and its media type. Pure.

    Docker's manifests go into Docker's kind of index, for registries that know no other.
    """
    members = list(members)
    docker = all(one.media_type == DOCKER_MANIFEST for one in members)
    kind = DOCKER_LIST if docker else OCI_INDEX
    entries = [
        {
            "mediaType": one.media_type,
            "digest": one.digest,
            "size": one.size,
            "platform": platform_json(one.platform),
        }
        for one in members
    ]
    document = {"schemaVersion": 2, "mediaType": kind, "manifests": entries}
    return json.dumps(document, separators=(",", ":")).encode(), kind


def platform_json(platform: Platform) -> dict[str, str]:
    """A platform as the image-spec writes it. Pure."""
    variant = {"variant": platform.variant} if platform.variant else {}
    return {"architecture": platform.architecture, "os": platform.os, **variant}


def made_index(members: Iterable[Member]) -> tuple[bytes, ImageIndex]:
    """The same, with the value that it is. Pure."""
    members = tuple(members)
    raw, kind = encode_index(members)
    return raw, ImageIndex(digest_of(raw), kind, members)


def read_index(index: Index, images: Mapping[str, str]) -> ImageIndex:
    """What a registry or an archive sent; `images` are those that are here, by manifest. Pure."""
    nowhere = Platform(UNKNOWN, UNKNOWN)
    members = tuple(
        Member(
            one.digest,
            one.size,
            one.media_type,
            one.platform or nowhere,
            images.get(one.digest, ""),
        )
        for one in index.manifests
    )
    return ImageIndex(index.digest, index.media_type, members)


class IndexTable:
    """The indexes of one engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, index_id: str) -> ImageIndex | None:
        """By its whole id, or a beginning of it that is no other's; None if it is not here."""
        name = index_id.removeprefix("sha256:")
        if not name or len(name) > 64 or set(name) - set("0123456789abcdef"):
            return None
        rows = self._database.rows(
            "SELECT id, document FROM image_indexes WHERE id >= ? AND id < ?",
            (f"sha256:{name}", f"sha256:{name}g"),
        )
        return _decoded(*rows[0]) if len(rows) == 1 else None

    def all(self) -> list[ImageIndex]:
        """Every index."""
        return [_decoded(*row) for row in self._database.rows("SELECT * FROM image_indexes")]

    def put(self, index: ImageIndex) -> ImageIndex:
        """Keep an index; the images that are known of it already stay known."""
        known = self.get(index.id)
        before = {one.digest: one.image for one in known.members} if known else {}
        members = tuple(
            replace(one, image=one.image or before.get(one.digest, "")) for one in index.members
        )
        kept = {
            "type": index.media_type,
            "members": [
                [one.digest, one.size, one.media_type, astuple(one.platform), one.image]
                for one in members
            ],
        }
        self._database.execute(
            "INSERT INTO image_indexes (id, document) VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET document = excluded.document",
            (index.id, json.dumps(kept)),
        )
        return replace(index, members=members)

    def drop(self, index_id: str) -> None:
        """Forget an index. Idempotent."""
        self._database.execute("DELETE FROM image_indexes WHERE id = ?", (index_id,))


def _decoded(index_id: str, document: str) -> ImageIndex:
    kept: dict[str, Any] = json.loads(document)
    return ImageIndex(
        index_id,
        kept["type"],
        tuple(
            Member(digest, size, kind, Platform(*platform), image)
            for digest, size, kind, platform, image in kept["members"]
        ),
    )
