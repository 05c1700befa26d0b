"""Handlers of save (GET /images/get, /images/{name}/get) and load (POST /images/load)."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from engine.api.pipes import read_in_thread, send_from_thread
from engine.errors import EngineError, InvalidRequestError
from engine.images.layers import remove_tree
from engine.images.loading import Arrival
from engine.images.model import Layer, chain_ids
from engine.images.progress import Narrator
from engine.images.pull import first_error
from engine.images.registry.manifest import Platform, digest_of
from engine.images.saving import Outgoing, Source, write_images

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from engine.api.engine import Engine
    from engine.api.exchange import Exchange
    from engine.images.compression import HashedReader
    from engine.images.loading import Incoming, Member
    from engine.images.model import Image
    from engine.images.progress import Meter
    from engine.images.store import Images


async def save_one(engine: Engine, exchange: Exchange, name: str) -> None:
    """GET /images/{name}/get."""
    await _save(engine, exchange, [name])


async def save(engine: Engine, exchange: Exchange) -> None:
    """GET /images/get?names=..."""
    names = [name for value in exchange.request.all("names") for name in value.split(",") if name]
    if not names:
        raise InvalidRequestError("no image is named: give names=...")
    await _save(engine, exchange, names)


async def _save(engine: Engine, exchange: Exchange, names: list[str]) -> None:
    chosen: dict[str, Outgoing] = {}
    held: list[str] = []
    for name in names:
        image = engine.images.find(name)
        outgoing = _outgoing(engine.images, image, name)
        known = chosen.get(image.id)
        if known:
            added = (one for one in outgoing.names if one not in known.names)
            outgoing = replace(known, names=(*known.names, *added))
        chosen[image.id] = outgoing
        held += [*image.chain_ids, image.id, *(layer.blob for layer in image.layers)]
    with engine.images.holding(*held):
        async with exchange.stream("application/x-tar") as body:
            await send_from_thread(body, partial(write_images, list(chosen.values())))


def _outgoing(images: Images, image: Image, name: str) -> Outgoing:
    """An image as it is written; under the name that it is asked for by, none if that is its id."""
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
    names = tuple(one for one in image.references if images.reference_of(name) == one)
    return Outgoing(blobs.read(image.id), sources, names, manifest, image.manifest_type)


async def load(engine: Engine, exchange: Exchange) -> None:
    """POST /images/load."""
    request = exchange.request
    wanted = request.text("platform")
    folder = engine.images.scratch / f"load-{secrets.token_hex(6)}"
    arrival = Arrival(folder)
    try:
        await read_in_thread(exchange.body(), arrival.receive)
        async with exchange.stream() as body:
            narrator = Narrator(_nothing if request.flag("quiet") else body.send_json)
            try:
                platform = _platform(wanted, engine.host.architecture)
                found = await trio.to_thread.run_sync(arrival.images, platform)
                for incoming in found:
                    image = await _take(engine.images, incoming, narrator)
                    lines = [
                        f"Loaded image: {engine.images.tag(image, name)}" for name in incoming.names
                    ]
                    for line in lines or [f"Loaded image ID: {image.id}"]:
                        await body.send_json({"stream": f"{line}\n"})
            except EngineError as error:
                await body.send_json({"errorDetail": {"message": str(error)}, "error": str(error)})
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(remove_tree, folder)


async def _nothing(_message: Any) -> None:
    pass


def _platform(text: str, architecture: str) -> Platform:
    """The `platform` parameter, JSON of the OCI platform as the CLI sends it, or os/arch."""
    if not text:
        return Platform("linux", architecture)
    try:
        if text.startswith("{"):
            document = json.loads(text)
            return Platform(
                str(document["os"]),
                str(document["architecture"]),
                str(document.get("variant") or ""),
            )
        return Platform.parse(text)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError(f"invalid platform: {text!r}") from error


async def _take(images: Images, incoming: Incoming, narrator: Narrator) -> Image:
    """One image into the store: each layer must unpack to the diff id that the config promises."""
    try:
        promised = [str(one) for one in json.loads(incoming.config)["rootfs"]["diff_ids"] or []]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError("the image's config names no layers") from error
    if len(promised) != len(incoming.layers):
        raise InvalidRequestError("the image's config and manifest disagree on its layers")
    chains = chain_ids(promised)
    layers: list[Layer | None] = [None] * len(promised)

    async def one(number: int) -> None:
        member, kind = incoming.layers[number], incoming.media_types[number]
        below = chains[number - 1] if number else ""
        size = await _bring(images, member, promised[number], (chains[number], below), narrator)
        layers[number] = Layer(promised[number], member.digest, kind, size)

    image_id = digest_of(incoming.config)
    blobs = [member.digest for member in incoming.layers]
    with images.holding(*chains, *blobs, image_id):
        try:
            async with narrator.telling(), trio.open_nursery() as nursery:
                for number in range(len(promised)):
                    nursery.start_soon(one, number)
        except BaseExceptionGroup as group:
            raise first_error(group) from group
        whole = tuple(layer for layer in layers if layer is not None)
        return images.add_raw(incoming.config, image_id, whole, manifest=incoming.manifest)


async def _bring(
    images: Images, member: Member, diff_id: str, chain: tuple[str, str], narrator: Narrator
) -> int:
    """One layer, unpacked, its blob kept as it came; the bytes of its files."""
    chain_id, below = chain
    if images.layers.path(chain_id) is None:
        meter = narrator.meter(diff_id[7:19], "Loading layer", member.size)
        try:
            folder, made, size = await trio.to_thread.run_sync(
                _unpack, images, member, meter, limiter=images.unpacking
            )
        finally:
            meter.status = ""
        if made != diff_id:
            await trio.to_thread.run_sync(remove_tree, folder)
            raise InvalidRequestError(
                f"the layer {member.digest} unpacks to {made}, the config promised {diff_id}"
            )
        images.layers.adopt(folder, chain_id, diff_id, below, size)
    images.blobs.adopt(member.path, member.digest)
    return images.layers.size(chain_id)


def _unpack(images: Images, member: Member, meter: Meter) -> tuple[Path, str, int]:
    # Two layers may be the same blob: the first has taken the file to the store.
    path = member.path if member.path.exists() else images.blobs.path(member.digest)
    with open(path, "rb") as raw:  # noqa: PTH123  # as the blob store opens its own

        def opened(reader: HashedReader) -> None:
            reader.passed = lambda: setattr(meter, "current", raw.tell())

        return images.layers.unpack(raw, opened)
