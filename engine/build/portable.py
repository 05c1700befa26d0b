"""A build's cache as an image: what cache_to makes, and what cache_from takes steps from.

Rules: the image's config holds the steps' keys and, for each, the layers it stands on; the image's
layers are all of them, once each. Layers are shared by hard links where they are to stand on others.
What cannot be used is told and passed over: a cache never makes a build fail.
"""
# ruff: noqa: PTH208

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.build.cache import Remembered
from engine.build.events import Warned
from engine.build.snapshot import chained
from engine.errors import EngineError, NotFoundError
from engine.images.model import Layer
from engine.images.pack import measure
from engine.images.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.build.bench import Bench, Used
    from engine.images.model import Image

#: Where the steps are in an image's config; `VERSION` changes with what they mean.
FIELD, VERSION = "pycompose.cache", 1


def steps_of(bench: Bench, images: Sequence[Image] | None = None) -> list[dict[str, Any]]:
    """The steps of a build that has ended, as they are written down; with `images` only theirs."""
    return [
        {
            "key": key,
            "below": [layer.diff_id for layer in used.before.layers],
            "layer": used.found.layer.diff_id if used.found.layer else None,
            "created": used.found.created,
        }
        for key, used in _used(bench, images).items()
    ]


def _used(bench: Bench, images: Sequence[Image] | None) -> dict[str, Used]:
    """What a build used, or of that what stands on no layers but those of one of the images."""
    if images is None:
        return bench.used
    owned = [set(image.diff_ids) for image in images]
    return {
        key: used
        for key, used in bench.used.items()
        if any(own.issuperset(layer.diff_id for layer in _layers(used)) for own in owned)
    }


def _layers(used: Used) -> tuple[Layer, ...]:
    return (*used.before.layers, *((used.found.layer,) if used.found.layer else ()))


async def export_cache(bench: Bench, images: Sequence[Image] | None = None) -> Image:
    """An image without a name that holds the build's steps and all their layers.

    With `images` (the "min" of BuildKit's words) these are the steps that the images are made of.
    """
    layers: dict[str, Layer] = {}
    places: dict[str, str] = {}
    for used in _used(bench, images).values():
        chain = ""
        for layer in _layers(used):
            chain = chained(chain, layer.diff_id)
            layers.setdefault(layer.diff_id, layer)
            places.setdefault(layer.diff_id, chain)
    stack = tuple(layers.values())
    await _stack(bench, stack, places)
    document = {
        "architecture": bench.platform.architecture,
        "os": bench.platform.os,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in stack]},
        FIELD: {"version": VERSION, "alone": True, "steps": steps_of(bench, images)},
    }
    return bench.images.add(document, stack)


async def import_caches(bench: Bench) -> None:
    """Take over the steps of the images that the request names. What fails is told."""
    for name in bench.request.cache_from:
        try:
            await _import(bench, name)
        except EngineError as error:
            await bench.tell(Warned(f"cache_from {name}: {error}"))


async def _import(bench: Bench, name: str) -> None:
    image = await _find(bench, name)
    found = image.document.get(FIELD)
    if not isinstance(found, dict) or found.get("version") != VERSION:
        await bench.tell(Warned(f"cache_from {name}: the image holds no build cache"))
        return
    layers = {layer.diff_id: layer for layer in image.layers}
    places = dict(zip(image.diff_ids, image.chain_ids, strict=True))
    try:
        for step in found["steps"]:
            await _take(bench, step, layers, places)
    except (KeyError, TypeError, AttributeError) as error:
        raise EngineError("its build cache cannot be read") from error
    if found.get("alone"):  # its layers are the cache's now
        await bench.images.remove(image.references[0] if image.references else image.id)


async def _find(bench: Bench, name: str) -> Image:
    """An image by name or id; a name is pulled, for another machine may have pushed a newer one."""

    async def report(_message: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()

    if name.startswith("sha256:"):
        return bench.images.find(name)
    try:
        await bench.pull(name, report, await bench.auths_for(name), "")
    except EngineError as error:
        try:
            return bench.images.find(name)
        except NotFoundError:
            raise error from None
    return bench.images.find(parse_reference(name).familiar)


async def _take(
    bench: Bench, step: dict[str, Any], layers: dict[str, Layer], places: dict[str, str]
) -> None:
    if bench.cache.get(step["key"]) is not None:
        return
    own = [step["layer"]] if step["layer"] else []
    stack = tuple(layers[diff_id] for diff_id in (*step["below"], *own))
    await _stack(bench, stack, places)
    chains, chain = [], ""
    for one in stack:
        chain = chained(chain, one.diff_id)
        chains.append(chain)
    layer = None
    if own:
        folder = bench.images.layers.path(chain)
        found, size = await trio.to_thread.run_sync(measure, str(folder))
        if found != stack[-1].diff_id:
            raise EngineError(f"its layer {stack[-1].diff_id} is not what it says")
        layer = Layer(found, size=size)
    bench.cache.put(
        step["key"], Remembered(layer, str(step["created"])), chains=chains if layer else (),
        description="imported",
    )  # fmt: skip


async def _stack(bench: Bench, stack: tuple[Layer, ...], places: dict[str, str]) -> None:
    """Have the layers stand on each other; `places` are the chains where each is already."""
    store, below = bench.images.layers, ""
    for layer in stack:
        chain = chained(below, layer.diff_id)
        if store.path(chain) is None:
            source = store.path(places[layer.diff_id])
            if source is None:
                raise NotFoundError(f"its layer {layer.diff_id} is missing")
            copy = bench.work / f"shared-{secrets.token_hex(4)}"
            await trio.to_thread.run_sync(share_tree, Path(source), copy)
            size = store.size(places[layer.diff_id])
            store.adopt(copy, chain, layer.diff_id, below, size)
        below = chain


def share_tree(source: Path, target: Path) -> None:
    """The same folders with the same files, as hard links. Blocking. Raises OSError."""
    status = source.lstat()
    target.mkdir()
    for name in os.listdir(source):
        one = source / name
        if stat.S_ISDIR(one.lstat().st_mode):
            share_tree(one, target / name)
        else:
            os.link(one, target / name, follow_symlinks=False)
    os.chown(target, status.st_uid, status.st_gid)
    target.chmod(stat.S_IMODE(status.st_mode))
    for key in os.listxattr(source):
        os.setxattr(target, key, os.getxattr(source, key))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
