"""`ps`: the project's containers as rows. One list call; it must not wait for trio or the loader."""

from __future__ import annotations

from compose.engine_client import calls
from compose.engine_client.payloads.status import canonical_name, exit_code_of, health_of
from compose.errors import ProjectError
from compose.model import labels
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from compose.operations.session import Session


class PsRequest(Record):
    """The flags of ps."""

    services: tuple[str, ...] = ()
    everything: bool = False
    statuses: tuple[str, ...] = ()
    orphans: bool = True


def ps(request: PsRequest, session: Session) -> list[dict[str, Any]]:
    """The rows, by name. Raises ComposeError."""
    wanted = request.services
    if request.services or not request.orphans:
        project, name = session.project_or_name()
        if project is not None:
            unknown = [one for one in wanted if one not in project.services]
            if unknown:
                raise ProjectError(f"no such service: {unknown[0]}")
            wanted = wanted or tuple(project.services)
    else:
        name = session.project_name()
    everything = request.everything or bool(request.statuses)
    with session.client() as client:
        items = client.do(
            calls.list_containers(
                name,
                everything=everything,
                oneoff=None if request.everything else False,
                more=(labels.CONFIG_HASH,),
            )
        ).json()
    rows = [row_of(item) for item in items or []]
    if wanted:
        rows = [row for row in rows if row["Service"] in wanted]
    if request.statuses:
        rows = [row for row in rows if row["State"] in request.statuses]
    return sorted(rows, key=lambda row: str(row["Name"]))


def row_of(item: dict[str, Any]) -> dict[str, Any]:
    """One container of the list, with the fields that --format json has, but for shortening."""
    own = item.get("Labels") or {}
    state, status = item.get("State", ""), item.get("Status", "")
    mounts = item.get("Mounts") or []
    networks = (item.get("NetworkSettings") or {}).get("Networks") or {}
    names = [name.lstrip("/") for name in item.get("Names") or []]
    return {
        "Command": item.get("Command", ""),
        "Created": item.get("Created", 0),
        "ExitCode": exit_code_of(state, status) or 0,
        "Health": health_of(status) if state == "running" else "",
        "ID": item["Id"],
        "Image": item.get("Image", ""),
        "Labels": own,
        "LocalVolumes": sum(mount.get("Driver") == "local" for mount in mounts),
        "Mounts": [mount.get("Name") or mount.get("Source", "") for mount in mounts],
        "Name": canonical_name(item.get("Names") or []),
        "Names": names,
        "Networks": sorted(networks),
        "Project": own.get(labels.PROJECT, ""),
        "Publishers": [publisher(port) for port in sorted_ports(item.get("Ports") or [])],
        "Service": own.get(labels.SERVICE, ""),
        "State": state,
        "Status": status,
    }


def sorted_ports(ports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By the container's port."""
    return sorted(ports, key=lambda port: int(port.get("PrivatePort", 0)))


def publisher(port: dict[str, Any]) -> dict[str, Any]:
    """A port as --format json shows it."""
    return {
        "URL": port.get("IP", ""),
        "TargetPort": port.get("PrivatePort", 0),
        "PublishedPort": port.get("PublicPort", 0),
        "Protocol": port.get("Type", ""),
    }
