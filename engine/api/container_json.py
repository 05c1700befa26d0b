"""A container as Docker's documents: an entry of the list, and the whole inspect. Pure but for what it is given."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import trio

from engine.api.times import human_duration, rfc3339
from engine.containers import docker_json
from engine.runtime import defaults
from engine.runtime.security_options import parse_security_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.api.engine import Engine
    from engine.containers.config import HostConfig
    from engine.containers.model import Container, EndpointSettings, Health, MountPoint
    from engine.networks.model import Endpoint


def summary(engine: Engine, container: Container) -> dict[str, Any]:
    """An entry of GET /containers/json."""
    endpoints = engine.networks.endpoints_for(container.id)
    state = container.state
    return {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": shown_image(engine, container),
        "ImageID": container.image,
        "Command": _shell_words(container),
        "Created": container.created_ns // 1_000_000_000,
        "Ports": _ports(container, endpoints),
        "Labels": dict(container.config.labels),
        "State": state.status,
        "Status": status_words(container),
        "HostConfig": {"NetworkMode": container.host_config.network_mode},
        "NetworkSettings": {"Networks": _networks(engine, container, endpoints)},
        "Mounts": [_mount(engine, point) for point in container.mounts],
    }


def inspect(engine: Engine, container: Container, version: tuple[int, int]) -> dict[str, Any]:
    """GET /containers/{id}/json, as API `version` has it."""
    endpoints = engine.networks.endpoints_for(container.id)
    folder = engine.layout.container(container.id)
    run_folder = engine.layout.container_run(container.id)
    document: dict[str, Any] = {
        "Id": container.id,
        "Created": rfc3339(container.created_ns),
        "Path": container.path,
        "Args": list(container.args),
        "State": _state(container),
        "Image": container.image,
        "ResolvConfPath": str(run_folder / "resolv.conf"),
        "HostnamePath": str(run_folder / "hostname"),
        "HostsPath": str(run_folder / "hosts"),
        "LogPath": str(folder / f"{container.id}-json.log"),
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": engine.containers.execs.of(container.id) or None,
        "HostConfig": _host_config(engine, container.host_config),
        "GraphDriver": {
            "Name": "overlay2",
            "Data": {
                "UpperDir": str(folder / "upper"),
                "WorkDir": str(folder / "work"),
                "MergedDir": str(engine.layout.merged),
            },
        },
        "Mounts": [_mount(engine, point) for point in container.mounts],
        "Config": docker_json.encode(container.config),
        "NetworkSettings": _network_settings(engine, container, endpoints),
    }
    if version < (1, 45):
        _put_names_among_aliases(document["NetworkSettings"]["Networks"])
    return document


def _host_config(engine: Engine, host_config: HostConfig) -> dict[str, Any]:
    """HostConfig with the paths that are hidden and locked where the request left them to the engine."""
    document: dict[str, Any] = docker_json.encode(host_config)
    security = parse_security_options(host_config.security_opt or ())
    is_open = host_config.privileged or security.system_paths_unconfined
    if host_config.masked_paths is None and not is_open:
        document["MaskedPaths"] = [*defaults.MASKED_PATHS, *engine.host.thermal_paths]
    if host_config.readonly_paths is None and not is_open:
        document["ReadonlyPaths"] = list(defaults.READONLY_PATHS)
    return document


def _put_names_among_aliases(networks: dict[str, dict[str, Any]]) -> None:
    """Before 1.45 Aliases had the short id and the host name too, which DNSNames has now."""
    for entry in networks.values():
        if entry["DNSNames"]:  # the container's own name is the first of them
            entry["Aliases"] = entry["DNSNames"][1:] or None


async def add_sizes(
    engine: Engine, containers: Iterable[Container], documents: Iterable[dict[str, Any]]
) -> None:
    """SizeRw and SizeRootFs into documents of these containers."""
    from engine.volumes.service import folder_size

    containers = list(containers)
    uppers = [str(engine.layout.container(c.id) / "upper") for c in containers]
    sizes = await trio.to_thread.run_sync(lambda: [folder_size(upper) for upper in uppers])
    for container, document, size in zip(containers, documents, sizes, strict=True):
        document["SizeRw"] = size
        document["SizeRootFs"] = size + _image_size(engine, container)


def _image_size(engine: Engine, container: Container) -> int:
    from engine.errors import NotFoundError

    try:
        return engine.images.find(container.image).size
    except NotFoundError:
        return 0


def shown_image(engine: Engine, container: Container) -> str:
    """The name the container was made with, or the id where that name means another image now."""
    from engine.errors import EngineError

    try:
        same = engine.images.means(container.config.image, container.image)
    except EngineError:
        same = False
    return container.config.image if same else container.image


def status_words(container: Container) -> str:
    """docker ps's STATUS: "Up 5 minutes (healthy)", "Exited (0) 2 seconds ago"."""
    state = container.state
    now = time.time()
    if state.status in ("running", "paused"):
        words = f"Up {human_duration(now - state.started_ns / 1e9)}"
        if state.status == "paused":
            return f"{words} (Paused)"
        if state.health is not None:
            shown = "health: starting" if state.health.status == "starting" else state.health.status
            return f"{words} ({shown})"
        return words
    ago = human_duration(now - state.finished_ns / 1e9)
    if state.status == "restarting":
        return f"Restarting ({state.exit_code}) {ago} ago"
    if state.status == "removing":
        return "Removal In Progress"
    if state.status == "created":
        return "Created"
    return f"Exited ({state.exit_code}) {ago} ago"


