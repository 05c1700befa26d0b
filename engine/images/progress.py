"""What a pull or push tells while it goes on: Docker's JSON messages, one stream, one writer at a time.

Amounts are told at most ten times a second and layer, as Docker does; words are told at once.
Source: Docker's jsonmessage (status, id, progressDetail, progress).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Report = Callable[[dict[str, Any]], Awaitable[None]]

INTERVAL = 0.1


@dataclass(slots=True)
class Meter:
    """How far one layer is; who works on it, a thread too, sets `current`."""

    id: str
    total: int
    status: str = ""
    current: int = 0
    told: tuple[str, int] = ("", 0)


class Narrator:
    """Tells messages in turn, and the meters' amounts while it is open (`telling`)."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._turn = trio.Lock()
        self._meters: list[Meter] = []

    async def say(self, status: str, layer: str = "") -> None:
        """A message; of a layer where one is named."""
        message: dict[str, Any] = {"status": status}
        if layer:
            message |= {"progressDetail": {}, "id": layer}
        await self.send(message)

    async def send(self, message: dict[str, Any]) -> None:
        """Any message."""
        async with self._turn:
            await self._report(message)

    def meter(self, layer: str, status: str, total: int) -> Meter:
        """A new meter; it is told until its `status` is ""."""
        meter = Meter(layer, total, status)
        self._meters.append(meter)
        return meter

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """While inside, the meters are told as they move."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell)
            yield
            nursery.cancel_scope.cancel()

    async def _tell(self) -> None:
        while True:
            for meter in [one for one in self._meters if one.status]:
                now = (meter.status, meter.current)
                if now != meter.told:
                    meter.told = now
                    await self.send(amount(meter))
            self._meters = [one for one in self._meters if one.status]
            await trio.sleep(INTERVAL)


def amount(meter: Meter) -> dict[str, Any]:
    """The message of a meter, with the bar that clients without their own print. Pure."""
    current = min(meter.current, meter.total) if meter.total else meter.current
    return {
        "status": meter.status,
        "progressDetail": {"current": current, "total": meter.total},
        "progress": bar(current, meter.total),
        "id": meter.id,
    }


def bar(current: int, total: int) -> str:
    """ "[====>      ]  1.2MB/3.4MB", 50 columns wide. Pure."""
    if total <= 0:
        return human(current)
    filled = current * 50 // total
    line = "=" * filled + (">" if filled < 50 else "")
    return f"[{line:<50}]  {human(current)}/{human(total)}"


def human(size: float) -> str:
    """Bytes in units of 1000 with four digits at most, as Docker writes them. Pure."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.4g}{unit}"
        size /= 1000
    raise AssertionError("unreachable")
