"""Handlers of /containers/{id}/archive and /export."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import IO, TYPE_CHECKING

import trio

from engine.api.exchange import Exchange, Response
from engine.api.times import rfc3339
from engine.containers import archive
from engine.errors import InvalidRequestError
from engine.images.store import spool

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from engine.api.engine import Engine
    from engine.containers.model import Container, MountPoint, PathStat

    Place = AbstractContextManager[tuple[int, str, MountPoint | None]]

CHUNK = 1 << 18


async def stat(engine: Engine, exchange: Exchange, name: str) -> Response:
    """HEAD /containers/{id}/archive."""
    container, path = _subject(engine, exchange, name)
    found = await trio.to_thread.run_sync(partial(_stat, _place(engine, container, path), path))
    return Response(headers={"X-Docker-Container-Path-Stat": stat_header(found)})


async def get(engine: Engine, exchange: Exchange, name: str) -> None:
    """GET /containers/{id}/archive."""
    container, path = _subject(engine, exchange, name)
    with spool(engine.images.scratch) as out:
        found = await trio.to_thread.run_sync(
            partial(_read, _place(engine, container, path), path, out)
        )
        await send_file(exchange, out, {"X-Docker-Container-Path-Stat": stat_header(found)})


async def put(engine: Engine, exchange: Exchange, name: str) -> Response:
    """PUT /containers/{id}/archive."""
    container, path = _subject(engine, exchange, name)
    with spool(engine.images.scratch) as raw:
        async for chunk in exchange.body():
            await trio.to_thread.run_sync(raw.write, chunk)
        raw.seek(0)
        await trio.to_thread.run_sync(
            partial(_write, container, _place(engine, container, path), raw)
        )
    return Response(200)


async def export(engine: Engine, exchange: Exchange, name: str) -> None:
    """GET /containers/{id}/export."""
    container = engine.containers.find(name)
    with spool(engine.images.scratch) as out:
        await trio.to_thread.run_sync(partial(_export, _place(engine, container, "/"), out))
        await send_file(exchange, out, {})


def stat_header(found: PathStat) -> str:
    """X-Docker-Container-Path-Stat: base64 JSON."""
    document = {
        "name": found.name,
        "size": found.size,
        "mode": found.mode,
        "mtime": rfc3339(found.mtime_ns),
        "linkTarget": found.link_target,
    }
    return base64.b64encode(json.dumps(document).encode()).decode()


def _subject(engine: Engine, exchange: Exchange, name: str) -> tuple[Container, str]:
    path = exchange.request.text("path")
    if not path:
        raise InvalidRequestError("bad parameter: path must be given")
    return engine.containers.find(name), path


def _place(engine: Engine, container: Container, path: str) -> Place:
    """Where to look; the database is asked here, on the loop, the files are opened in a thread."""
    volumes = {
        point.name: engine.volumes.find(point.name).path
        for point in container.mounts
        if point.type == "volume"
    }
    return archive.opened_root(container, engine.containers.rootfs(container), volumes, path)


def _stat(place: Place, path: str) -> PathStat:
    with place as (root, below, _):
        return archive.stat_path(root, below, path)


def _read(place: Place, path: str, out: IO[bytes]) -> PathStat:
    with place as (root, below, _):
        found = archive.stat_path(root, below, path)
        archive.read_path(root, below, path, out)
        return found


def _write(container: Container, place: Place, raw: IO[bytes]) -> None:
    with place as (root, below, point):
        archive.write_path(container, root, below, point, raw)


def _export(place: Place, out: IO[bytes]) -> None:
    with place as (root, _, __):
        archive.export_root(root, out)


async def send_file(exchange: Exchange, out: IO[bytes], headers: dict[str, str]) -> None:
    """A spooled tar as the answer's body."""
    out.seek(0)
    async with exchange.stream("application/x-tar", headers=headers) as body:
        while chunk := await trio.to_thread.run_sync(out.read, CHUNK):
            await body.send(chunk)
