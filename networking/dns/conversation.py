"""DNS by TCP: bounded in number and time, whole messages in, whole messages out (RFC 7766).

When all places are taken, the one that has been silent for longest gives way.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from networking.resident.server import Loop

#: Connections at once; seconds of silence that end one; bytes that may wait to be read by an asker.
PLACES, SILENCE, OUTBOX = 512, 20.0, 1 << 18

Owner = TypeVar("Owner")
Owner_contra = TypeVar("Owner_contra", contravariant=True)


class Resolve(Protocol[Owner_contra]):
    """Answers a query of somebody's, now or later."""

    def __call__(
        self, query: bytes, owner: Owner_contra, reply: Callable[[bytes], None], /, *, tcp: bool
    ) -> None:
        """Call `reply` at most once."""


@dataclass(slots=True, eq=False)
class Talk(Generic[Owner]):
    """A connection: what has come, what must go, when it last said something."""

    connection: socket.socket
    owner: Owner
    heard: float
    inbox: bytearray = field(default_factory=bytearray)
    outbox: bytearray = field(default_factory=bytearray)
    open: bool = True


class Conversations(Generic[Owner]):
    """All of them."""

    def __init__(self, loop: Loop, clock: Callable[[], float], resolve: Resolve[Owner]) -> None:
        self._loop = loop
        self._clock = clock
        self._resolve = resolve
        self._talks: OrderedDict[int, Talk[Owner]] = OrderedDict()  # the longest silent first

    def __len__(self) -> int:
        return len(self._talks)

    def accept(self, listener: socket.socket, owner: Owner) -> None:
        """Somebody connects."""
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # gone again, or no descriptor left
        connection.setblocking(False)  # the method takes it so
        while len(self._talks) >= PLACES:
            self.close(next(iter(self._talks.values())))
        talk = Talk(connection, owner, self._clock())
        self._talks[id(talk)] = talk
        self._loop.watch(connection, lambda: self._read(talk))

    def timeout(self) -> float | None:
        """Seconds until a silent one is due to be closed; None if there is none."""
        if not self._talks:
            return None
        return next(iter(self._talks.values())).heard + SILENCE - self._clock()

    def tick(self) -> None:
        """Close who has been silent for too long."""
        while (wait := self.timeout()) is not None and wait <= 0:
            self.close(next(iter(self._talks.values())))

    def close_all_of(self, owner: Owner) -> None:
        """A container is gone."""
        for talk in [talk for talk in self._talks.values() if talk.owner is owner]:
            self.close(talk)

    def close(self, talk: Talk[Owner]) -> None:
        """End one. Idempotent."""
        if talk.open:
            talk.open = False
            self._talks.pop(id(talk), None)
            self._loop.forget(talk.connection)
            talk.connection.close()

    def _read(self, talk: Talk[Owner]) -> None:
        try:
            data = talk.connection.recv(0xFFFF)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close(talk)
            return
        talk.heard = self._clock()
        self._talks.move_to_end(id(talk))
        talk.inbox += data
        while talk.open and len(talk.inbox) >= 2:
            (length,) = struct.unpack_from(">H", talk.inbox)
            if len(talk.inbox) < 2 + length:
                return
            query = bytes(talk.inbox[2 : 2 + length])
            del talk.inbox[: 2 + length]
            self._resolve(query, talk.owner, lambda answer: self._reply(talk, answer), tcp=True)

    def _reply(self, talk: Talk[Owner], answer: bytes) -> None:
        if not talk.open or not answer:
            return
        waiting = bool(talk.outbox)
        talk.outbox += struct.pack(">H", len(answer)) + answer
        if len(talk.outbox) > OUTBOX:
            self.close(talk)  # it asks and asks and does not listen
        elif not waiting:
            self._write(talk)

    def _write(self, talk: Talk[Owner]) -> None:
        try:
            sent = talk.connection.send(talk.outbox)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close(talk)
            return
        del talk.outbox[:sent]
        call = (lambda: self._write(talk)) if talk.outbox else None
        self._loop.watch_writable(talk.connection, call)
