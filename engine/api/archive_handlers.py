"""Handlers of /containers/{id}/archive and /export."""

from __future__ import annotations

import base64
import json
import os
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING

import trio

from engine.api.exchange import Exchange, Response
from engine.api.piping import read_received, send_written
from engine.api.times import rfc3339
from engine.containers import archive
from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from engine.api.engine import Engine
    from engine.containers.model import Container, PathStat

    Opened = AbstractContextManager[archive.Place]

TAR = "application/x-tar"


async def stat(engine: Engine, exchange: Exchange, name: str) -> Response:
    """HEAD /containers/{id}/archive."""
    container, path = _subject(engine, exchange, name)
    with _while_there(engine, container):
        async with engine.containers.volume_use.held(container):
            found = await trio.to_thread.run_sync(_stat, _opened(engine, container, path))
    return Response(headers={"X-Docker-Container-Path-Stat": stat_header(found)})


async def get(engine: Engine, exchange: Exchange, name: str) -> None:
    """GET /containers/{id}/archive."""
    container, path = _subject(engine, exchange, name)
    with _while_there(engine, container):
        async with engine.containers.volume_use.held(container):
            found = await trio.to_thread.run_sync(_stat, _opened(engine, container, path))
            headers = {"X-Docker-Container-Path-Stat": stat_header(found)}
            async with exchange.stream(TAR, headers=headers) as body:
                await send_written(body, partial(_read, _opened(engine, container, path)))
    engine.containers.publish(container, "archive-path")


async def put(engine: Engine, exchange: Exchange, name: str) -> Response:
    """PUT /containers/{id}/archive."""
    container, path = _subject(engine, exchange, name)
    query = exchange.request
    if query.flag("inMemory"):
        return await _put_in_memory(engine, exchange, container)
    write = partial(
        _write,
        container,
        _opened(engine, container, f"{path.rstrip('/')}/", writable=True),
        keep_kind=query.flag("noOverwriteDirNonDir"),
        own=query.flag("copyUIDGID"),
    )
    with _while_there(engine, container):
        async with engine.containers.volume_use.held(container):
            await read_received(exchange.body(), write)
    engine.containers.publish(container, "extract-to-dir")
    return Response(200)


async def _put_in_memory(engine: Engine, exchange: Exchange, container: Container) -> Response:
    """Our own: the tar's files are kept from disk, and mounted where their names say at each start."""
    held = engine.containers.secret_files
    folder = held.open_folder(container)
    try:
        await read_received(exchange.body(), partial(held.fill, container, folder))
    finally:
        os.close(folder)
    return Response(200)


async def export(engine: Engine, exchange: Exchange, name: str) -> None:
    """GET /containers/{id}/export."""
    container = engine.containers.find(name)
    root = engine.containers.rootfs(container)
    with _while_there(engine, container):
        async with exchange.stream("application/octet-stream") as body:
            await send_written(body, partial(_export, archive.opened_layers(root)))
    engine.containers.publish(container, "export")


@contextmanager
def _while_there(engine: Engine, container: Container) -> Iterator[None]:
    """Files that vanish since their container is being removed: that is said. Raises NotFoundError."""
    try:
        yield
    except* OSError:
        engine.containers.get(container.id)
        raise


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
        raise InvalidRequestError("bad parameter: path cannot be empty")
    return engine.containers.find(name), path


def _opened(engine: Engine, container: Container, path: str, *, writable: bool = False) -> Opened:
    """Where to look; the database is asked here, on the loop, the files are opened in a thread."""
    volumes = {
        point.name: engine.volumes.find(point.name).source
        for point in container.mounts
        if point.type == "volume"
    }
    return archive.opened(
        container, engine.containers.rootfs(container), volumes, path, writable=writable
    )


def _stat(opened: Opened) -> PathStat:
    with opened as place:
        return archive.stat_path(place)


def _read(opened: Opened, out: IO[bytes]) -> None:
    with opened as place:
        archive.read_path(place, out)


def _write(
    container: Container, opened: Opened, raw: IO[bytes], *, keep_kind: bool, own: bool
) -> None:
    with opened as place:
        archive.write_path(container, place, raw, keep_kind=keep_kind, own=own)


def _export(opened: AbstractContextManager[int], out: IO[bytes]) -> None:
    with opened as root:
        archive.export_root(root, out)
