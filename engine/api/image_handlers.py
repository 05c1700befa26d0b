"""Handlers of /images: list, inspect, history, pull and import, tag, remove, prune."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from engine.api import manifest_json
from engine.api.container_filters import has_label
from engine.api.exchange import Exchange, Response
from engine.api.pipes import read_in_thread
from engine.api.times import rfc3339
from engine.api.transfer_handlers import read_platform
from engine.containers.logs import parse_time
from engine.errors import EngineError, InvalidRequestError, NotFoundError
from engine.images.changes import apply_changes
from engine.images.reference import fits, parse_reference
from engine.images.registry.auth import decode_registry_auth
from engine.images.registry.manifest import Platform
from engine.images.registry.search import fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.api.engine import Engine
    from engine.images.model import Image


async def list_all(engine: Engine, exchange: Exchange) -> Response:
    """GET /images/json."""
    request = exchange.request
    filters = request.filters()
    if request.text("filter"):
        filters.setdefault("reference", []).append(request.text("filter"))
    everything = engine.images.all()
    test = compile_filters(engine, filters, LIST_FILTERS)
    parents = {image.parent for image in everything}
    shared = shared_sizes(everything) if request.flag("shared-size") else {}
    with_manifests = request.flag("manifests")
    found = []
    for image in everything:
        if not test(image) or (image.held and not image.names):
            continue  # what is part of another's index is shown there
        if not (request.flag("all") or image.references or image.id not in parents):
            continue
        users = len(engine.images.users(image.id)) if with_manifests else -1
        line = summary(image, request.version, shared=shared.get(image.id, -1), containers=users)
        if with_manifests:
            index = next(filter(None, map(engine.images.index_of, image.names)), None)
            line["Manifests"] = manifest_json.manifests(engine, image, index)
            line["Descriptor"] = manifest_json.descriptor(engine, image, index)
        found.append(line)
    return Response(document=found)


#: What an image's Config always had before 1.50; from then on only what the image itself says.
OLD_CONFIG = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False,
    "AttachStderr": False, "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None,
    "Cmd": None, "Image": "", "Volumes": None, "WorkingDir": "", "Entrypoint": None,
    "OnBuild": None, "Labels": None,
}  # fmt: skip
LIST_FILTERS = ("before", "dangling", "label", "label!", "reference", "since", "until")
PRUNE_FILTERS = ("dangling", "label", "label!", "until")


def compile_filters(
    engine: Engine, filters: dict[str, list[str]], allowed: tuple[str, ...]
) -> Callable[[Image], bool]:
    """The test that `filters` mean. Raises InvalidRequestError for an unknown or broken one."""
    tests: list[Callable[[Image], bool]] = []
    for key, values in filters.items():
        if key not in allowed:
            raise InvalidRequestError(f"invalid filter '{key}'")
        each = [_TESTS[key](engine, value) for value in values]
        if key in ("label", "label!", "until", "dangling"):
            tests += each
        else:
            tests.append(_any_of(each))
    return lambda image: all(test(image) for test in tests)


def _any_of(tests: list[Callable[[Image], bool]]) -> Callable[[Image], bool]:
    return lambda image: any(test(image) for test in tests)


def _dangling(_: Engine, value: str) -> Callable[[Image], bool]:
    wanted = value.lower() in ("true", "1", "t")
    if not wanted and value.lower() not in ("false", "0", "f"):
        raise InvalidRequestError(f"invalid filter 'dangling={value}'")
    return lambda image: wanted != bool(image.references or image.held)


def _before(engine: Engine, value: str) -> Callable[[Image], bool]:
    limit = created_ns(engine.images.find(value))
    return lambda image: created_ns(image) < limit


def _since(engine: Engine, value: str) -> Callable[[Image], bool]:
    limit = created_ns(engine.images.find(value))
    return lambda image: created_ns(image) > limit


def _until(_: Engine, value: str) -> Callable[[Image], bool]:
    limit = parse_time(value, time.time_ns()) or 0
    return lambda image: created_ns(image) < limit


def _labelled(_: Engine, value: str) -> Callable[[Image], bool]:
    return lambda image: has_label(image.config.get("Labels") or {}, value)


def _unlabelled(_: Engine, value: str) -> Callable[[Image], bool]:
    return lambda image: not has_label(image.config.get("Labels") or {}, value)


def _named(_: Engine, value: str) -> Callable[[Image], bool]:
    return lambda image: any(fits(name, value) for name in (*image.references, *image.digests))


_TESTS: dict[str, Callable[[Engine, str], Callable[[Image], bool]]] = {
    "before": _before,
    "dangling": _dangling,
    "label": _labelled,
    "label!": _unlabelled,
    "reference": _named,
    "since": _since,
    "until": _until,
}


def created_ns(image: Image) -> int:
    """When it was made, by its config; 0 if that does not say."""
    try:
        return parse_time(str(image.document.get("created") or ""), 0) or 0
    except EngineError:
        return 0


def shared_sizes(images: Iterable[Image]) -> dict[str, int]:
    """Bytes of each image's layers that another one has too, by id. Pure."""
    images = list(images)
    uses = Counter(chain for image in images for chain in image.chain_ids)
    return {
        image.id: sum(
            layer.size
            for chain, layer in zip(image.chain_ids, image.layers, strict=True)
            if uses[chain] > 1
        )
        for image in images
    }


