"""Handlers of the engine itself: ping, version, info, events, disk usage, shut-down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import trio

from engine.api.container_filters import has_label
from engine.api.exchange import API_VERSION, MIN_API_VERSION, Exchange, Response
from engine.api.times import rfc3339
from engine.containers.logs import parse_time
from engine.errors import NotSupportedError

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.events.bus import Event


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
    del exchange
    host = engine.host
    states = [c.state.status for c in engine.containers.all()]
    return Response(
        document={
            "ID": engine.id,
            "Name": host.hostname,
            "Containers": len(states),
            "ContainersRunning": states.count("running"),
            "ContainersPaused": states.count("paused"),
            "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
            "Images": len(engine.images.all()),
            "Driver": "overlay2",
            "DriverStatus": [],
            "DockerRootDir": str(engine.layout.root),
            "Plugins": {
                "Volume": ["local"],
                "Network": ["bridge", "host", "null"],
                "Authorization": None,
                "Log": ["json-file", "local", "none"],
            },
            "MemoryLimit": "memory" in host.controllers,
            "SwapLimit": "memory" in host.controllers,
            "CpuCfsPeriod": "cpu" in host.controllers,
            "CpuCfsQuota": "cpu" in host.controllers,
            "CPUShares": "cpu" in host.controllers,
            "CPUSet": "cpuset" in host.controllers,
            "PidsLimit": "pids" in host.controllers,
            "IPv4Forwarding": True,
            "BridgeNfIptables": False,
            "BridgeNfIp6tables": False,
            "OomKillDisable": host.cgroup_mode != "v2",
            "Debug": False,
            "NFd": 0,
            "NGoroutines": 0,
            "SystemTime": rfc3339(time.time_ns()),
            "LoggingDriver": "json-file",
            "CgroupDriver": "cgroupfs",
            "CgroupVersion": "2" if host.cgroup_mode == "v2" else "1",
            "NEventsListener": 0,
            "KernelVersion": host.kernel_release,
            "OperatingSystem": host.os_name,
            "OSVersion": "",
            "OSType": "linux",
            "Architecture": host.machine,
            "IndexServerAddress": "https://index.docker.io/v1/",
            "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}, "Mirrors": None},
            "NCPU": host.cpus,
            "MemTotal": host.memory_total,
            "GenericResources": None,
            "HttpProxy": "",
            "HttpsProxy": "",
            "NoProxy": "",
            "Labels": [],
            "ExperimentalBuild": False,
            "ServerVersion": engine.version,
            "Runtimes": {"pycompose": {"path": "pycompose"}},
            "DefaultRuntime": "pycompose",
            "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False, "Error": "", "RemoteManagers": None},
            "LiveRestoreEnabled": True,
            "Isolation": "",
            "InitBinary": "pycompose",
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
            "Warnings": None,
        }
    )  # fmt: skip


async def events(engine: Engine, exchange: Exchange) -> None:
    """GET /events: the past since `since`, then what comes, until `until`."""
    request = exchange.request
    filters = request.filters()
    now = time.time_ns()
    since = parse_time(request.text("since"), now)
    until = parse_time(request.text("until"), now)
    with engine.events.subscribe() as coming:
        past = engine.events.history(since, until) if since is not None else []
        async with exchange.stream() as body:
            last = 0
            for event in past:
                last = event.time_ns
                if _wanted(event, filters):
                    await body.send_json(event_json(event))
            if until is not None and until <= time.time_ns():
                return
            seconds = float("inf") if until is None else max((until - time.time_ns()) / 1e9, 0)
            with trio.move_on_after(seconds):
                async for event in coming:
                    if event.time_ns > last and _wanted(event, filters):
                        await body.send_json(event_json(event))


def event_json(event: Event) -> dict[str, Any]:
    """Docker's document of an event."""
    document: dict[str, Any] = {}
    if event.kind in ("container", "image"):
        document = {"status": event.action, "id": event.actor_id}
        if event.kind == "container":
            document["from"] = event.attributes.get("image", "")
    return document | {
        "Type": event.kind,
        "Action": event.action,
        "Actor": {"ID": event.actor_id, "Attributes": dict(event.attributes)},
        "scope": "local",
        "time": event.time_ns // 1_000_000_000,
        "timeNano": event.time_ns,
    }


def _wanted(event: Event, filters: dict[str, list[str]]) -> bool:
    for key, values in filters.items():
        if key == "type":
            fits = event.kind in values
        elif key in ("event", "action"):
            fits = any(event.action == v or event.action.startswith(f"{v}:") for v in values)
        elif key == "label":
            fits = all(has_label(dict(event.attributes), value) for value in values)
        elif key in ("container", "image", "network", "volume"):
            name = event.attributes.get("name", "")
            fits = event.kind == key and any(
                v == name or (v and event.actor_id.startswith(v)) for v in values
            )
        elif key in ("scope", "daemon"):
            fits = True
        else:
            raise NotSupportedError(f"events by the filter {key!r} are not supported")
        if not fits:
            return False
    return True


async def disk_usage(engine: Engine, exchange: Exchange) -> Response:
    """GET /system/df."""
    from engine.api import build_handlers, container_json, image_handlers, volume_handlers
    from engine.volumes.service import folder_size

    del exchange
    images = [image_handlers.summary(engine, image) for image in engine.images.all()]
    containers = []
    for container in engine.containers.all():
        upper = str(engine.layout.container(container.id) / "upper")
        size = await trio.to_thread.run_sync(folder_size, upper)
        containers.append({**container_json.summary(engine, container), "SizeRw": size})
    volumes = []
    for volume in engine.volumes.all():
        size = await trio.to_thread.run_sync(folder_size, volume.path)
        usage = {"Size": size, "RefCount": len(engine.volumes.users(volume.name))}
        volumes.append({**volume_handlers.volume_json(volume), "UsageData": usage})
    layers = sum(image.size for image in engine.images.all())
    return Response(
        document={
            "LayersSize": layers,
            "Images": images,
            "Containers": containers,
            "Volumes": volumes,
            "BuildCache": await build_handlers.usage(engine),
        }
    )


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


async def no_plugin(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /plugins/{name}/json."""
    del engine, exchange
    return Response(404, {"message": f'plugin "{name}" not found'})
