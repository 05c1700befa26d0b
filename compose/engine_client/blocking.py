"""The engine's API without an event loop, for commands of a few calls: `ps` must not wait for trio.

Several calls at once go over several connections: all are sent before the first answer is read, so
the engine works on them side by side though nothing here runs in parallel. The sockets are the
interpreter's bare ones (`_socket`): what `socket` adds is not used, and takes 3 ms to import.
"""

from __future__ import annotations

import _socket

from compose.engine_client.call import Answer, Call, negotiate, raise_for_status
from compose.engine_client.calls import PING
from compose.engine_client.http1 import ResponseReader, WireError, encode_chunk, encode_head
from compose.errors import EngineUnreachableError
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from compose.engine_client.endpoint import Endpoint

CHUNK = 1 << 16
#: Connections for calls made at once; more would only queue inside the engine.
PARALLEL = 8
#: Methods that change nothing (RFC 9110, 9.2.1).
QUESTIONS = ("GET", "HEAD")


class Pending(Record):
    """A call that was sent, and where its answer will come."""

    call: Call
    connection: _socket.socket


class Exchange:
    """A call under way: its answer is read when there is something to read, by who polls."""

    def __init__(self, client: BlockingClient, call: Call, connection: _socket.socket) -> None:
        self._client = client
        self._call = call
        self._connection = connection
        self._reader = ResponseReader(call.method)
        self._pieces: list[bytes] = []

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._connection.fileno()

    def receive(self) -> Answer | None:
        """Read once; the answer when it is whole. Raises EngineRefusedError, EngineUnreachableError."""
        self._pieces += self._client._feed(self._reader, self._connection)  # noqa: SLF001
        if not self._reader.done:
            return None
        body = b"".join(self._pieces)
        self._client._give_back(self._connection, self._reader)  # noqa: SLF001
        raise_for_status(self._call, self._reader.status, body)
        return Answer(self._reader.status, self._reader.headers, body)

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        self._connection.close()


