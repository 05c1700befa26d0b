"""Pull: a name in a registry -> an image here. Layers download and unpack side by side.

What is here already (a layer by its chain id, a blob by its digest) is not fetched again; a layer
is unpacked only when its blob is whole and has its digest; the name moves to the new image when all
of it is here. Mirrors are asked before the registry. Progress is Docker's JSON messages.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import trio

from engine.errors import EngineError, InvalidRequestError, NotFoundError
from engine.images.indexes import read_index
from engine.images.layers import remove_tree
from engine.images.model import Layer, chain_ids
from engine.images.progress import Narrator
from engine.images.reference import parse_reference
from engine.images.registry.answers import AccessDeniedError, RegistryError
from engine.images.registry.auth import Credentials
from engine.images.registry.connect import endpoints_of, open_endpoint, open_registry
from engine.images.registry.download import download
from engine.images.registry.manifest import (
    SIZE_LIMIT,
    Descriptor,
    Index,
    Manifest,
    ManifestError,
    Platform,
    choose_manifest,
)
from engine.images.registry.settings import RegistrySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from engine.events.bus import EventBus
    from engine.images.compression import HashedReader
    from engine.images.indexes import ImageIndex
    from engine.images.model import Image
    from engine.images.progress import Meter, Report
    from engine.images.reference import Reference
    from engine.images.registry.client import RegistryClient
    from engine.images.store import Images

#: What a mirror may do wrong without harm: the registry itself is asked next.
MIRROR_FAULTS = (RegistryError, NotFoundError, AccessDeniedError, ManifestError)


@dataclass(frozen=True, slots=True)
class Order:
    """One image to fetch from one endpoint."""

    client: RegistryClient
    reference: Reference
    wanted: Platform
    narrator: Narrator


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image that is here now, under the digest its name has; `index` is what that digest is of."""

    image: Image
    digest: str
    new: bool = False
    index: Index | None = None


