"""Handlers of /images: list, inspect, history, pull and import, tag, remove, prune."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import trio

from engine.api.container_filters import has_label
from engine.api.exchange import Exchange, Response
from engine.api.times import rfc3339
from engine.containers.logs import parse_time
from engine.errors import EngineError, InvalidRequestError, NotSupportedError
from engine.images.changes import apply_changes
from engine.images.reference import parse_reference
from engine.images.registry.auth import Credentials, decode_registry_auth
from engine.images.store import spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.api.engine import Engine
    from engine.images.model import Image


async def list_all(engine: Engine, exchange: Exchange) -> Response:
    """GET /images/json."""
    request = exchange.request
    filters = request.filters()
    if request.text("filter"):
        filters.setdefault("reference", []).append(request.text("filter"))
    parents = {image.parent for image in engine.images.all()}
    found = [
        image
        for image in engine.images.all()
        if _matches(engine, image, filters)
        and (request.flag("all") or image.references or image.id not in parents)
    ]
    return Response(document=[summary(engine, image) for image in found])


def _matches(engine: Engine, image: Image, filters: dict[str, list[str]]) -> bool:
    for key, values in filters.items():
        test = _TESTS.get(key)
        if test is None:
            raise InvalidRequestError(f"invalid filter '{key}'")
        how = all if key in ("label", "until") else any
        if not how(test(engine, image, value) for value in values):
            return False
    return True


_TESTS: dict[str, Callable[[Engine, Image, str], bool]] = {
    "reference": lambda _, image, value: _fits(image, value),
    "dangling": lambda _, image, value: (value in ("true", "1")) != bool(image.references),
    "label": lambda _, image, value: has_label(image.config.get("Labels") or {}, value),
    "before": lambda engine, image, value: _created(image) < _created(engine.images.find(value)),
    "since": lambda engine, image, value: _created(image) > _created(engine.images.find(value)),
    "until": lambda _, image, value: _created(image) < (parse_time(value, time.time_ns()) or 0),
}


def _fits(image: Image, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    for reference in image.references:
        repository = reference.rpartition(":")[0]
        if fnmatchcase(reference, pattern) or fnmatchcase(repository, pattern):
            return True
        try:
            if parse_reference(pattern).familiar == reference and ":" in pattern:
                return True
        except EngineError:
            continue
    return False


def _created(image: Image) -> int:
    text = str(image.document.get("created") or "")
    try:
        return parse_time(text, 0) or 0
    except EngineError:
        return 0


def summary(engine: Engine, image: Image) -> dict[str, Any]:
    """An entry of the list."""
    return {
        "Id": image.id,
        "ParentId": image.parent,
        "RepoTags": list(image.references),
        "RepoDigests": [],
        "Created": _created(image) // 1_000_000_000,
        "Size": image.size,
        "SharedSize": -1,
        "Labels": image.config.get("Labels") or {},
        "Containers": len(engine.images.users(image.id)),
    }


async def inspect(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /images/{name}/json."""
    del exchange
    image = engine.images.find(name)
    document = image.document
    return Response(
        document={
            "Id": image.id,
            "RepoTags": list(image.references),
            "RepoDigests": [],
            "Parent": image.parent,
            "Comment": document.get("comment", ""),
            "Created": document.get("created") or rfc3339(0),
            "DockerVersion": document.get("docker_version", ""),
            "Author": document.get("author", ""),
            "Config": image.config,
            "Architecture": document.get("architecture", ""),
            "Os": document.get("os", "linux"),
            "Size": image.size,
            "VirtualSize": image.size,
            "GraphDriver": {"Name": "overlay2", "Data": {}},
            "RootFS": {"Type": "layers", "Layers": list(image.diff_ids)},
            "Metadata": {"LastTagTime": rfc3339(0)},
        }
    )


async def history(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /images/{name}/history."""
    del exchange
    image = engine.images.find(name)
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
    if entries:
        entries[-1] |= {"Id": image.id, "Tags": list(image.references) or None}
    return Response(document=list(reversed(entries)))


async def create(engine: Engine, exchange: Exchange) -> None:
    """POST /images/create: pull (fromImage) or import (fromSrc)."""
    request = exchange.request
    if request.text("fromSrc"):
        await _import(engine, exchange)
        return
    name, tag = request.text("fromImage"), request.text("tag")
    if not name:
        raise InvalidRequestError("fromImage or fromSrc must be given")
    if tag:
        name = f"{name}@{tag}" if tag.startswith("sha256:") else f"{name}:{tag}"
    elif ":" not in name.rpartition("/")[2] and "@" not in name:
        name = f"{name}:latest"
    parse_reference(name)
    credentials = registry_auth(request.headers.get("x-registry-auth", ""))
    platform = request.text("platform")
    async with exchange.stream() as body:
        try:

            async def report(message: dict[str, Any]) -> None:
                await body.send_json(message)

            await engine.puller.pull(name, report, credentials=credentials, platform=platform)
        except EngineError as error:
            await body.send_json({"errorDetail": {"message": str(error)}, "error": str(error)})


def registry_auth(header: str) -> Credentials:
    """X-Registry-Auth. Raises InvalidRequestError."""
    return decode_registry_auth(header) if header else Credentials()


async def _import(engine: Engine, exchange: Exchange) -> None:
    request = exchange.request
    if request.text("fromSrc") != "-":
        raise NotSupportedError("importing from a URL is not supported: send the archive itself")
    repository, tag = request.text("repo"), request.text("tag")
    created = rfc3339(time.time_ns())
    document: dict[str, Any] = {
        "architecture": engine.host.architecture,
        "os": "linux",
        "created": created,
        "comment": request.text("message") or "Imported from -",
        "config": apply_changes({}, request.all("changes")),
        "history": [{"created": created, "comment": request.text("message") or "Imported from -"}],
    }
    with spool(engine.images.scratch) as archive:
        async for chunk in exchange.body():
            await trio.to_thread.run_sync(archive.write, chunk)
        archive.seek(0)
        image = await engine.images.add_archive(archive, document)
    if repository:
        engine.images.tag(image, f"{repository}:{tag or 'latest'}")
    async with exchange.stream() as body:
        await body.send_json({"status": image.id})


async def tag(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /images/{name}/tag."""
    request = exchange.request
    repository, wanted = request.text("repo"), request.text("tag")
    if not repository:
        raise InvalidRequestError("repo must be given")
    engine.images.tag(engine.images.find(name), f"{repository}:{wanted or 'latest'}")
    return Response(201)


async def remove(engine: Engine, exchange: Exchange, name: str) -> Response:
    """DELETE /images/{name}."""
    done = await engine.images.remove(name, force=exchange.request.flag("force"))
    return Response(document=done)


async def prune(engine: Engine, exchange: Exchange) -> Response:
    """POST /images/prune."""
    filters = exchange.request.filters()
    unknown = set(filters) - {"dangling"}
    if unknown:
        raise NotSupportedError(f"prune by the filter {min(unknown)!r} is not supported yet")
    dangling = filters.get("dangling", ["true"])[0] in ("true", "1")
    done, freed = await engine.images.prune(dangling=dangling)
    return Response(document={"ImagesDeleted": done or None, "SpaceReclaimed": freed})
