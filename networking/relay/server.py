"""The relay: one small process that carries published ports to containers; it outlives the engine.

It serves only what nftables cannot: ::1, IPv6 to a container that has only IPv4, and every port where
the host's INPUT policy is to govern. Sockets come bound from the engine. What a connection may keep
in memory is bounded: a side that does not read stops the other. Run as `python -m
networking.relay.server RUN_DIR`.
"""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from networking.relay.datagrams import Datagrams
from networking.relay.places import Places
from networking.resident.server import Control, Loop, now, say_ready, settle_in

if TYPE_CHECKING:
    from collections.abc import Callable

SOCKET_NAME = "relay.sock"
#: Bytes of one direction that wait for the other side.
BUFFER = 1 << 17
#: Connections accepted in one go.
BURST = 64


@dataclass(frozen=True, slots=True)
class Target:
    """Where a port leads: a container's address and port."""

    address: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """Of its address."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


class Pump:
    """One direction of a connection."""

    def __init__(self, loop: Loop, source: socket.socket, sink: socket.socket) -> None:
        self.loop = loop
        self.source = source
        self.sink = sink
        self.waiting = bytearray()
        self.ended = False  # the source has said its last word
        self.done = False  # and the sink has heard it

    def read(self) -> None:
        """More from the source. Raises OSError if it is gone."""
        try:
            data = self.source.recv(BUFFER)
        except BlockingIOError:
            return
        if not data:
            self.ended = True
            self.loop.pause_reading(self.source, paused=True)
        elif not self.waiting:
            try:
                data = data[self.sink.send(data) :]
            except BlockingIOError:
                pass  # it will say when it has room
        self.waiting += data
        self._settle()

    def write(self) -> None:
        """The sink has room. Raises OSError if it is gone."""
        try:
            del self.waiting[: self.sink.send(self.waiting)]
        except BlockingIOError:
            return
        self._settle()

    def _settle(self) -> None:
        if self.waiting:
            self.loop.pause_reading(self.source, paused=True)
            self.loop.watch_writable(self.sink, self.on_room)
            return
        self.loop.watch_writable(self.sink, None)
        if not self.ended:
            self.loop.pause_reading(self.source, paused=False)
        elif not self.done:
            self.done = True
            try:
                self.sink.shutdown(socket.SHUT_WR)
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise

    on_room: Callable[[], None]


class Connection:
    """A client's connection and the one to the container that goes with it; `ended` is called once."""

    def __init__(
        self, loop: Loop, near: socket.socket, target: Target, ended: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._near = near
        self._ended = ended
        self._far = socket.socket(target.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        for one in (near, self._far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out = Pump(loop, near, self._far)
        self._back = Pump(loop, self._far, near)
        for pump in (self._out, self._back):
            pump.on_room = lambda pump=pump: self._step(pump.write)  # type: ignore[misc]
        self.open = True
        try:
            self._far.connect((target.address, target.port))
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                self.open = False
                self._far.close()
                near.close()
                ended()
                return
        loop.watch(near, lambda: self._step(self._out.read))
        loop.watch(self._far, lambda: self._step(self._back.read))
        # Nothing is read before the container has taken the connection.
        loop.pause_reading(near, paused=True)
        loop.watch_writable(self._far, self._connected)

    def _connected(self) -> None:
        if self._far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.close()
            return
        self._loop.watch_writable(self._far, None)
        self._loop.pause_reading(self._near, paused=False)

    def _step(self, step: Callable[[], None]) -> None:
        if not self.open:
            return
        try:
            step()
        except OSError:
            self.close()
            return
        if self._out.done and self._back.done:
            self.close()

    def close(self) -> None:
        """End both. Idempotent."""
        if self.open:
            self.open = False
            for one in (self._near, self._far):
                self._loop.forget(one)
                one.close()
            self._ended()


class Server:
    """Everything the process holds: listening sockets by "protocol host port"."""

    def __init__(self, run_dir: str) -> None:
        self.loop = Loop()
        self.places = Places.of_this_process()
        self.ports: dict[str, Listener | Datagrams] = {}
        self.control = Control(self.loop, run_dir, SOCKET_NAME, self.perform)

    def run(self) -> None:
        """Serve until told to stop."""
        self.loop.run(self._timeout, self._tick)

    def _timeout(self) -> float | None:
        waits = (port.timeout() for port in self.ports.values())
        return min((wait for wait in waits if wait is not None), default=None)

    def _tick(self) -> None:
        for port in self.ports.values():
            port.tick()

    def perform(self, request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        """open (with a socket), close, keep (only these), list, stop."""
        op = request["op"]
        if op == "open":
            self._close(request["key"])
            listener = socket.socket(fileno=fds[0])
            listener.setblocking(False)  # the method takes it so
            target = Target(request["address"], request["port"])
            if listener.type == socket.SOCK_STREAM:
                self.ports[request["key"]] = Listener(self.loop, listener, target, self.places)
            else:
                family, address = target.family, (target.address, target.port)
                self.ports[request["key"]] = Datagrams(
                    self.loop, listener, family, address, now, self.places
                )
        elif op == "close":
            self._close(request["key"])
        elif op == "keep":
            for key in set(self.ports) - set(request["keys"]):
                self._close(key)
        elif op == "stop":
            self.loop.running = False
        return {"ports": sorted(self.ports)} if op == "list" else {}

    def _close(self, key: str) -> None:
        port = self.ports.pop(key, None)
        if port is not None:
            port.close()


class Listener:
    """A published TCP port. Clients for whom there is no place wait in the kernel's queue."""

    def __init__(self, loop: Loop, listener: socket.socket, target: Target, places: Places) -> None:
        self._loop = loop
        self._listener = listener
        self._target = target
        self._places = places
        loop.watch(listener, self._accept)

    def _accept(self) -> None:
        for _ in range(BURST):
            if not self._places.take(2):
                self._loop.pause_reading(self._listener, paused=True)
                self._places.wait(self._resume)
                return
            try:
                near, _ = self._listener.accept()
            except OSError:
                self._places.give(2)
                return  # none is left
            near.setblocking(False)  # the method takes it so
            try:
                Connection(self._loop, near, self._target, lambda: self._places.give(2))
            except OSError:
                near.close()
                self._places.give(2)

    def _resume(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.pause_reading(self._listener, paused=False)

    def timeout(self) -> float | None:
        """Nothing is ever due."""

    def tick(self) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        """Listen no more; connections go on until they end."""
        self._loop.forget(self._listener)
        self._listener.close()


def main() -> None:
    """The process."""
    settle_in()
    server = Server(sys.argv[1])
    say_ready()
    server.run()


if __name__ == "__main__":
    main()