def summary(
    image: Image, version: tuple[int, int], *, shared: int = -1, containers: int = -1
) -> dict[str, Any]:
    """An entry of the list, as API `version` has it; -1 is Docker's word for what was not counted."""
    return {
        "Id": image.id,
        "ParentId": image.parent,
        "RepoTags": list(image.references),
        "RepoDigests": list(image.digests),
        "Created": created_ns(image) // 1_000_000_000,
        "Size": image.size,
        "SharedSize": shared,
        "Labels": image.config.get("Labels"),
        "Containers": containers,
        **({"VirtualSize": image.size} if version < (1, 44) else {}),
    }


async def inspect(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /images/{name}/json."""
    image = engine.images.find(name, _platform(exchange))
    document = image.document
    shown: dict[str, Any] = {
        "Id": image.id,
        "RepoTags": list(image.references),
        "RepoDigests": list(image.digests),
        "Parent": image.parent,
        "Comment": document.get("comment", ""),
        "Created": document.get("created") or rfc3339(0),
        "DockerVersion": document.get("docker_version", ""),
        "Author": document.get("author", ""),
        "Config": image.config
        if exchange.request.version >= (1, 50)
        else OLD_CONFIG | image.config,
        "Architecture": document.get("architecture", ""),
        **({"Variant": document["variant"]} if document.get("variant") else {}),
        "Os": document.get("os", "linux"),
        "Size": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": _graph(engine, image)},
        "RootFS": {"Type": "layers", "Layers": list(image.diff_ids)},
        "Metadata": {"LastTagTime": rfc3339(image.tagged_ns)},
    }
    if exchange.request.version < (1, 44):
        shown["VirtualSize"] = image.size
    if exchange.request.flag("manifests"):
        if exchange.request.text("platform"):
            raise InvalidRequestError(
                "conflicting options: manifests and platform are for one each"
            )
        index = engine.images.index_of(name)
        shown["Manifests"] = manifest_json.manifests(engine, image, index)
        shown["Descriptor"] = manifest_json.descriptor(engine, image, index)
    return Response(document=shown)


def _platform(exchange: Exchange) -> Platform | None:
    """The `platform` parameter, None without. Raises InvalidRequestError."""
    text = exchange.request.text("platform")
    return read_platform(text) if text else None


def _graph(engine: Engine, image: Image) -> dict[str, str]:
    """The layers' folders, as overlay2 names them."""
    try:
        upper, *lower = engine.images.lower_dirs(image)
    except (NotFoundError, ValueError):
        return {}
    return {"UpperDir": upper, **({"LowerDir": ":".join(lower)} if lower else {})}


async def history(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /images/{name}/history, the youngest entry first."""
    image = engine.images.find(name, _platform(exchange))
    sizes = [layer.size for layer in image.layers]
    entries = []
    for entry in image.document.get("history") or []:
        size = 0 if entry.get("empty_layer") or not sizes else sizes.pop(0)
        entries.append(
            {
                "Id": "<missing>",
                "Created": (parse_time(entry.get("created") or "0", 0) or 0) // 1_000_000_000,
                "CreatedBy": entry.get("created_by", ""),
                "Tags": None,
                "Size": size,
                "Comment": entry.get("comment", ""),
            }
        )
    entries.reverse()
    below: Image | None = image
    for line in entries:  # an image that was built here knows those it was built on
        if below is None:
            break
        line |= {"Id": below.id, "Tags": list(below.references) or None}
        below = engine.images.known(below.parent)
    return Response(document=entries)


async def create(engine: Engine, exchange: Exchange) -> None:
    """POST /images/create: pull (fromImage) or import (fromSrc)."""
    request = exchange.request
    if request.text("fromSrc"):
        await import_archive(engine, exchange)
        return
    name, tag = request.text("fromImage"), request.text("tag")
    if not name:
        raise InvalidRequestError("fromImage or fromSrc must be given")
    every = False
    if tag:
        name = f"{name}@{tag}" if ":" in tag else f"{name}:{tag}"
    elif ":" not in name.rpartition("/")[2] and "@" not in name:
        every = True  # no tag is all of them, as Docker has it
    parse_reference(name)
    credentials = decode_registry_auth(request.headers.get("x-registry-auth", ""))
    platform = request.text("platform")
    async with exchange.stream() as body:
        try:
            if every:
                await engine.puller.pull_all(name, body.send_json, credentials=credentials)
            else:
                await engine.puller.pull(
                    name, body.send_json, credentials=credentials, platform=platform
                )
        except EngineError as error:
            await body.send_json({"errorDetail": {"message": str(error)}, "error": str(error)})


async def import_archive(engine: Engine, exchange: Exchange) -> None:
    """The import half of POST /images/create: a root file system from the body or from a URL."""
    request = exchange.request
    source = request.text("fromSrc")
    repository, tag = request.text("repo"), request.text("tag")
    architecture, system, variant = engine.host.architecture, "linux", ""
    if request.text("platform"):
        try:
            wanted = Platform.parse(request.text("platform"))
        except ValueError as error:
            raise InvalidRequestError(str(error)) from error
        architecture, system, variant = wanted.architecture, wanted.os, wanted.variant
    if repository:
        parse_reference(f"{repository}:{tag or 'latest'}")  # before the work, not after it
    created = rfc3339(time.time_ns())
    comment = request.text("message") or f"Imported from {source}"
    document: dict[str, Any] = {
        "architecture": architecture,
        "os": system,
        **({"variant": variant} if variant else {}),
        "created": created,
        "comment": comment,
        "config": apply_changes({}, request.all("changes")),
        "history": [{"created": created, "comment": comment}],
    }
    body = exchange.body() if source == "-" else fetched(source)
    unpack = engine.images.layers.unpack
    folder, _, _ = await read_in_thread(body, unpack)
    image = await engine.images.add_layer(None, folder, document)
    if repository:
        engine.images.tag(image, f"{repository}:{tag or 'latest'}")
    engine.events.publish("image", "import", image.id, {"name": image.id})
    async with exchange.stream() as answer:
        await answer.send_json({"status": image.id})


async def tag(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /images/{name}/tag."""
    request = exchange.request
    repository, wanted = request.text("repo"), request.text("tag")
    if not repository:
        raise InvalidRequestError("repo must be given")
    image, index = engine.images.find(name), engine.images.index_of(name)
    engine.images.tag(image, f"{repository}:{wanted or 'latest'}", index=index)
    return Response(201)


async def remove(engine: Engine, exchange: Exchange, name: str) -> Response:
    """DELETE /images/{name}."""
    request = exchange.request
    done: list[dict[str, str]] = []
    for text in request.all("platforms"):
        done += await engine.images.remove_platform(name, read_platform(text))
    if not request.all("platforms"):
        done = await engine.images.remove(
            name, force=request.flag("force"), with_parents=not request.flag("noprune")
        )
    return Response(document=done)


async def prune(engine: Engine, exchange: Exchange) -> Response:
    """POST /images/prune."""
    filters = exchange.request.filters()
    test = compile_filters(
        engine, {k: v for k, v in filters.items() if k != "dangling"}, PRUNE_FILTERS
    )
    values = filters.get("dangling", ["true"])
    if not all(value.lower() in ("true", "1", "t", "false", "0", "f") for value in values):
        raise InvalidRequestError(f"invalid filter 'dangling={values[0]}'")
    dangling = values[0].lower() in ("true", "1", "t")
    done, freed = await engine.images.prune(dangling=dangling, fits=test)
    return Response(document={"ImagesDeleted": done or None, "SpaceReclaimed": freed})
