"""Handlers of the engine itself: ping, version, info, disk usage, shut-down; and what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from engine.api import build_handlers, container_json, image_handlers, volume_handlers
from engine.api.exchange import API_VERSION, MIN_API_VERSION, Exchange, Response
from engine.api.info_json import Counts, info_json
from engine.errors import InvalidRequestError
from engine.volumes.service import folder_size

if TYPE_CHECKING:
    from engine.api.engine import Engine

USAGE_TYPES = ("container", "image", "volume", "build-cache")


async def ping(engine: Engine, exchange: Exchange) -> None:
    """GET and HEAD /_ping. A body of two letters, as Docker has it."""
    del engine
    await exchange.respond_text("OK", {"Builder-Version": "1", "Swarm": "inactive"})


async def version(engine: Engine, exchange: Exchange) -> Response:
    """GET /version."""
    del exchange
    details = {
        "ApiVersion": API_VERSION,
        "MinAPIVersion": MIN_API_VERSION,
        "Os": "linux",
        "Arch": engine.host.architecture,
        "KernelVersion": engine.host.kernel_release,
        "Experimental": "false",
    }
    return Response(
        document={
            "Platform": {"Name": "pycompose"},
            "Components": [{"Name": "Engine", "Version": engine.version, "Details": details}],
            "Version": engine.version,
            "ApiVersion": API_VERSION,
            "MinAPIVersion": MIN_API_VERSION,
            "GitCommit": "",
            "GoVersion": "",
            "Os": "linux",
            "Arch": engine.host.architecture,
            "KernelVersion": engine.host.kernel_release,
            "BuildTime": "",
        }
    )


async def info(engine: Engine, exchange: Exchange) -> Response:
    """GET /info."""
    document = await trio.to_thread.run_sync(info_json, engine, _counts(engine))
    if exchange.request.version < (1, 42):  # limits that the kernel has given up
        document |= {"KernelMemory": False, "KernelMemoryTCP": False}
    return Response(document=document)


def _counts(engine: Engine) -> Counts:
    """What the database and the loop know; the rest of /info is read from the host, in a thread."""
    states = [c.state.status for c in engine.containers.all()]
    running, paused = states.count("running"), states.count("paused")
    tasks = trio.lowlevel.current_statistics().tasks_living
    return Counts(
        len(states), running, paused, len(engine.images.all()), tasks, engine.events.listeners
    )


async def disk_usage(engine: Engine, exchange: Exchange) -> Response:
    """GET /system/df; with `type` only these of container, image, volume, build-cache."""
    asked = set(exchange.request.all("type"))
    unknown = asked - set(USAGE_TYPES)
    if unknown:
        raise InvalidRequestError(f"unknown object type: {min(unknown)}")
    document: dict[str, Any] = {}
    if not asked or "image" in asked:
        layers = sum(engine.images.layers.size(chain) for chain in engine.images.layers.all())
        everything = engine.images.all()
        shared = image_handlers.shared_sizes(everything)
        images = [
            image_handlers.summary(
                image,
                exchange.request.version,
                shared=shared[image.id],
                containers=len(engine.images.users(image.id)),
            )
            for image in everything
        ]
        document |= {"LayersSize": layers, "Images": images}
    if not asked or "container" in asked:
        document["Containers"] = await _containers_usage(engine)
    if not asked or "volume" in asked:
        document["Volumes"] = await _volumes_usage(engine)
    if not asked or "build-cache" in asked:
        document["BuildCache"] = await build_handlers.usage(engine)
    return Response(document=document)


async def _containers_usage(engine: Engine) -> list[dict[str, Any]]:
    containers = engine.containers.all()
    documents = [container_json.summary(engine, container) for container in containers]
    await container_json.add_sizes(engine, containers, documents)
    return documents


async def _volumes_usage(engine: Engine) -> list[dict[str, Any]]:
    volumes = engine.volumes.all()
    sizes = await trio.to_thread.run_sync(lambda: [folder_size(v.path) for v in volumes])
    return [
        {
            **volume_handlers.volume_json(volume),
            "UsageData": {"Size": size, "RefCount": len(engine.volumes.users(volume.name))},
        }
        for volume, size in zip(volumes, sizes, strict=True)
    ]


async def shut_down(engine: Engine, exchange: Exchange) -> Response:
    """POST /pycompose/stop: our own; the engine ends, containers go on."""
    del exchange
    engine.shut_down()
    return Response(204)


async def no_swarm(engine: Engine, exchange: Exchange) -> Response:
    """What an engine outside a swarm answers."""
    del engine, exchange
    message = (
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" '
        "to connect this node to swarm and try again."
    )
    return Response(503, {"message": message})


async def no_plugins(engine: Engine, exchange: Exchange) -> Response:
    """GET /plugins: none is ever installed."""
    del engine, exchange
    return Response(document=[])


async def no_plugin(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /plugins/{name}/json."""
    del engine, exchange
    return Response(404, {"message": f'plugin "{name}" not found'})
