"""Devices of the host, and requests for such as GPUs."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Device(Record):
    """A host device given to the container."""

    source: str
    target: str
    permissions: str = "rwm"


class DeviceRequest(Record):
    """gpus, or deploy.resources.reservations.devices; `count` -1 is all."""

    capabilities: tuple[str, ...] = ()
    count: int | None = None
    device_ids: tuple[str, ...] = ()
    driver: str = ""
    options: Mapping[str, str] = EMPTY
