"""Handlers of save (GET /images/get, /images/{name}/get) and load (POST /images/load)."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from functools import partial
from typing import IO, TYPE_CHECKING

import trio

from engine.api.archive_handlers import send_file
from engine.errors import EngineError, InvalidRequestError
from engine.images import transfer
from engine.images.model import Layer
from engine.images.registry.manifest import digest_of
from engine.images.store import spool

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.api.exchange import Exchange
    from engine.images.model import Image
    from engine.images.transfer import Incoming, Outgoing


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
    for name in names:
        outgoing = _outgoing(engine, engine.images.find(name), name)
        known = chosen.get(outgoing.image_id)
        if known:
            outgoing = replace(known, names=(*known.names, *outgoing.names))
        chosen[outgoing.image_id] = outgoing
    with spool(engine.images.scratch) as out:
        await trio.to_thread.run_sync(
            partial(transfer.write_images, list(chosen.values()), out, engine.images.scratch)
        )
        await send_file(exchange, out, {})


def _outgoing(engine: Engine, image: Image, name: str) -> Outgoing:
    folders = tuple(reversed(engine.images.lower_dirs(image)))
    by_id = image.id.startswith(name) or image.id.removeprefix("sha256:").startswith(name)
    names = tuple(r for r in image.references if r in (name, f"{name}:latest"))
    blobs = engine.images.blobs
    sources = tuple(
        transfer.Source(folder, blobs.path(la.blob) if la.blob and blobs.has(la.blob) else "")
        for folder, la in zip(folders, image.layers, strict=True)
    )
    return transfer.Outgoing(
        image.id, blobs.read(image.id), sources, () if by_id else names or (name,)
    )


async def load(engine: Engine, exchange: Exchange) -> None:
    """POST /images/load."""
    with spool(engine.images.scratch) as raw:
        async for chunk in exchange.body():
            await trio.to_thread.run_sync(raw.write, chunk)
        raw.seek(0)
        async with exchange.stream() as body:
            try:
                for line in await _load(engine, raw):
                    await body.send_json({"stream": f"{line}\n"})
            except EngineError as error:
                await body.send_json({"errorDetail": {"message": str(error)}, "error": str(error)})


async def _load(engine: Engine, raw: IO[bytes]) -> list[str]:
    try:
        archive = await trio.to_thread.run_sync(
            partial(tarfile.open, fileobj=raw, mode="r:*")
        )  # nothing but `raw` is open, and its owner closes it
        found = await trio.to_thread.run_sync(transfer.find_images, archive)
        said = []
        for incoming in found:
            image = await _take(engine, archive, incoming)
            said += [f"Loaded image: {engine.images.tag(image, name)}" for name in incoming.names]
            if not incoming.names:
                said.append(f"Loaded image ID: {image.id}")
        return said
    except (tarfile.TarError, EOFError, KeyError, TypeError) as error:
        raise InvalidRequestError(f"the archive is no sound image: {error}") from error


async def _take(engine: Engine, archive: tarfile.TarFile, incoming: Incoming) -> Image:
    """One image into the store: each layer must unpack to the diff id that the config promises."""
    images = engine.images
    promised = json.loads(incoming.config)["rootfs"]["diff_ids"] or []
    if len(promised) != len(incoming.layers):
        raise InvalidRequestError("the image's config and manifest disagree on its layers")
    layers: list[Layer] = []
    chain = ""
    for diff_id, member in zip(promised, incoming.layers, strict=True):
        below, chain = chain, digest_of(f"{chain} {diff_id}".encode()) if chain else diff_id
        if images.layers.path(chain) is None:
            stream = transfer.open_member(archive, member)
            folder, made, size = await trio.to_thread.run_sync(images.layers.unpack, stream)
            if made != diff_id:
                raise InvalidRequestError(f"the layer {member} is not what the config promises")
            images.layers.adopt(folder, chain, diff_id, below, size)
        layers.append(Layer(diff_id, size=images.layers.size(chain)))
    return images.add_raw(incoming.config, digest_of(incoming.config), tuple(layers))
