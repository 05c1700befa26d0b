"""Pull: a name in a registry -> an image here. Layers download side by side, unpack in order.

What is here already (a layer by its chain id, a blob by its digest) is not fetched again; the name
moves to the new image only when all of it is here. Progress is Docker's JSON messages.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import trio

from engine.errors import EngineError, InvalidRequestError, NotFoundError
from engine.images.model import Layer
from engine.images.reference import parse_reference
from engine.images.registry.auth import Credentials
from engine.images.registry.client import RegistryError, open_registry
from engine.images.registry.manifest import (
    SIZE_LIMIT,
    Index,
    Manifest,
    Platform,
    choose_manifest,
    digest_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from engine.events.bus import EventBus
    from engine.images.model import Image
    from engine.images.reference import Reference
    from engine.images.registry.client import RegistryClient
    from engine.images.registry.manifest import Descriptor
    from engine.images.store import Images

    Report = Callable[[dict[str, Any]], Awaitable[None]]

#: Downloads side by side in one pull.
PARALLEL = 4


class Puller:
    """Pulls images into one store; the same name at the same time is pulled once."""

    def __init__(self, images: Images, events: EventBus, architecture: str) -> None:
        self._images = images
        self._events = events
        self._platform = Platform("linux", architecture)
        self._turns: dict[str, trio.Lock] = {}

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
        try:
            wanted = Platform.parse(platform) if platform else self._platform
        except ValueError as error:
            raise InvalidRequestError(str(error)) from error
        turn = self._turns.setdefault(reference.familiar, trio.Lock())
        async with turn:
            shown = reference.tag or reference.digest
            await report({"status": f"Pulling from {reference.path}", "id": shown})
            try:
                async with open_registry(
                    reference.registry, credentials or Credentials()
                ) as registry:
                    image, digest, new = await self._fetch(registry, reference, wanted, report)
            except OSError as error:
                raise RegistryError(f"cannot pull {name}: {error}") from error
            self._images.remember_digest(image, reference, digest)
            if not reference.digest:
                self._images.tag(image, reference.familiar)
            await report({"status": f"Digest: {digest}"})
            what = "Downloaded newer image" if new else "Image is up to date"
            await report({"status": f"Status: {what} for {reference.familiar}"})
            self._events.publish("image", "pull", reference.familiar, {"name": reference.familiar})
            return image

    async def _fetch(
        self, registry: RegistryClient, reference: Reference, wanted: Platform, report: Report
    ) -> tuple[Image, str, bool]:
        asked = reference.digest or reference.tag
        found = await registry.manifest(reference.path, asked)
        digest = found.digest
        if isinstance(found, Index):
            chosen = choose_manifest(found, wanted)
            found = await registry.manifest(reference.path, chosen.digest)
        if not isinstance(found, Manifest):
            raise RegistryError(f"{reference.familiar} is an index of indexes: not an image")
        try:
            image = self._images.find(found.config.digest)
            self._images.lower_dirs(image)
            return image, digest, False
        except NotFoundError:
            pass  # not here, or not whole
        raw = await self._config(registry, reference, found.config)
        diff_ids = _diff_ids(raw, found, reference)
        blobs = (layer.digest for layer in found.layers)
        with self._images.holding(*_chain_ids(diff_ids), *blobs):
            layers = await self._layers(registry, reference, found, diff_ids, report)
            return self._images.add_raw(raw, found.config.digest, layers), digest, True

    async def _config(
        self, registry: RegistryClient, reference: Reference, config: Descriptor
    ) -> bytes:
        if config.size > SIZE_LIMIT:
            raise RegistryError(f"the config of {reference.familiar} is over {SIZE_LIMIT} bytes")
        raw = bytearray()
        await registry.blob(reference.path, config.digest, config.size, raw.extend)
        return bytes(raw)

    async def _layers(
        self,
        registry: RegistryClient,
        reference: Reference,
        manifest: Manifest,
        diff_ids: list[str],
        report: Report,
    ) -> tuple[Layer, ...]:
        arrived = [trio.Event() for _ in diff_ids]
        chains = _chain_ids(diff_ids)
        limiter = trio.CapacityLimiter(PARALLEL)

        async def download(number: int) -> None:
            layer = manifest.layers[number]
            short = layer.digest[7:19]
            async with limiter:
                if self._images.layers.path(chains[number]) is not None:
                    await report({"status": "Already exists", "progressDetail": {}, "id": short})
                elif not self._images.blobs.has(layer.digest):
                    await self._download(registry, reference, layer, report)
            arrived[number].set()

        made: list[Layer] = []
        try:
            async with trio.open_nursery() as nursery:
                for number in range(len(diff_ids)):
                    nursery.start_soon(download, number)
                for number, diff_id in enumerate(diff_ids):
                    await arrived[number].wait()
                    made.append(
                        await self._unpack(manifest.layers[number], diff_id, chains, number, report)
                    )
        except ExceptionGroup as group:
            raise _first_error(group) from group
        return tuple(made)

    async def _download(
        self, registry: RegistryClient, reference: Reference, layer: Descriptor, report: Report
    ) -> None:
        short = layer.digest[7:19]
        await report(
            {"status": "Downloading", "progressDetail": {"total": layer.size}, "id": short}
        )
        writer = self._images.blobs.writer()
        try:
            await registry.blob(reference.path, layer.digest, layer.size, writer.write)
            writer.commit()
        except BaseException:
            writer.discard()
            raise
        await report({"status": "Download complete", "progressDetail": {}, "id": short})

    async def _unpack(
        self, layer: Descriptor, diff_id: str, chains: list[str], number: int, report: Report
    ) -> Layer:
        chain = chains[number]
        if self._images.layers.path(chain) is None:
            folder, found, size = await trio.to_thread.run_sync(self._unpack_blob, layer.digest)
            if found != diff_id:
                raise RegistryError(
                    f"layer {layer.digest} unpacks to {found}, the config promised {diff_id}: refused"
                )
            below = chains[number - 1] if number else ""
            self._images.layers.adopt(folder, chain, diff_id, below, size)
            done = {"status": "Pull complete", "progressDetail": {}, "id": layer.digest[7:19]}
            await report(done)
        size = self._images.layers.size(chain)
        return Layer(diff_id, layer.digest, layer.media_type, size)

    def _unpack_blob(self, digest: str) -> tuple[Path, str, int]:
        with self._images.blobs.open(digest) as raw:
            return self._images.layers.unpack(raw)


def _diff_ids(raw: bytes, manifest: Manifest, reference: Reference) -> list[str]:
    """The layers that a config promises. Raises RegistryError."""
    try:
        diff_ids = [str(diff_id) for diff_id in json.loads(raw)["rootfs"]["diff_ids"]]
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError(f"the config of {reference.familiar} names no layers") from error
    if len(diff_ids) != len(manifest.layers):
        raise RegistryError(f"the config of {reference.familiar} has another number of layers")
    return diff_ids


def _chain_ids(diff_ids: list[str]) -> list[str]:
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(digest_of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return _first_error(error)
        if isinstance(error, EngineError):
            return error
    return group.exceptions[0]
