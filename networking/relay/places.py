"""How many clients a relay has descriptors for."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Places:
    """The descriptors there are for clients. Who finds too few left waits for some to come back.

    Some of the process's are kept out of it: the engine must be able to speak to it whatever the crowd.
    """

    KEPT = 64

    def __init__(self, free: int) -> None:
        self.free = free
        self._waiting: list[Callable[[], None]] = []

    @classmethod
    def of_this_process(cls) -> Places:
        """As many as its limit allows."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(max(soft - cls.KEPT, 2))

    def take(self, count: int) -> bool:
        """Whether there are so many; they are the caller's then."""
        if self.free < count:
            return False
        self.free -= count
        return True

    def give(self, count: int) -> None:
        """They are back."""
        self.free += count
        waiting, self._waiting = self._waiting, []
        for ready in waiting:
            ready()

    def wait(self, ready: Callable[[], None]) -> None:
        """Call `ready` once, when some have come back."""
        self._waiting.append(ready)
