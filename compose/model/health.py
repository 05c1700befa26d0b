"""How a container's health is probed. Durations are nanoseconds."""

from __future__ import annotations

from compose.model.record import Record


class HealthCheck(Record):
    """`test` () inherits the image's; `disable` switches it off."""

    test: tuple[str, ...] = ()
    interval: int | None = None
    timeout: int | None = None
    retries: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    disable: bool = False
