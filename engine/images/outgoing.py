"""Where an image's bytes are for whoever saves it, and what a name stands for with all its platforms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.images.indexes import encode_index, made_index
from engine.images.saving import Outgoing, OutgoingIndex, Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.images.indexes import ImageIndex
    from engine.images.model import Image
    from engine.images.store import Images


def outgoing(images: Images, image: Image, names: tuple[str, ...] = ()) -> Outgoing:
    """An image as it is written, under these names. Raises NotFoundError if a layer is missing."""
    folders = reversed(images.lower_dirs(image))
    blobs = images.blobs
    whole = all(layer.blob and blobs.has(layer.blob) for layer in image.layers)
    sources = tuple(
        Source(la.blob, blobs.size(la.blob), la.media_type, path=blobs.path(la.blob))
        if la.blob and blobs.has(la.blob)
        else Source(la.diff_id, la.size, folder=folder)
        for folder, la in zip(folders, image.layers, strict=True)
    )
    manifest = b""
    if whole and image.manifest and blobs.has(image.manifest):
        manifest = blobs.read(image.manifest)
    return Outgoing(blobs.read(image.id), sources, names, manifest, image.manifest_type)


def outgoing_index(
    images: Images, index: ImageIndex, names: tuple[str, ...]
) -> tuple[list[Outgoing], OutgoingIndex]:
    """The images of an index that are here, and the index under its names.

    An index that came from elsewhere stays what it is, also where not all of it is here; one whose
    manifests are no longer what it says (they were made for a registry, or layers) is made anew.
    """
    members, found = [], []
    for member in index.members:
        image = images.known(member.image)
        if image is None:
            members.append(member)
            continue
        one = replace(outgoing(images, image), inside=True)
        found.append(one)
        members.append(one.described(member.platform, image.id))
    same = [one.digest for one in members] == [one.digest for one in index.members]
    if same and images.blobs.has(index.id):
        return found, OutgoingIndex(images.blobs.read(index.id), index.media_type, names)
    raw, kind = encode_index(one for one in members if one.image)
    return found, OutgoingIndex(raw, kind, names)


def index_of_images(images: Images, made: Iterable[Image]) -> ImageIndex:
    """The index of images that were made here, kept for whoever names it next."""
    members = [outgoing(images, one).described(one.platform, one.id) for one in made]
    raw, index = made_index(members)
    return images.keep_index(raw, index)
