"""Handlers of /volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.api.container_filters import has_label
from engine.api.exchange import Exchange, Response
from engine.api.times import rfc3339
from engine.errors import InvalidRequestError, NotSupportedError
from engine.volumes.service import ANONYMOUS

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
            fits = any(_truth(key, value) != used for value in values)
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
    if not isinstance(document, dict):
        raise InvalidRequestError("invalid JSON: the body must be an object")
    if document.get("ClusterVolumeSpec"):
        raise NotSupportedError("cluster volumes are not supported: this engine is in no swarm")
    for key in ("Labels", "DriverOpts"):
        if not all(isinstance(v, str) for v in _mapping(document, key).values()):
            raise InvalidRequestError(f"invalid JSON: {key} must be an object of strings")
    volume = engine.volumes.create(
        str(document.get("Name") or ""),
        driver=str(document.get("Driver") or "local"),
        labels=_mapping(document, "Labels"),
        options=_mapping(document, "DriverOpts"),
    )
    return Response(201, volume_json(volume))


def _mapping(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise InvalidRequestError(f"invalid JSON: {key} must be an object")
    return value


async def remove(engine: Engine, exchange: Exchange, name: str) -> Response:
    """DELETE /volumes/{name}."""
    await engine.volumes.remove(name, force=exchange.request.flag("force"))
    return Response(204)


async def prune(engine: Engine, exchange: Exchange) -> Response:
    """POST /volumes/prune: anonymous ones, with `all` named ones too; filters `label`, `label!`."""
    filters = exchange.request.filters()
    for key in filters:
        if key not in ("all", "label", "label!"):
            raise InvalidRequestError(f"invalid filter '{key}'")
    everything = _truth("all", filters.get("all", ["false"])[-1])

    def chosen(volume: Volume) -> bool:
        labels = dict(volume.labels)
        return (
            (everything or ANONYMOUS in labels)
            and all(has_label(labels, value) for value in filters.get("label", ()))
            and not any(has_label(labels, value) for value in filters.get("label!", ()))
        )

    deleted, freed = await engine.volumes.prune(chosen)
    return Response(document={"VolumesDeleted": deleted or None, "SpaceReclaimed": freed})


def _truth(key: str, value: str) -> bool:
    if value.lower() not in ("true", "false", "1", "0", "t", "f"):
        raise InvalidRequestError(f"invalid filter '{key}={value}'")
    return value.lower() in ("true", "1", "t")
