"""A published UDP port in user space: a flow for each client, forgotten when it has been silent.

A host may have many addresses: an answer comes from the one that was asked (ip(7), ipv6(7): PKTINFO).
"""

from __future__ import annotations

import socket
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from networking.relay.places import Places
    from networking.resident.server import Loop

#: Seconds of silence that end a flow (conntrack's for UDP streams); flows of one port at once.
SILENCE, FLOWS = 120.0, 1024
#: Datagrams taken in one go.
BURST = 64
#: linux/in.h; Python has no name for it.
IP_PKTINFO = 8
Ancillary = list[tuple[int, int, bytes]]


@dataclass(slots=True, eq=False)
class Flow:
    """One client's datagrams to one address; `source` has answers come from there."""

    key: Any
    client: Any
    source: Ancillary
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
        if near.family == socket.AF_INET6:
            near.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            near.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
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
                data, told, _, client = self._near.recvmsg(0xFFFF, SPACE)
            except OSError:
                return
            source = source_of(told)
            key = client, *(value for _, _, value in source)
            flow = self._flows.get(key) or self._begin(key, client, source)
            if flow is None:
                continue
            flow.heard = self._clock()
            self._flows.move_to_end(key)
            try:
                flow.far.send(data)
            except OSError:
                pass  # nobody listens there now: UDP promises nothing

    def _begin(self, key: Any, client: Any, source: Ancillary) -> Flow | None:
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
        flow = self._flows[key] = Flow(key, client, source, far, self._clock())
        self._loop.watch(far, lambda: self._from_container(flow))
        return flow

    def _from_container(self, flow: Flow) -> None:
        for _ in range(BURST):
            try:
                data = flow.far.recv(0xFFFF)
                self._near.sendmsg([data], flow.source, 0, flow.client)
            except BlockingIOError:
                return
            except OSError:
                return  # the container refused, or the client is gone
        flow.heard = self._clock()

    def _end(self, flow: Flow) -> None:
        if self._flows.pop(flow.key, None) is not None:
            self._loop.forget(flow.far)
            flow.far.close()
            self._places.give(1)


#: struct in6_pktinfo (the larger): an address and an interface.
SPACE = socket.CMSG_SPACE(20)


def source_of(told: Ancillary) -> Ancillary:
    """From where a datagram is answered, of what the kernel told of its arrival; the way is routing's."""
    for level, kind, value in told:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return [(level, kind, value[:16] + struct.pack("=I", 0))]
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            return [(level, kind, struct.pack("=i4s4s", 0, value[4:8], bytes(4)))]
    return []
