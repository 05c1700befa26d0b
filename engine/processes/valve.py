"""Holds a process's output back while a reader has too much of it before him, so that he misses nothing.

Theory: what a process writes goes to every reader; one that is slow makes the others and the process
wait, as a pipe would. An exec's reader is the one it was started for: he may take his time. A
container's reader may be somebody who has gone to lunch: after some seconds without taking a byte he is
let go, and the container runs on.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.processes.visitors import Visitor

#: Bytes before a reader at which the output is held back, and at which it goes on.
FULL, LOW = 1 << 20, 1 << 18
#: Seconds that a container's reader may take nothing at all.
PATIENCE = 10.0
#: Seconds between looks at readers who take nothing.
LOOK = 1.0


class Valve:
    """Of one monitor. `outputs` are the descriptors it reads; `terminal` may be among them."""

    def __init__(self, epoll: select.epoll, outputs: dict[int, int], *, patient: bool) -> None:
        self._epoll = epoll
        self._outputs = outputs
        self._patient = patient
        self.terminal = -1
        self.closed = False

    def check(self, visitors: Iterable[Visitor]) -> list[Visitor]:
        """Close or open as the readers are; those who have to go."""
        readers = [visitor for visitor in visitors if visitor.attached]
        most = max((len(visitor.backlog) for visitor in readers), default=0)
        if most >= FULL and not self.closed:
            self._close()
        elif most <= LOW and self.closed:
            self._open()
        if not self.closed or self._patient:
            return []
        long_ago = time.monotonic() - PATIENCE
        return [v for v in readers if len(v.backlog) > LOW and v.progress < long_ago]

    def wait(self, seconds: float) -> float:
        """How long the monitor may wait for events; -1 is for ever."""
        if not self.closed or self._patient:
            return seconds
        return LOOK if seconds < 0 else min(seconds, LOOK)

    def _close(self) -> None:
        self.closed = True
        for fd in self._outputs:
            if fd == self.terminal:
                self._epoll.modify(fd, 0)
            else:
                self._epoll.unregister(fd)

    def _open(self) -> None:
        self.closed = False
        for fd in self._outputs:
            if fd == self.terminal:
                self._epoll.modify(fd, select.EPOLLIN)
            else:
                self._epoll.register(fd, select.EPOLLIN)