class Puller:
    """Pulls images into one store; the same name at the same time is pulled once."""

    def __init__(
        self,
        images: Images,
        events: EventBus,
        architecture: str,
        settings: RegistrySettings | None = None,
    ) -> None:
        self._images = images
        self._events = events
        self._platform = Platform("linux", architecture)
        self.settings = settings or RegistrySettings()
        self._turns: dict[str, trio.Lock] = {}
        self._downloading = trio.CapacityLimiter(self.settings.downloads)

    async def pull(
        self,
        name: str,
        report: Report,
        *,
        credentials: Credentials | None = None,
        platform: str = "",
    ) -> Image:
        """Pull one image and give it its name. Raises NotFoundError, RegistryError, ..."""
        reference = parse_reference(name)
        wanted = self._parse_platform(platform)
        narrator = Narrator(report)
        async with self._turn(reference.familiar):
            await narrator.send(
                {
                    "status": f"Pulling from {reference.path}",
                    "id": reference.digest or reference.tag,
                }
            )
            try:
                async with narrator.telling():
                    found = await self._from_somewhere(
                        reference, wanted, credentials or Credentials(), narrator
                    )
            except BaseExceptionGroup as group:
                raise first_error(group) from group
            image, digest = found.image, found.digest
            index = self._kept(found)
            self._images.remember_digest(image, reference, digest, index)
            if not reference.digest:
                self._images.tag(image, reference.familiar, quiet=True, index=index)
            await narrator.say(f"Digest: {digest}")
            what = "Downloaded newer image for" if found.new else "Image is up to date for"
            await narrator.say(f"Status: {what} {reference.familiar}")
            self._events.publish("image", "pull", reference.familiar, {"name": reference.familiar})
            return image

    async def pull_all(
        self, name: str, report: Report, *, credentials: Credentials | None = None
    ) -> None:
        """Pull every tag of a repository (docker pull --all-tags)."""
        reference = parse_reference(name)
        given = credentials or Credentials()
        async with open_registry(reference.registry, given, self.settings) as client:
            tags = await client.tags(reference.path)
        for tag in tags:
            await self.pull(f"{reference.familiar_name}:{tag}", report, credentials=given)

    async def describe(
        self, name: str, credentials: Credentials
    ) -> tuple[Manifest | Index, list[Platform]]:
        """What a registry has under a name, and for which platforms; nothing is stored."""
        reference = parse_reference(name)
        async with open_registry(reference.registry, credentials, self.settings) as client:
            found = await client.manifest(reference.path, reference.digest or reference.tag)
            if isinstance(found, Index):
                return found, [entry.platform for entry in found.manifests if entry.platform]
            raw = await self._config(client, reference, found.config)
            config = json.loads(raw)
            variant = str(config.get("variant") or "")
            return found, [Platform(config.get("os", ""), config.get("architecture", ""), variant)]

    def _parse_platform(self, text: str) -> Platform:
        if not text:
            return self._platform
        try:
            return Platform.parse(text)
        except ValueError as error:
            raise InvalidRequestError(str(error)) from error

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        """One at a time for a key; others wait and find it done."""
        lock = self._turns.setdefault(key, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._turns.pop(key, None)

    async def _from_somewhere(
        self, reference: Reference, wanted: Platform, credentials: Credentials, narrator: Narrator
    ) -> Fetched:
        """From the first mirror that has it, else from the registry itself."""
        *mirrors, last = endpoints_of(reference.registry, self.settings)
        for mirror in mirrors:
            try:
                async with open_endpoint(mirror, credentials, self.settings) as client:
                    return await self._fetch(Order(client, reference, wanted, narrator))
            except (EngineError, BaseExceptionGroup) as error:
                why = first_error(error)
                if not isinstance(why, MIRROR_FAULTS):
                    raise why from error
            await narrator.say(f"Mirror {mirror.host} could not help: {why}")
        async with open_endpoint(last, credentials, self.settings) as client:
            return await self._fetch(Order(client, reference, wanted, narrator))

    def _kept(self, found: Fetched) -> ImageIndex | None:
        """The index that the image came by, kept with the image as one of its members."""
        if found.index is None:
            return self._images.indexes.get(found.digest)
        here = {one.manifest: one.id for one in self._images.all() if one.manifest}
        here[found.image.manifest] = found.image.id
        return self._images.keep_index(found.index.raw, read_index(found.index, here))

    async def _fetch(self, order: Order) -> Fetched:
        reference = order.reference
        there = await self._known(order)
        if there:
            return there
        found = await order.client.manifest(reference.path, reference.digest or reference.tag)
        digest, index = found.digest, None
        if isinstance(found, Index):
            index = found
            chosen = choose_manifest(found, order.wanted)
            found = await order.client.manifest(reference.path, chosen.digest)
        if not isinstance(found, Manifest):
            raise RegistryError(f"{reference.familiar} is an index of indexes: not an image")
        try:
            image = self._images.find(found.config.digest)
            self._images.lower_dirs(image)
        except NotFoundError:
            pass  # not here, or not whole
        else:
            return Fetched(replace(image, manifest=found.digest), digest, index=index)
        raw = await self._config(order.client, reference, found.config)
        diff_ids = _diff_ids(raw, found, reference)
        blobs = (layer.digest for layer in found.layers)
        with self._images.holding(*chain_ids(diff_ids), *blobs, found.config.digest, found.digest):
            layers = await self._layers(order, found, diff_ids)
            image = self._images.add_raw(
                raw, found.config.digest, layers, manifest=(found.raw, found.media_type)
            )
            return Fetched(image, digest, new=True, index=index)

    async def _known(self, order: Order) -> Fetched | None:
        """The image here that the name means there, if a HEAD can tell: no pull is counted then."""
        reference = order.reference
        digest = reference.digest or await order.client.manifest_digest(
            reference.path, reference.tag
        )
        if not digest:
            return None
        try:
            image = self._images.find(f"{reference.familiar_name}@{digest}", order.wanted)
            self._images.lower_dirs(image)
        except NotFoundError:
            return None
        return Fetched(image, digest)

    async def _config(
        self, client: RegistryClient, reference: Reference, config: Descriptor
    ) -> bytes:
        if config.size > SIZE_LIMIT:
            raise RegistryError(f"the config of {reference.familiar} is over {SIZE_LIMIT} bytes")
        async with self._turn(config.digest):  # two names may be of one image
            if not self._images.blobs.has(config.digest):
                await download(client, reference.path, config, self._images.blobs)
        return self._images.blobs.read(config.digest)

    async def _layers(
        self, order: Order, manifest: Manifest, diff_ids: list[str]
    ) -> tuple[Layer, ...]:
        chains = chain_ids(diff_ids)
        made: list[Layer | None] = [None] * len(diff_ids)

        async def bring(number: int) -> None:
            layer = manifest.layers[number]
            below = chains[number - 1] if number else ""
            size = await self._bring(order, layer, diff_ids[number], chains[number], below)
            made[number] = Layer(diff_ids[number], layer.digest, layer.media_type, size)

        for layer in manifest.layers:
            await order.narrator.say("Pulling fs layer", _short(layer))
        async with trio.open_nursery() as nursery:
            for number in range(len(diff_ids)):
                nursery.start_soon(bring, number)
        return tuple(layer for layer in made if layer is not None)

    async def _bring(
        self, order: Order, layer: Descriptor, diff_id: str, chain: str, below: str
    ) -> int:
        """One layer, here and unpacked; the bytes of its files."""
        short, narrator = _short(layer), order.narrator
        async with self._turn(chain):
            if self._images.layers.path(chain) is not None:
                await narrator.say("Already exists", short)
                return self._images.layers.size(chain)
            async with self._turn(layer.digest):
                if not self._images.blobs.has(layer.digest):
                    await self._download(order, layer)
            meter = narrator.meter(short, "Extracting", layer.size)
            try:
                folder, found, size = await trio.to_thread.run_sync(
                    self._unpack, layer.digest, meter, limiter=self._images.unpacking
                )
            finally:
                meter.status = ""
            if found != diff_id:
                await trio.to_thread.run_sync(remove_tree, folder)
                raise RegistryError(
                    f"layer {layer.digest} unpacks to {found}, the config promised {diff_id}: refused"
                )
            self._images.layers.adopt(folder, chain, diff_id, below, size)
            await narrator.say("Pull complete", short)
            return size

    async def _download(self, order: Order, layer: Descriptor) -> None:
        short, narrator = _short(layer), order.narrator
        if not self._downloading.available_tokens:
            await narrator.say("Waiting", short)
        async with self._downloading:
            meter = narrator.meter(short, "Downloading", layer.size)

            def tell(size: int) -> None:
                meter.current = size

            try:
                await download(order.client, order.reference.path, layer, self._images.blobs, tell)
            finally:
                meter.status = ""
        await narrator.say("Download complete", short)

    def _unpack(self, digest: str, meter: Meter) -> tuple[Path, str, int]:
        """In a thread: the blob's place in its file is how far the unpacking is."""
        with self._images.blobs.open(digest) as raw:

            def opened(reader: HashedReader) -> None:
                reader.passed = lambda: setattr(meter, "current", raw.tell())

            return self._images.layers.unpack(raw, opened)


def _short(layer: Descriptor) -> str:
    return layer.digest.partition(":")[2][:12]


def _diff_ids(raw: bytes, manifest: Manifest, reference: Reference) -> list[str]:
    """The layers that a config promises. Raises RegistryError."""
    try:
        diff_ids = [str(diff_id) for diff_id in json.loads(raw)["rootfs"]["diff_ids"] or []]
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError(
            f"{reference.familiar} is no container image: its config names no layers"
        ) from error
    if len(diff_ids) != len(manifest.layers):
        raise RegistryError(f"the config of {reference.familiar} has another number of layers")
    return diff_ids


def first_error(error: BaseException) -> BaseException:
    """The first error in a group that says what is wrong; others broke or were cancelled with it."""
    found = _flat(error)
    return next((one for one in found if isinstance(one, EngineError)), found[0])


def _flat(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [one for part in error.exceptions for one in _flat(part)]
    return [error]
