"""What a service waits for."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]


class Dependency(Record):
    """One entry of depends_on."""

    condition: Condition = "service_started"
    required: bool = True
    restart: bool = False
