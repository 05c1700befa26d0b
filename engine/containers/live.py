"""What only this engine process knows of containers: handles on the running, and who waits for what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from engine.errors import ConflictError

if TYPE_CHECKING:
    from engine.processes.attachment import Attachment
    from engine.processes.client import Monitor
    from engine.runtime.spec import ContainerSpec


@dataclass(slots=True)
class Live:
    """A running container's handle."""

    monitor: Monitor
    spec: ContainerSpec  # what lasts of it
    scope: trio.CancelScope  # of its health checks


class Handles(dict[str, Live]):
    """The handles of what runs, by container id."""

    def of(self, container_id: str) -> Live:
        """One of them. Raises ConflictError."""
        live = self.get(container_id)
        if live is None:
            raise ConflictError(f"container {container_id} is not running")
        return live


@dataclass(slots=True)
class Bell:
    """Rings once; carries how it ended."""

    rung: trio.Event = field(default_factory=trio.Event)
    exit_code: int = 0

    def ring(self, exit_code: int) -> None:
        """Wake whoever waits. Idempotent."""
        if not self.rung.is_set():
            self.exit_code = exit_code
            self.rung.set()

    async def wait(self) -> int:
        """The exit code, when it has rung."""
        await self.rung.wait()
        return self.exit_code


@dataclass(slots=True)
class Wish:
    """Somebody who wants to be attached when a container starts."""

    wants: dict[str, bool]
    granted: trio.Event = field(default_factory=trio.Event)
    attachment: Attachment | None = None
