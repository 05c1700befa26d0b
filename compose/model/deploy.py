"""How many containers, with which resources. Durations are nanoseconds, sizes bytes."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.model.device import DeviceRequest


class RestartPolicy(Record):
    """deploy.restart_policy."""

    condition: str = ""
    delay: int | None = None
    max_attempts: int | None = None
    window: int | None = None


class Deploy(Record):
    """The part of deploy that means something on one host; `document` is all of it."""

    mode: str = ""
    replicas: int | None = None
    labels: Mapping[str, str] = EMPTY
    restart_policy: RestartPolicy | None = None
    limit_cpus: float | None = None
    limit_memory: int | None = None
    limit_pids: int | None = None
    reserved_cpus: float | None = None
    reserved_memory: int | None = None
    devices: tuple[DeviceRequest, ...] = ()
    document: Mapping[str, Any] = EMPTY
