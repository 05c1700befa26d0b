"""Handlers of /volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.api.container_filters import has_label
from engine.api.exchange import Exchange, Response
from engine.api.times import rfc3339
from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.volumes.service import Volume


def volume_json(volume: Volume) -> dict[str, Any]:
    """Docker's document of a volume."""
    return {
        "CreatedAt": rfc3339(volume.created_ns // 1_000_000_000 * 1_000_000_000),
        "Driver": "local",
        "Labels": dict(volume.labels) or None,
        "Mountpoint": volume.path,
        "Name": volume.name,
        "Options": dict(volume.options) or None,
        "Scope": "local",
    }


async def list_all(engine: Engine, exchange: Exchange) -> Response:
    """GET /volumes."""
    filters = exchange.request.filters()
    found = [volume_json(v) for v in engine.volumes.all() if _matches(engine, v, filters)]
    return Response(document={"Volumes": found, "Warnings": None})


def _matches(engine: Engine, volume: Volume, filters: dict[str, list[str]]) -> bool:
    for key, values in filters.items():
        if key == "name":
            fits = any(value in volume.name for value in values)
        elif key == "label":
            fits = all(has_label(dict(volume.labels), value) for value in values)
        elif key == "driver":
            fits = "local" in values
        elif key == "dangling":
            used = bool(engine.volumes.users(volume.name))
            fits = any((value in ("true", "1")) != used for value in values)
        elif key == "all":
            fits = True
        else:
            raise InvalidRequestError(f"invalid filter '{key}'")
        if not fits:
            return False
    return True


async def inspect(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /volumes/{name}."""
    del exchange
    return Response(document=volume_json(engine.volumes.find(name)))


async def create(engine: Engine, exchange: Exchange) -> Response:
    """POST /volumes/create."""
    document = await exchange.json() or {}
    volume = engine.volumes.create(
        document.get("Name") or "",
        driver=document.get("Driver") or "local",
        labels=document.get("Labels") or {},
        options=document.get("DriverOpts") or {},
    )
    return Response(201, volume_json(volume))


async def remove(engine: Engine, exchange: Exchange, name: str) -> Response:
    """DELETE /volumes/{name}."""
    await engine.volumes.remove(name, force=exchange.request.flag("force"))
    return Response(204)


async def prune(engine: Engine, exchange: Exchange) -> Response:
    """POST /volumes/prune."""
    filters = exchange.request.filters()
    everything = filters.get("all", ["false"])[0] in ("true", "1")
    deleted, freed = await engine.volumes.prune(anonymous_only=not everything)
    return Response(document={"VolumesDeleted": deleted or None, "SpaceReclaimed": freed})
