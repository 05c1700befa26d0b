"""One snapshot of what the engine has of a project: four lists at once, no inspecting one by one."""

from __future__ import annotations

from compose.engine_client import calls
from compose.engine_client.payloads.observed import (
    container_from_list,
    image_from_inspect,
    network_from_list,
    volume_from_list,
)
from compose.model.observed import Observed, ObservedImage
from compose.model.record import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compose.engine_client.blocking import BlockingClient
    from compose.engine_client.call import Answer, Call


def observation(
    project: str, images: Sequence[str], platforms: Mapping[str, str] = EMPTY
) -> list[Call]:
    """The calls of a snapshot. Networks and volumes are listed all: names may be taken by others.

    `platforms`: of an image the one that it must be there for.
    """
    return [
        calls.list_containers(project),
        calls.list_networks(),
        calls.list_volumes(),
        *(calls.inspect_image(image, platforms.get(image, "")) for image in images),
    ]


def snapshot(images: Sequence[str], answers: Sequence[Answer]) -> Observed:
    """The answers to those calls, as values."""
    containers, networks, volumes, *inspected = answers
    found: dict[str, ObservedImage] = {
        image: image_from_inspect(answer.json())
        for image, answer in zip(images, inspected, strict=True)
        if answer.status == 200
    }
    return Observed(
        tuple(map(container_from_list, containers.json() or [])),
        tuple(map(network_from_list, networks.json() or [])),
        tuple(map(volume_from_list, (volumes.json() or {}).get("Volumes") or [])),
        found,
    )


def observe(
    client: BlockingClient,
    project: str,
    images: Sequence[str] = (),
    platforms: Mapping[str, str] = EMPTY,
) -> Observed:
    """Take the snapshot; `images` are references to look up, `platforms` what they must be for."""
    return snapshot(images, client.do_all(observation(project, images, platforms)))
