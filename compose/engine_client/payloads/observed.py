"""What the engine lists -> observed values. Pure; a field that is missing is its default."""

from __future__ import annotations

from compose.engine_client.payloads.status import canonical_name, exit_code_of, health_of
from compose.model import labels
from compose.model.observed import (
    ObservedContainer,
    ObservedImage,
    ObservedMount,
    ObservedNetwork,
    ObservedVolume,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def container_from_list(item: dict[str, Any]) -> ObservedContainer:
    """One entry of GET /containers/json."""
    own = item.get("Labels") or {}
    state, status = item.get("State", ""), item.get("Status", "")
    number = own.get(labels.NUMBER, "")
    networks = (item.get("NetworkSettings") or {}).get("Networks") or {}
    return ObservedContainer(
        id=item["Id"],
        name=canonical_name(item.get("Names") or []),
        service=own.get(labels.SERVICE, ""),
        number=int(number) if number.isdigit() else 0,
        oneoff=own.get(labels.ONEOFF, "").lower() == "true",
        state=state,
        health=health_of(status),
        exit_code=exit_code_of(state, status),
        image=item.get("Image", ""),
        image_id=item.get("ImageID", ""),
        created=item.get("Created", 0),
        network_mode=(item.get("HostConfig") or {}).get("NetworkMode", ""),
        networks={name: end.get("NetworkID", "") for name, end in networks.items()},
        mounts=tuple(mount_from_list(mount) for mount in item.get("Mounts") or []),
        labels=own,
    )


def mount_from_list(item: dict[str, Any]) -> ObservedMount:
    """One of a container's mounts."""
    return ObservedMount(
        type=item.get("Type", ""),
        target=item.get("Destination", ""),
        name=item.get("Name", ""),
        source=item.get("Source", ""),
        read_only=not item.get("RW", True),
    )


def network_from_list(item: dict[str, Any]) -> ObservedNetwork:
    """One entry of GET /networks."""
    return ObservedNetwork(item["Id"], item["Name"], item.get("Labels") or {})


def volume_from_list(item: dict[str, Any]) -> ObservedVolume:
    """One entry of GET /volumes."""
    return ObservedVolume(item["Name"], item.get("Labels") or {})


def image_from_inspect(item: dict[str, Any]) -> ObservedImage:
    """An image's id, the volumes it declares and when it was tagged."""
    config = item.get("Config") or {}
    tagged = (item.get("Metadata") or {}).get("LastTagTime") or item.get("Created", "")
    return ObservedImage(item["Id"], tuple(config.get("Volumes") or ()), tagged)
