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
from engine.images.indexes import read_index
from engine.images.layers import remove_tree
from engine.images.loading import Arrival
from engine.images.model import Layer, chain_ids
from engine.images.outgoing import outgoing, outgoing_index
from engine.images.progress import Narrator
from engine.images.pull import first_error
from engine.images.registry.manifest import Platform, digest_of
from engine.images.saving import write_images

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, BinaryIO

    from engine.api.engine import Engine
    from engine.api.exchange import Exchange
    from engine.images.compression import HashedReader
    from engine.images.loading import Incoming, IncomingGroup, Member
    from engine.images.model import Image
    from engine.images.progress import Meter
    from engine.images.saving import Outgoing, OutgoingIndex
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
    platforms = [read_platform(text) for text in exchange.request.all("platform") if text]
    shelf = _Shelf(engine.images)
    for name in names:
        shelf.take(name, platforms)
    images = list(shelf.images.values())
    with engine.images.holding(*shelf.held):
        async with exchange.stream("application/x-tar") as body:
            write = partial(write_images, images, indexes=list(shelf.indexes.values()))
            await send_from_thread(body, write)


class _Shelf:
    """What is to be saved, each thing once; `held` must stay while it is."""

    def __init__(self, images: Images) -> None:
        self._store = images
        self.images: dict[str, Outgoing] = {}
        self.indexes: dict[str, OutgoingIndex] = {}
        self.held: list[str] = []

    def take(self, name: str, platforms: list[Platform]) -> None:
        """An image under the name that it is asked for by, none if that is its id.

        With all its platforms that are here where there are several, or those that are asked for.
        """
        complete = self._store.reference_of(name)
        names = (complete,) if complete and "@" not in complete else ()
        image, index = self._store.find(name), self._store.index_of(name)
        here = [one for one in map(self._store.known, index.images) if one] if index else []
        if platforms:
            for platform in platforms:
                self._one(self._store.find(name, platform), names)
        elif index is None or len(here) < 2:
            self._one(image, names)
        else:
            _, whole = outgoing_index(self._store, index, names)
            for one in here:
                self._one(one, names if one.id == image.id else (), inside=True)
            known = self.indexes.get(index.id)
            every = (*(known.names if known else ()), *names)
            self.indexes[index.id] = replace(whole, names=tuple(dict.fromkeys(every)))

    def _one(self, image: Image, names: tuple[str, ...], *, inside: bool = False) -> None:
        known = self.images.get(image.id)
        before, was = (known.names, known.inside) if known else ((), True)
        every = tuple(dict.fromkeys((*before, *names)))
        made = known or outgoing(self._store, image)
        self.images[image.id] = replace(made, names=every, inside=inside and was)
        self.held += [*image.chain_ids, image.id, *(layer.blob for layer in image.layers)]


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
                platform = read_platform(wanted) if wanted else None
                found = await trio.to_thread.run_sync(
                    arrival.images, engine.images.platform, platform
                )
                for group in found:
                    for line in await _take_group(engine.images, group, narrator):
                        await body.send_json({"stream": f"{line}\n"})
            except EngineError as error:
                await body.send_json({"errorDetail": {"message": str(error)}, "error": str(error)})
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(remove_tree, folder)


async def _nothing(_message: Any) -> None:
    pass


def read_platform(text: str) -> Platform:
    """The `platform` parameter, JSON of the OCI platform as the CLI sends it, or os/arch.

    Raises InvalidRequestError.
    """
    try:
        if text.startswith("{"):
            document = json.loads(text)
            parts = (document["os"], document["architecture"], document.get("variant"))
            text = "/".join(str(part) for part in parts if part)
        return Platform.parse(text)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError(f"invalid platform: {text!r}") from error


async def _take_group(images: Images, group: IncomingGroup, narrator: Narrator) -> list[str]:
    """What one entry of an archive stands for, named; what is said of it."""
    taken = {
        one.digest or number: await _take(images, one, narrator)
        for number, one in enumerate(group.images)
    }
    image, index = next(iter(taken.values())), None
    if group.index:
        ids = {str(digest): one.id for digest, one in taken.items()}
        index = images.keep_index(group.index.raw, read_index(group.index, ids))
    lines = [f"Loaded image: {images.tag(image, name, index=index)}" for name in group.names]
    return lines or [f"Loaded image ID: {one.id}" for one in taken.values()]


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


def _opened(images: Images, member: Member) -> BinaryIO:
    """A member's file, or, where another layer is the same blob and has taken it there, the store's."""
    try:
        return member.path.open("rb")
    except FileNotFoundError:
        return open(images.blobs.path(member.digest), "rb")  # noqa: PTH123  # as the store opens its own


def _unpack(images: Images, member: Member, meter: Meter) -> tuple[Path, str, int]:
    with _opened(images, member) as raw:

        def opened(reader: HashedReader) -> None:
            reader.passed = lambda: setattr(meter, "current", raw.tell())

        return images.layers.unpack(raw, opened)
