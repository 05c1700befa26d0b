"""What a name stands for as Docker's list of manifests, one a platform, and as a descriptor.

Source: Docker Engine API 1.48, ImageManifestSummary. An image that was made here and never went to a
registry has the manifest that a save would write of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import NotFoundError
from engine.images.indexes import platform_json
from engine.images.outgoing import outgoing

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.images.indexes import ImageIndex, Member
    from engine.images.model import Image


def manifests(engine: Engine, image: Image, index: ImageIndex | None) -> list[dict[str, Any]]:
    """An entry for each manifest of an index, or for the one of an image alone."""
    if index is None:
        return [_entry(engine, _own(engine, image))]
    return [_entry(engine, member) for member in index.members]


def descriptor(engine: Engine, image: Image, index: ImageIndex | None) -> dict[str, Any]:
    """What the name stands for, as a descriptor."""
    if index is not None:
        size = engine.images.blobs.size(index.id)
        return {"mediaType": index.media_type, "digest": index.id, "size": size}
    return _described(_own(engine, image))


def _own(engine: Engine, image: Image) -> Member:
    return outgoing(engine.images, image).described(image.platform, image.id)


def _described(member: Member) -> dict[str, Any]:
    return {
        "mediaType": member.media_type,
        "digest": member.digest,
        "size": member.size,
        "platform": platform_json(member.platform),
    }


def _entry(engine: Engine, member: Member) -> dict[str, Any]:
    image = engine.images.known(member.image)
    content = unpacked = 0
    if image is not None:
        blobs = engine.images.blobs
        held = [layer.blob for layer in image.layers if layer.blob and blobs.has(layer.blob)]
        content = member.size + sum(map(blobs.size, (image.id, *held)))
        unpacked = image.size
    entry: dict[str, Any] = {
        "ID": member.digest,
        "Descriptor": _described(member),
        "Available": image is not None and _is_whole(engine, image),
        "Size": {"Content": content, "Total": content + unpacked},
        "Kind": "image" if member.is_image else "attestation",
    }
    if not member.is_image:
        return entry
    users = engine.images.users(image.id) if image else []
    return entry | {
        "ImageData": {
            "Platform": platform_json(member.platform),
            "Containers": users,
            "Size": {"Unpacked": unpacked},
        }
    }


def _is_whole(engine: Engine, image: Image) -> bool:
    try:
        engine.images.lower_dirs(image)
    except NotFoundError:
        return False
    return True
