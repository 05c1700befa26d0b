"""`graph`: what there is to draw, from the file alone or from the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.drawing.model import (
    ContainerLine,
    Dependencies,
    Edge,
    MountLine,
    NetworkMap,
    NetworkNode,
    ServiceCard,
    ServiceNode,
)
from compose.engine_client import calls, object_calls
from compose.engine_client.payloads.status import canonical_name, health_of
from compose.errors import ComposeError, ProjectError
from compose.model import labels
from compose.model.graph import ServiceGraph
from compose.operations.log_source import short_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.session import Session

Row = dict[str, Any]
MODES = {"host": "the host's network", "none": "no network"}


def dependencies(session: Session, wanted: tuple[str, ...]) -> Dependencies:
    """The services and whom they wait for; of those wanted and what they need. Raises ProjectError."""
    return graph_of(session.project().project, wanted)


def graph_of(project: Project, wanted: tuple[str, ...] = ()) -> Dependencies:
    """The same of a project that is loaded. Pure. Raises ProjectError for a service that is not there."""
    everything = {**project.services, **project.disabled}
    for name in wanted:
        if name not in everything:
            raise ProjectError(f"no such service: {name}")
    kept = ServiceGraph(everything).closure(wanted) if wanted else set(everything)
    nodes = [node_of(everything[name], enabled=name in project.services) for name in sorted(kept)]
    edges = [
        Edge(name, other, need.condition, need.required, need.restart)
        for name in sorted(kept)
        for other, need in sorted(everything[name].depends_on.items())
    ]
    return Dependencies(project.name, tuple(nodes), tuple(edges))


def node_of(service: Service, *, enabled: bool) -> ServiceNode:
    """A service as it is drawn."""
    return ServiceNode(
        service.name, service.image, service.build is not None, service.replicas, service.profiles,
        enabled,
    )  # fmt: skip


def network_map(session: Session) -> NetworkMap:
    """The running project: its containers as services, their networks and volumes. Raises ComposeError."""
    name = session.project_name()
    with session.client() as client:
        listed, found = client.do_all(
            [calls.list_containers(name, oneoff=False), object_calls.list_networks({})]
        )
    items = sorted(listed.json() or [], key=lambda item: canonical_name(item["Names"]))
    if not items:
        raise ComposeError(f'project "{name}" has no containers to draw: start it with up')
    return map_of(name, items, found.json() or [])


def map_of(project: str, items: list[Row], networks: list[Row]) -> NetworkMap:
    """Containers and networks as the engine lists them -> what is drawn. Pure."""
    by_service: dict[str, list[Row]] = {}
    for item in items:
        by_service.setdefault((item.get("Labels") or {}).get(labels.SERVICE, ""), []).append(item)
    cards = [card_of(service, own, items) for service, own in sorted(by_service.items())]
    used = {name for card in cards for name in card.networks}
    nodes = [
        network_of(one, project)
        for one in sorted(networks, key=lambda one: str(one["Name"]))
        if one["Name"] in used or (one.get("Labels") or {}).get(labels.PROJECT) == project
    ]
    return NetworkMap(project, tuple(nodes), tuple(cards))


def network_of(item: Row, project: str) -> NetworkNode:
    """A network as it is drawn."""
    own = item.get("Labels") or {}
    pools = (item.get("IPAM") or {}).get("Config") or []
    return NetworkNode(
        name=item["Name"],
        key=str(own.get(labels.NETWORK) or item["Name"]),
        driver=item.get("Driver", ""),
        subnets=tuple(pool["Subnet"] for pool in pools if pool.get("Subnet")),
        gateway=next((pool["Gateway"] for pool in pools if pool.get("Gateway")), ""),
        internal=bool(item.get("Internal")),
        external=own.get(labels.PROJECT) != project,
    )


def card_of(service: str, items: list[Row], everything: list[Row]) -> ServiceCard:
    """A service's containers as one card."""
    mounts: dict[str, MountLine] = {}
    ports: dict[str, None] = {}
    networks: dict[str, None] = {}
    for item in items:
        networks |= dict.fromkeys((item.get("NetworkSettings") or {}).get("Networks") or {})
        ports |= dict.fromkeys(port_lines(item.get("Ports") or []))
        for mount in item.get("Mounts") or []:
            mounts.setdefault(mount.get("Destination", ""), mount_of(mount, item))
    first = items[0]
    return ServiceCard(
        name=service,
        image=first.get("Image", ""),
        containers=tuple(container_of(item) for item in items),
        ports=tuple(ports),
        mounts=tuple(mounts[target] for target in sorted(mounts)),
        networks=tuple(name for name in sorted(networks) if name not in MODES),
        mode=mode_of(first, everything),
    )