class BlockingClient:
    """Connections to one engine. Use as a context manager: it closes what is idle at the end.

    One that is `read_only` sends nothing that could change the engine's state.
    """

    def __init__(self, endpoint: Endpoint, *, read_only: bool = False) -> None:
        self.endpoint = endpoint
        self.read_only = read_only
        self.version: tuple[int, int] | None = None
        self._idle: list[_socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def ping(self) -> None:
        """Ask for the engine's version, and speak it from now on. Raises EngineUnreachableError."""
        answer = self.do(PING)
        self.version = negotiate(answer.headers.get("api-version", ""))

    def do(self, call: Call) -> Answer:
        """One call, its whole answer. Raises EngineRefusedError."""
        return self.do_all([call])[0]

    def do_all(self, calls: Sequence[Call]) -> list[Answer]:
        """Several calls at once; the first refusal is raised after all answers are in."""
        answers: list[Answer] = []
        for start in range(0, len(calls), PARALLEL):
            batch = calls[start : start + PARALLEL]
            sent = [(call, self._send(call)) for call in batch]
            answers += [self._receive(call, connection) for call, connection in sent]
        for call, answer in zip(calls, answers, strict=True):
            raise_for_status(call, answer.status, answer.body)
        return answers

    def begin(self, call: Call) -> Pending:
        """Send a call whose answer is read later, with `finish`; it has a connection of its own."""
        return Pending(call, self._send(call))

    def open(self, call: Call) -> Exchange:
        """Send a call whose answer is read piece by piece, beside those of others."""
        return Exchange(self, call, self._send(call))

    def finish(self, pending: Pending) -> Answer:
        """The answer to a call that was begun. Raises EngineRefusedError."""
        answer = self._receive(pending.call, pending.connection)
        raise_for_status(pending.call, answer.status, answer.body)
        return answer

    def finish_each(self, pending: Sequence[Pending]) -> Iterator[tuple[Pending, Answer]]:
        """The answers to calls that were begun, in the order in which they come to their ends."""
        import select

        readers = {
            one.connection.fileno(): (one, ResponseReader(one.call.method)) for one in pending
        }
        pieces: dict[int, list[bytes]] = {number: [] for number in readers}
        poll = select.poll()
        for number in readers:
            poll.register(number, select.POLLIN)
        while readers:
            for number, _ in poll.poll():
                one, reader = readers[number]
                pieces[number] += self._feed(reader, one.connection)
                if not reader.done:
                    continue
                poll.unregister(number)
                del readers[number]
                body = b"".join(pieces[number])
                self._give_back(one.connection, reader)
                raise_for_status(one.call, reader.status, body)
                yield one, Answer(reader.status, reader.headers, body)

    def upload(self, call: Call, body: Iterator[bytes]) -> Iterator[bytes]:
        """A call with a body of unknown length; the pieces of the answer as they come."""
        connection = self._connect()
        target = call.target(self.version)
        try:
            connection.sendall(encode_head(call.method, target, call.headers, length=None))
            for data in body:
                if data:
                    connection.sendall(encode_chunk(data))
            connection.sendall(encode_chunk(b""))
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the body's end: the answer says why
        return self._read(call, connection)

    def stream(self, call: Call) -> Iterator[bytes]:
        """The pieces of an answer's body as they come. Raises EngineRefusedError at the start."""
        return self._read(call, self._send(call))

    def _read(self, call: Call, connection: _socket.socket) -> Iterator[bytes]:
        reader = ResponseReader(call.method)
        refused = bytearray()
        try:
            while not reader.done:
                for piece in self._feed(reader, connection):
                    if reader.status < 400:
                        yield piece
                    else:
                        refused += piece
        finally:
            self._give_back(connection, reader)
        raise_for_status(call, reader.status, bytes(refused))

    def hijack(self, call: Call) -> tuple[socket.socket, bytes, dict[str, str]]:
        """Take over the connection: the socket, what came with the head, and the head's headers."""
        connection = self._send(call, upgrade=True)
        reader = ResponseReader(call.method)
        while not reader.head_done:
            pieces = self._feed(reader, connection)
            if reader.head_done and reader.status >= 400:
                body = b"".join(pieces)
                while not reader.done:
                    body += b"".join(self._feed(reader, connection))
                connection.close()
                raise_for_status(call, reader.status, body)
            if reader.head_done:
                import socket

                taken = socket.socket(fileno=connection.detach())
                return taken, b"".join(pieces) + reader.rest, reader.headers
        raise AssertionError("unreachable")

    def _send(self, call: Call, *, upgrade: bool = False) -> _socket.socket:
        if self.read_only and call.method not in QUESTIONS:
            raise AssertionError(f"{call.method} {call.path} from a client that is read-only")
        connection = self._idle.pop() if self._idle and not upgrade else self._connect()
        head = encode_head(
            call.method,
            call.target(self.version),
            call.headers,
            length=len(call.body),
            upgrade=upgrade,
        )
        try:
            connection.sendall(head + call.body)
        except OSError as error:
            connection.close()
            raise EngineUnreachableError(self._lost(error)) from error
        return connection

    def _connect(self) -> _socket.socket:
        endpoint = self.endpoint
        try:
            if not endpoint.path:
                import socket

                return socket.create_connection((endpoint.host, endpoint.port))
            connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
            try:
                connection.connect(endpoint.path)
            except OSError:
                connection.close()
                raise
            return connection
        except OSError as error:
            raise EngineUnreachableError(
                f"no engine answers at {endpoint}: {error.strerror or error}"
            ) from error

    def _receive(self, call: Call, connection: _socket.socket) -> Answer:
        reader = ResponseReader(call.method)
        pieces: list[bytes] = []
        while not reader.done:
            pieces += self._feed(reader, connection)
        self._give_back(connection, reader)
        return Answer(reader.status, reader.headers, b"".join(pieces))

    def _feed(self, reader: ResponseReader, connection: _socket.socket) -> list[bytes]:
        try:
            return reader.feed(connection.recv(CHUNK))
        except (OSError, WireError) as error:
            connection.close()
            raise EngineUnreachableError(self._lost(error)) from error

    def _give_back(self, connection: _socket.socket, reader: ResponseReader) -> None:
        if reader.reusable:
            self._idle.append(connection)
        else:
            connection.close()

    def _lost(self, error: Exception) -> str:
        return f"the engine at {self.endpoint} went away: {error}"
