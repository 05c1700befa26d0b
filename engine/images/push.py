"""Push: an image here -> a name in a registry. What is there already is not sent again.

A layer is looked for by its digest, then mounted from a repository of the same registry that we know
has it, then uploaded. An image that was pulled keeps its manifest, so its digest there is the same;
layers made here are packed and compressed once, and the blob stays for the next push.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from engine.errors import EngineError, InvalidRequestError, NotFoundError
from engine.images.compression import GzipWriter, open_tar
from engine.images.indexes import made_index
from engine.images.pack import pack_layer
from engine.images.progress import Narrator
from engine.images.pull import first_error
from engine.images.reference import parse_reference
from engine.images.registry.connect import open_registry
from engine.images.registry.manifest import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    digest_of,
)
from engine.images.registry.settings import RegistrySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from engine.events.bus import EventBus
    from engine.images.indexes import ImageIndex, Member
    from engine.images.model import Image, Layer
    from engine.images.progress import Meter, Report
    from engine.images.reference import Reference
    from engine.images.registry.auth import Credentials
    from engine.images.registry.client import RegistryClient
    from engine.images.registry.manifest import Platform
    from engine.images.store import Images

    Content = Callable[[], AsyncIterator[bytes]]

CHUNK = 1 << 18


class Pusher:
    """Pushes images of one store."""

    def __init__(
        self, images: Images, events: EventBus, settings: RegistrySettings | None = None
    ) -> None:
        self._images = images
        self._events = events
        self.settings = settings or RegistrySettings()
        self._uploading = trio.CapacityLimiter(self.settings.uploads)

    async def push(
        self, name: str, report: Report, credentials: Credentials, platform: Platform | None = None
    ) -> None:
        """Push an image under one of its names: its index if all of that is here.

        Of an index that has not come here whole, and where one is asked for, it is one platform's image.
        Raises NotFoundError, AccessDeniedError, ...
        """
        reference = parse_reference(name)
        if reference.digest:
            raise InvalidRequestError("cannot push a digest reference")
        try:
            self._images.find(reference.familiar)
        except NotFoundError as error:
            raise NotFoundError(
                f"An image does not exist locally with the tag: {reference.familiar}"
            ) from error
        image = self._images.find(reference.familiar, platform)
        index = self._images.index_of(reference.familiar)
        members = self._members(index) if index and platform is None else []
        narrator = Narrator(report)
        host = f"{reference.host}/{reference.path}"
        await narrator.send({"status": f"The push refers to repository [{host}]"})
        sent = [one for _, one in members] or [image]
        blobs = (layer.blob for one in sent for layer in one.layers)
        chains = (chain for one in sent for chain in one.chain_ids)
        pushed: ImageIndex | None = None
        with self._images.holding(*(one.id for one in sent), *chains, *blobs):
            try:
                async with (
                    narrator.telling(),
                    open_registry(reference.registry, credentials, self.settings) as client,
                ):
                    if index and members:
                        raw, pushed = await self._send_index(
                            client, reference, index, members, narrator
                        )
                    else:
                        raw, _ = await self._send(client, reference, image, narrator, reference.tag)
            except BaseExceptionGroup as group:
                raise first_error(group) from group
        digest = digest_of(raw)
        self._images.remember_digest(image, reference, digest, pushed)
        await narrator.send({"status": f"{reference.tag}: digest: {digest} size: {len(raw)}"})
        if index and not members and digest != index.id:
            chosen = {"mediaType": image.manifest_type, "digest": digest, "size": len(raw)}
            original = {"mediaType": index.media_type, "digest": index.id}
            told = {
                "manifestPushedInsteadOfIndex": True,
                "originalIndex": original,
                "selectedManifest": chosen,
            }
            await narrator.send({"progressDetail": {}, "aux": told})
        told = {"Tag": reference.tag, "Digest": digest, "Size": len(raw)}
        await narrator.send({"progressDetail": {}, "aux": told})
        self._events.publish("image", "push", reference.familiar, {"name": reference.familiar})

    def _members(self, index: ImageIndex) -> list[tuple[Member, Image]]:
        """The images of an index if all of it is here, attestations too; else nothing."""
        found = [(one, self._images.known(one.image)) for one in index.members]
        here = [(one, image) for one, image in found if image is not None]
        return here if len(here) == len(found) else []

    async def _send_index(
        self,
        client: RegistryClient,
        reference: Reference,
        index: ImageIndex,
        members: list[tuple[Member, Image]],
        narrator: Narrator,
    ) -> tuple[bytes, ImageIndex]:
        """All images of an index, then the index: the one it is if its manifests are what it says."""
        made: list[Member] = []
        for member, image in members:
            raw, kind = await self._send(client, reference, image, narrator)
            made.append(replace(member, digest=digest_of(raw), size=len(raw), media_type=kind))
        raw, pushed = self._images.blobs.read(index.id), index
        if [one.digest for one in made] != [one.digest for one in index.members]:
            raw, pushed = made_index(made)
            self._images.replace_index(index, self._images.keep_index(raw, pushed))
        await client.put_manifest(reference.path, reference.tag, raw, pushed.media_type)
        return raw, pushed

    async def _send(
        self,
        client: RegistryClient,
        reference: Reference,
        image: Image,
        narrator: Narrator,
        tag: str = "",
    ) -> tuple[bytes, str]:
        """One image, under a tag or by its digest alone; its manifest there, and what that is."""
        layers: list[Layer] = list(image.layers)
        for layer in layers:
            await narrator.say("Preparing", layer.diff_id[7:19])

        async def one(number: int) -> None:
            below = image.chain_ids[number]
            layers[number] = await self._send_layer(
                client, reference, layers[number], below, narrator
            )

        first = {layer.diff_id: number for number, layer in reversed([*enumerate(layers)])}
        async with trio.open_nursery() as nursery:
            for number in first.values():
                nursery.start_soon(one, number)
        layers = [layers[first[layer.diff_id]] for layer in layers]
        changed = replace(image, layers=tuple(layers))
        raw, kind = self._manifest(changed)
        config = self._images.blobs.read(image.id)
        if not await client.has_blob(reference.path, image.id):

            async def content() -> AsyncIterator[bytes]:
                yield config

            await client.upload_blob(reference.path, image.id, content, len(config))
        await client.put_manifest(reference.path, tag or digest_of(raw), raw, kind)
        if changed.layers != image.layers or raw != self._kept(image):
            self._images.remember_blobs(changed, raw, kind)
        return raw, kind

    async def _send_layer(
        self,
        client: RegistryClient,
        reference: Reference,
        layer: Layer,
        chain: str,
        narrator: Narrator,
    ) -> Layer:
        """Make the registry have a layer; the layer with the blob that it is there."""
        short, path = layer.diff_id[7:19], reference.path
        async with self._uploading:
            if layer.blob and await client.has_blob(path, layer.blob):
                await narrator.say("Layer already exists", short)
                return layer
            if not self._sendable(layer):
                layer = await self._compressed(layer, chain)
                if await client.has_blob(path, layer.blob):
                    await narrator.say("Layer already exists", short)
                    return layer
            for source in self._images.repositories_with(layer.blob, reference):
                if await client.mount_blob(path, layer.blob, source):
                    await narrator.say(f"Mounted from {source}", short)
                    return layer
            size = self._images.blobs.size(layer.blob)
            meter = narrator.meter(short, "Pushing", size)
            try:
                await client.upload_blob(path, layer.blob, self._content(layer.blob, meter), size)
            finally:
                meter.status = ""
        await narrator.say("Pushed", short)
        return layer

    def _content(self, digest: str, meter: Meter) -> Content:
        """A function that gives the blob's bytes anew for every try."""

        async def content() -> AsyncIterator[bytes]:
            meter.current = 0
            with self._images.blobs.open(digest) as stream:
                while chunk := await trio.to_thread.run_sync(stream.read, CHUNK):
                    yield chunk
                    meter.current += len(chunk)

        return content

    def _sendable(self, layer: Layer) -> bool:
        """Whether the blob is here, and compressed as registries have them."""
        compressed = layer.media_type.endswith(("gzip", "zstd"))
        return bool(layer.blob) and compressed and self._images.blobs.has(layer.blob)

    async def _compressed(self, layer: Layer, chain: str) -> Layer:
        folder = self._images.layers.path(chain)
        plain = layer.blob if layer.blob and self._images.blobs.has(layer.blob) else ""
        if folder is None and not plain:
            raise NotFoundError(
                f"a layer of the image is missing ({chain}): build or pull it again"
            )
        blob, diff_id = await trio.to_thread.run_sync(self._compress, folder or "", plain)
        if diff_id != layer.diff_id:
            raise EngineError(
                f"the layer {layer.diff_id} changed on disk", hint="build or pull the image again"
            )
        return replace(layer, blob=blob, media_type=DOCKER_LAYER)

    def _compress(self, folder: str, plain: str) -> tuple[str, str]:
        """In a thread: (digest of the gzip, digest of the tar); the same bytes every time."""
        writer = GzipWriter(self._images.blobs.writer())
        try:
            if plain:
                with self._images.blobs.open(plain) as stream:
                    shutil.copyfileobj(open_tar(stream), writer, CHUNK)
            else:
                pack_layer(folder, writer)
            return writer.commit()
        except BaseException:
            writer.discard()
            raise

    def _kept(self, image: Image) -> bytes:
        if image.manifest and self._images.blobs.has(image.manifest):
            return self._images.blobs.read(image.manifest)
        return b""

    def _manifest(self, image: Image) -> tuple[bytes, str]:
        """The manifest it came with, else one made for it: Docker's kind, OCI's if a layer needs it."""
        kept = self._kept(image)
        if kept:
            return kept, image.manifest_type
        blobs = self._images.blobs
        oci = any("oci" in layer.media_type for layer in image.layers)
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST if oci else DOCKER_MANIFEST,
            "config": {
                "mediaType": OCI_CONFIG if oci else DOCKER_CONFIG,
                "size": blobs.size(image.id),
                "digest": image.id,
            },
            "layers": [
                {
                    "mediaType": _layer_type(layer.media_type, oci=oci),
                    "size": blobs.size(layer.blob),
                    "digest": layer.blob,
                }
                for layer in image.layers
            ],
        }
        return json.dumps(document, indent=3).encode(), str(document["mediaType"])


def _layer_type(kind: str, *, oci: bool) -> str:
    """The same compression in the manifest's own words."""
    if oci and "oci" not in kind:
        return f"{OCI_LAYER}+gzip" if kind.endswith("gzip") else OCI_LAYER
    return kind
