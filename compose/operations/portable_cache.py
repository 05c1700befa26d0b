"""A build's cache_from and cache_to: where the cache comes from and goes to, over the engine's image calls.

Our engine makes and takes a cache as an image; a registry keeps it under a name, a folder as an OCI
layout. Sources: https://docs.docker.com/build/cache/backends/ (registry, local, inline; others are
refused by name).
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from compose.engine_client import calls, image_calls
from compose.engine_client.json_stream import JsonStream
from compose.engine_client.payloads.references import split_reference
from compose.errors import ComposeError, EngineRefusedError, ProjectError
from compose.model.record import Record
from compose.operations.archives import CHUNK, PieceReader, pack, safe_path, unpack_one
from compose.operations.context import Upload
from compose.operations.pulling import push_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from compose.engine_client.transport import Engine

FROM, TO = ("registry", "local"), ("registry", "local", "inline")
#: What a place may say beside its type, and which values of it mean nothing else than what is done.
KNOWN = {
    "registry": ("ref", "mode", "ignore-error"), "local": ("src", "dest", "mode", "ignore-error"),
    "inline": (),
}  # fmt: skip
USUAL = {
    "oci-mediatypes": ("true", "false"), "image-manifest": ("true", "false"), "compression": ("gzip",),
    "force-compression": ("false",), "tag": ("latest",),
}  # fmt: skip


class CachePlace(Record):
    """`kind` is registry, local or inline; `where` an image's name or a folder.

    `whole`: every step goes there (mode=max), not those of the image alone. `optional`: what fails is
    told, and no error.
    """

    kind: str
    where: str = ""
    whole: bool = False
    optional: bool = False


def read_places(
    entries: Sequence[str], known: tuple[str, ...], attribute: str
) -> tuple[CachePlace, ...]:
    """cache_from (the kinds FROM) or cache_to (TO). Raises ProjectError."""
    found = []
    for text in entries:
        where = f"{attribute}: {text}"
        if "=" not in text:
            found.append(CachePlace("registry", text))
            continue
        fields = dict(part.partition("=")[::2] for part in text.split(","))
        kind = fields.get("type", "registry")
        if kind not in known:
            raise ProjectError(f"{where}: the type {kind} is not supported: use {', '.join(known)}")
        key = {"registry": "ref", "local": "src" if known == FROM else "dest"}.get(kind, "")
        if key and not fields.get(key):
            raise ProjectError(f"{where}: {key} is missing: add {key}=...")
        for name, value in fields.items():
            if name not in ("type", *KNOWN[kind]) and value not in USUAL.get(name, ()):
                raise ProjectError(f"{where}: {name}={value} is not supported: take it out")
        mode = fields.get("mode", "min")
        if mode not in ("min", "max"):
            raise ProjectError(f"{where}: mode={mode} is neither min nor max")
        optional = fields.get("ignore-error", "").lower() in ("true", "1")
        found.append(CachePlace(kind, fields.get(key, ""), mode == "max", optional))
    return tuple(found)


def asked_of(places: tuple[CachePlace, ...]) -> str:
    """What the engine is to make for cache_to: "max" if any place wants it, "min", "inline" or ""."""
    if all(place.kind == "inline" for place in places):
        return "inline" if places else ""
    return "max" if any(place.whole for place in places) else "min"


async def bring(
    engine: Engine, places: tuple[CachePlace, ...], warn: Callable[[str], None]
) -> list[str]:
    """The names of images to take a cache from; folders are loaded. What fails is a warning."""
    names = []
    for place in places:
        if place.kind == "registry":
            names.append(place.where)
            continue
        try:
            names.append(await _load(engine, Path(place.where)))
        except ComposeError as error:
            warn(f"cache_from {place.where}: {error}")
    return names


async def _load(engine: Engine, folder: Path) -> str:
    if not (folder / "index.json").is_file():
        raise ComposeError("no cache is there yet")
    stream, said = JsonStream(), ""
    call = image_calls.load_images(quiet=True, platform="")
    async with engine.stream(call, Upload(pack(folder, ""))) as body:
        async for piece in body:
            for message in stream.feed(piece):
                if message.get("error"):
                    raise ComposeError(str(message["error"]))
                said += str(message.get("stream", ""))
    name = said.rpartition("sha256:")[2].strip()
    if not name:
        raise ComposeError("the engine found no image in it")
    return f"sha256:{name}"


async def take_away(
    engine: Engine,
    image_id: str,
    places: tuple[CachePlace, ...],
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> None:
    """The cache's image to where it is to go; the engine does not keep it. Raises ComposeError."""
    try:
        for place in places:
            try:
                await _take(engine, image_id, place, environment)
            except ComposeError as error:
                if not place.optional:
                    raise
                warn(f"cache_to {place.where}: {error}")
    finally:
        with trio.CancelScope(shield=True):
            try:
                await engine.do(calls.remove_image(image_id, force=True))
            except EngineRefusedError:
                pass  # the image is the cache of another build as well


async def _take(
    engine: Engine, image_id: str, place: CachePlace, environment: Mapping[str, str]
) -> None:
    if place.kind == "registry":
        repository, tag = split_reference(place.where)
        await engine.do(calls.tag_image(image_id, repository, tag))
        await push_image(engine, place.where, environment, None)
    elif place.kind == "local":
        await _save(engine, image_id, Path(place.where))


async def _save(engine: Engine, image_id: str, folder: Path) -> None:
    send, receive = trio.open_memory_channel[bytes](4)

    def pieces() -> Iterator[bytes]:
        while True:
            try:
                yield trio.from_thread.run(receive.receive)
            except trio.EndOfChannel:
                return

    async def feed() -> None:
        async with send, engine.stream(calls.save_images([image_id])) as body:
            async for piece in body:
                await send.send(piece)

    def write() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        reader = io.BufferedReader(PieceReader(pieces()), CHUNK)
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            for entry in archive:
                path = safe_path(folder.resolve(), entry.name.rstrip("/"))
                if path is not None:
                    unpack_one(archive, entry, path, folder.resolve(), "")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        await trio.to_thread.run_sync(write)