def health_json(health: Health) -> dict[str, Any]:
    """State.Health."""
    return {
        "Status": health.status,
        "FailingStreak": health.failing_streak,
        "Log": [
            {
                "Start": rfc3339(entry.start_ns),
                "End": rfc3339(entry.end_ns),
                "ExitCode": entry.exit_code,
                "Output": entry.output,
            }
            for entry in health.log
        ],
    }


def _state(container: Container) -> dict[str, Any]:
    state = container.state
    document: dict[str, Any] = {
        "Status": state.status,
        "Running": state.running or state.status == "restarting",
        "Paused": state.status == "paused",
        "Restarting": state.status == "restarting",
        "OOMKilled": state.oom_killed,
        "Dead": state.status == "dead",
        "Pid": state.pid if state.running else 0,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": rfc3339(state.started_ns),
        "FinishedAt": rfc3339(state.finished_ns),
    }
    if state.health is not None:
        document["Health"] = health_json(state.health)
    return document


def _shell_words(container: Container) -> str:
    words = [container.path, *container.args]
    return " ".join(f"'{word}'" if " " in word else word for word in words)


def _ports(container: Container, endpoints: Iterable[Endpoint]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    published = set()
    for endpoint in endpoints:
        for port in endpoint.ports:
            if not port.host_port:
                continue  # of a routed network: open, not published
            published.add(f"{port.container_port}/{port.protocol}")
            found.append(
                {
                    "IP": port.host_ip,
                    "PrivatePort": port.container_port,
                    "PublicPort": port.host_port,
                    "Type": port.protocol,
                }
            )
    for name in container.config.exposed_ports or {} if container.state.running else ():
        number, _, protocol = name.partition("/")
        if f"{number}/{protocol or 'tcp'}" not in published and number.isdigit():
            found.append({"PrivatePort": int(number), "Type": protocol or "tcp"})
    return found


def _mount(engine: Engine, point: MountPoint) -> dict[str, Any]:
    source = point.source
    if point.type == "tmpfs":
        return {
            "Type": "tmpfs",
            "Source": "",
            "Destination": point.destination,
            "Mode": "",
            "RW": point.rw,
            "Propagation": "",
        }
    if point.type == "volume":
        source = str(engine.layout.volume_data(point.name))
    document: dict[str, Any] = {"Type": point.type}
    if point.name:
        document["Name"] = point.name
    document |= {"Source": source, "Destination": point.destination}
    if point.driver:
        document["Driver"] = point.driver
    return document | {"Mode": point.mode, "RW": point.rw, "Propagation": point.propagation}


def _networks(
    engine: Engine, container: Container, endpoints: Iterable[Endpoint]
) -> dict[str, Any]:
    live = {endpoint.network_name: endpoint for endpoint in endpoints}
    found = {
        name: endpoint_json(engine, container, name, settings, live.get(name))
        for name, settings in container.networks.items()
    }
    mode = container.host_config.network_mode
    if mode in ("host", "none"):
        network_id = engine.networks.find(mode).id
        found[mode] = {
            **endpoint_json(engine, container, mode, None, None), "NetworkID": network_id,
        }  # fmt: skip
    return found


def endpoint_json(
    engine: Engine,
    container: Container,
    name: str,
    settings: EndpointSettings | None,
    endpoint: Endpoint | None,
) -> dict[str, Any]:
    """One entry of NetworkSettings.Networks."""
    from engine.errors import NotFoundError

    try:
        network_id = engine.networks.find(name).id
    except NotFoundError:
        network_id = ""
    ipam = settings.ipam_config if settings else None
    aliases = list(settings.aliases or ()) if settings else []
    names = None
    if name != "bridge" and settings is not None:
        names = list(
            dict.fromkeys([container.name, *aliases, container.id[:12], container.config.hostname])
        )
    return {
        "IPAMConfig": docker_json.encode(ipam) if ipam else None,
        "Links": list(settings.links) if settings and settings.links else None,
        "Aliases": aliases or None,
        "MacAddress": endpoint.mac if endpoint else "",
        "DriverOpts": dict(settings.driver_opts) if settings and settings.driver_opts else None,
        "GwPriority": settings.gw_priority if settings else 0,
        "NetworkID": network_id,
        "EndpointID": endpoint.endpoint_id if endpoint else "",
        "Gateway": endpoint.gateway if endpoint else "",
        "IPAddress": endpoint.ipv4 if endpoint else "",
        "IPPrefixLen": endpoint.prefix if endpoint else 0,
        "IPv6Gateway": endpoint.gateway6 if endpoint else "",
        "GlobalIPv6Address": endpoint.ipv6 if endpoint else "",
        "GlobalIPv6PrefixLen": endpoint.prefix6 if endpoint else 0,
        "DNSNames": names,
    }  # fmt: skip


def _network_settings(
    engine: Engine, container: Container, endpoints: list[Endpoint]
) -> dict[str, Any]:
    ports: dict[str, Any] = {}
    for name in container.config.exposed_ports or {}:
        ports[name if "/" in name else f"{name}/tcp"] = None
    for endpoint in endpoints:
        for port in endpoint.ports:
            key = f"{port.container_port}/{port.protocol}"
            ports[key] = [
                *(ports.get(key) or []),
                {"HostIp": port.host_ip, "HostPort": str(port.host_port or "")},
            ]
    first = next((e for e in endpoints if e.network_name == "bridge"), None)
    return {
        "Bridge": "",
        "SandboxID": container.id if endpoints else "",
        "SandboxKey": f"/proc/{container.state.pid}/ns/net" if container.state.running else "",
        "Ports": ports if container.state.running else {},
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": first.endpoint_id if first else "",
        "Gateway": first.gateway if first else "",
        "GlobalIPv6Address": first.ipv6 if first else "",
        "GlobalIPv6PrefixLen": first.prefix6 if first else 0,
        "IPAddress": first.ipv4 if first else "",
        "IPPrefixLen": first.prefix if first else 0,
        "IPv6Gateway": first.gateway6 if first else "",
        "MacAddress": first.mac if first else "",
        "Networks": _networks(engine, container, endpoints),
    }
