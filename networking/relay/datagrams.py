"""A published UDP port in user space: a flow for each client, forgotten when it has been silent."""

from __future__ import annotations

import socket
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from networking.relay.server import Places
    from networking.resident.server import Loop

#: Seconds of silence that end a flow (conntrack's for UDP streams); flows of one port at once.
SILENCE, FLOWS = 120.0, 1024
#: Datagrams taken in one go.
BURST = 64


@dataclass(slots=True, eq=False)
class Flow:
    """One client's datagrams."""

    client: Any
    far: socket.socket
    heard: float


class Datagrams:
    """A published UDP port. The flow that has been silent for longest gives way to a new one."""

    def __init__(
        self, loop: Loop, near: socket.socket, family: socket.AddressFamily,
        target: tuple[str, int], clock: Callable[[], float], places: Places,
    ) -> None:  # fmt: skip
        self._loop = loop
        self._near = near
        self._family = family
        self._target = target
        self._clock = clock
        self._places = places
        self._flows: OrderedDict[Any, Flow] = OrderedDict()
        loop.watch(near, self._from_clients)

    def timeout(self) -> float | None:
        """Seconds until a flow is due to be forgotten."""
        if not self._flows:
            return None
        return next(iter(self._flows.values())).heard + SILENCE - self._clock()

    def tick(self) -> None:
        """Forget who has been silent for too long."""
        while (wait := self.timeout()) is not None and wait <= 0:
            self._end(next(iter(self._flows.values())))

    def close(self) -> None:
        """End the port and its flows."""
        for flow in list(self._flows.values()):
            self._end(flow)
        self._loop.forget(self._near)
        self._near.close()

    def _from_clients(self) -> None:
        for _ in range(BURST):
            try:
                data, client = self._near.recvfrom(0xFFFF)
            except OSError:
                return
            flow = self._flows.get(client) or self._begin(client)
            if flow is None:
                continue
            flow.heard = self._clock()
            self._flows.move_to_end(client)
            try:
                flow.far.send(data)
            except OSError:
                pass  # nobody listens there now: UDP promises nothing

    def _begin(self, client: Any) -> Flow | None:
        while len(self._flows) >= FLOWS or (self._flows and not self._places.free):
            self._end(next(iter(self._flows.values())))
        if not self._places.take(1):
            return None
        try:
            far = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError:
            self._places.give(1)
            return None
        try:
            far.connect(self._target)
        except OSError:
            far.close()
            self._places.give(1)
            return None
        flow = self._flows[client] = Flow(client, far, self._clock())
        self._loop.watch(far, lambda: self._from_container(flow))
        return flow

    def _from_container(self, flow: Flow) -> None:
        for _ in range(BURST):
            try:
                self._near.sendto(flow.far.recv(0xFFFF), flow.client)
            except BlockingIOError:
                return
            except OSError:
                return  # the container refused, or the client is gone
        flow.heard = self._clock()

    def _end(self, flow: Flow) -> None:
        if self._flows.pop(flow.client, None) is not None:
            self._loop.forget(flow.far)
            flow.far.close()
            self._places.give(1)