def mode_of(item: Row, everything: list[Row]) -> str:
    """What is said of a network that is no network of its own, "" otherwise."""
    mode = (item.get("HostConfig") or {}).get("NetworkMode", "")
    if mode in MODES:
        return MODES[mode]
    if not mode.startswith("container:"):
        return ""
    shared = mode.removeprefix("container:")
    for other in everything:
        if other["Id"] == shared or canonical_name(other["Names"]) == shared:
            return f"the network of {(other.get('Labels') or {}).get(labels.SERVICE, shared)}"
    return f"the network of {shared[:12]}"


def container_of(item: Row) -> ContainerLine:
    """A container with its addresses."""
    ends: Mapping[str, Row] = (item.get("NetworkSettings") or {}).get("Networks") or {}
    state = item.get("State", "")
    return ContainerLine(
        short_name(canonical_name(item["Names"]), item.get("Labels") or {}),
        state,
        health_of(item.get("Status", "")) if state == "running" else "",
        {
            name: tuple(str(end[key]) for key in ("IPAddress", "GlobalIPv6Address") if end.get(key))
            for name, end in ends.items()
        },
    )


def port_lines(ports: list[Row]) -> list[str]:
    """ "0.0.0.0:8080 → 80/tcp"; an address of IPv6 beside the same of IPv4 says nothing new."""
    found: dict[str, None] = {}
    plain = {(p.get("PublicPort"), p.get("PrivatePort"), p.get("Type")) for p in ports if p.get("IP") == "0.0.0.0"}  # fmt: skip  # noqa: S104  # it is compared
    for port in sorted(ports, key=lambda one: (one.get("PrivatePort", 0), str(one.get("IP", "")))):
        if not port.get("PublicPort"):
            continue
        key = (port.get("PublicPort"), port.get("PrivatePort"), port.get("Type"))
        ip = port.get("IP", "")
        if ip == "::" and key in plain:
            continue
        host = f"[{ip}]" if ":" in ip else ip
        found[f"{host}:{port['PublicPort']} → {port['PrivatePort']}/{port.get('Type', 'tcp')}"] = None  # fmt: skip
    return list(found)


def mount_of(mount: Row, item: Row) -> MountLine:
    """A mount as it is drawn: a volume by the project's name for it, a folder seen from the project's."""
    own = item.get("Labels") or {}
    kind = mount.get("Type", "")
    name = mount.get("Name") or mount.get("Source", "")
    folder, project = own.get(labels.WORKING_DIR, ""), own.get(labels.PROJECT, "")
    if kind == "volume":
        name = name[:12] if len(name) == 64 else name.removeprefix(f"{project}_")
    elif folder and f"{name}/".startswith(f"{folder}/"):
        name = "." + name[len(folder) :]
    known = {"volume", "tmpfs", "image"}
    return MountLine(
        kind if kind in known else "bind",
        name,
        mount.get("Destination", ""),
        not mount.get("RW", True),
    )


def viz_rows(
    project: Project, *, networks: bool, ports: bool, images: bool
) -> tuple[list[tuple[str, list[tuple[str, list[str]]]]], list[tuple[str, str]]]:
    """What `alpha viz` shows: services with facts, and arrows. Pure."""
    rows: list[tuple[str, list[tuple[str, list[str]]]]] = []
    for name, service in sorted(project.services.items()):
        facts: list[tuple[str, list[str]]] = []
        if networks:
            facts.append(("Networks", sorted(service.networks)))
        if ports and service.ports:
            facts.append(("Ports", [
                f"{port.host_ip + ':' if port.host_ip else ''}{port.published}:{port.target} ({port.protocol}, {port.mode})"
                for port in service.ports
            ]))  # fmt: skip
        if images:
            facts.append(("Image", [service.image or project.name_of(name)]))
        rows.append((name, facts))
    edges = [
        (name, other)
        for name, service in sorted(project.services.items())
        for other in sorted(service.depends_on)
    ]
    return rows, edges
