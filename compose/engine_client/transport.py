"""The engine's API on trio: calls, streams both ways, connections taken over. One pool a client.

Rules: a connection goes back to the pool only after an answer was read to its end; one that was
idle too long may have been closed by the engine, so a call that got no byte of an answer over a
used connection is sent once more over a new one. Cancelling closes the connection at hand.
"""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager

import trio

from compose.engine_client.call import Answer, Call, raise_for_status
from compose.engine_client.http1 import ResponseReader, WireError, encode_chunk, encode_head
from compose.errors import EngineUnreachableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from compose.engine_client.endpoint import Endpoint

CHUNK = 1 << 16


class Hijacked:
    """A connection that is no longer HTTP. `receive` gives b"" at the end; the owner closes it."""

    def __init__(self, stream: trio.SocketStream, rest: bytes, headers: dict[str, str]) -> None:
        self.stream = stream
        self.headers = headers
        self._rest = rest

    async def receive(self) -> bytes:
        """The next bytes of the peer."""
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        try:
            return bytes(await self.stream.receive_some(CHUNK))
        except trio.BrokenResourceError:
            return b""

    async def send(self, data: bytes) -> None:
        """Bytes to the peer; those sent after it left are lost, its answer says why."""
        try:
            await self.stream.send_all(data)
        except trio.BrokenResourceError:
            pass

    async def send_eof(self) -> None:
        """Close this direction only."""
        try:
            await self.stream.send_eof()
        except trio.BrokenResourceError:
            pass


class Body:
    """An answer's body: iterate over its pieces, once."""

    def __init__(
        self,
        endpoint: Endpoint,
        connection: trio.SocketStream,
        reader: ResponseReader,
        first: list[bytes],
    ) -> None:
        self._endpoint = endpoint
        self._connection = connection
        self._reader = reader
        self._ready = deque(first)

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        while not self._ready:
            if self._reader.done:
                raise StopAsyncIteration
            with _Mapped(self._endpoint):
                self._ready += self._reader.feed(await self._connection.receive_some(CHUNK))
        return self._ready.popleft()

    async def whole(self) -> bytes:
        """All that is left of it."""
        return b"".join([piece async for piece in self])


class Engine:
    """An engine whose version is known. Methods raise EngineRefusedError, EngineUnreachableError."""

    def __init__(self, endpoint: Endpoint, version: tuple[int, int]) -> None:
        self.endpoint = endpoint
        self.version = version
        self._idle: list[trio.SocketStream] = []

    async def aclose(self) -> None:
        """Close the idle connections."""
        while self._idle:
            await trio.aclose_forcefully(self._idle.pop())

    async def do(self, call: Call) -> Answer:
        """One call, its whole answer."""
        while True:
            used = bool(self._idle)
            connection = self._idle.pop() if used else await self._connect()
            reader = ResponseReader(call.method)
            try:
                body = await self._exchange(call, connection, reader)
            except (trio.BrokenResourceError, WireError) as error:
                await trio.aclose_forcefully(connection)
                if used and not reader.head_done:
                    continue
                raise EngineUnreachableError(f"the engine at {self.endpoint} went away") from error
            except BaseException:
                await trio.aclose_forcefully(connection)
                raise
            await self._give_back(connection, reader)
            raise_for_status(call, reader.status, body)
            return Answer(reader.status, reader.headers, body)

    @asynccontextmanager
    async def stream(
        self, call: Call, upload: AsyncIterator[bytes] | None = None
    ) -> AsyncIterator[Body]:
        """The body's pieces as they come; `upload` is a request body of unknown length."""
        connection = await self._connect()
        reader = ResponseReader(call.method)
        try:
            with _Mapped(self.endpoint):
                await self._send(call, connection, upload)
                first: list[bytes] = []
                while not reader.head_done:
                    first += reader.feed(await connection.receive_some(CHUNK))
                if reader.status >= 400:
                    while not reader.done:
                        first += reader.feed(await connection.receive_some(CHUNK))
                    raise_for_status(call, reader.status, b"".join(first))
            yield Body(self.endpoint, connection, reader, first)
        finally:
            await trio.aclose_forcefully(connection)

    async def hijack(self, call: Call) -> Hijacked:
        """Take over the connection; the caller closes its stream."""
        connection = await self._connect()
        reader = ResponseReader(call.method)
        try:
            with _Mapped(self.endpoint):
                await self._send(call, connection, None, upgrade=True)
                pieces: list[bytes] = []
                while not reader.head_done:
                    pieces += reader.feed(await connection.receive_some(CHUNK))
                if reader.status >= 400:
                    while not reader.done:
                        pieces += reader.feed(await connection.receive_some(CHUNK))
                    raise_for_status(call, reader.status, b"".join(pieces))
        except BaseException:
            await trio.aclose_forcefully(connection)
            raise
        return Hijacked(connection, b"".join(pieces) + reader.rest, reader.headers)

    async def _exchange(
        self, call: Call, connection: trio.SocketStream, reader: ResponseReader
    ) -> bytes:
        await self._send(call, connection, None)
        pieces: list[bytes] = []
        while not reader.done:
            pieces += reader.feed(await connection.receive_some(CHUNK))
        return b"".join(pieces)

    async def _send(
        self,
        call: Call,
        connection: trio.SocketStream,
        upload: AsyncIterator[bytes] | None,
        *,
        upgrade: bool = False,
    ) -> None:
        length = len(call.body) if upload is None else None
        target = call.target(self.version)
        head = encode_head(call.method, target, call.headers, length=length, upgrade=upgrade)
        await connection.send_all(head + call.body)
        if upload is None:
            return
        try:
            async for data in upload:
                if data:
                    await connection.send_all(encode_chunk(data))
            await connection.send_all(encode_chunk(b""))
        except trio.BrokenResourceError:
            pass  # refused before the body's end: the answer says why

    async def _connect(self) -> trio.SocketStream:
        endpoint = self.endpoint
        try:
            if endpoint.path:
                return await trio.open_unix_socket(endpoint.path)
            return await trio.open_tcp_stream(endpoint.host, endpoint.port)
        except OSError as error:
            raise EngineUnreachableError(
                f"no engine answers at {endpoint}: {error.strerror or error}"
            ) from error

    async def _give_back(self, connection: trio.SocketStream, reader: ResponseReader) -> None:
        if reader.reusable:
            self._idle.append(connection)
        else:
            await trio.aclose_forcefully(connection)


class _Mapped:
    """Turns a broken connection into EngineUnreachableError, at this one border."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, trio.BrokenResourceError | WireError):
            raise EngineUnreachableError(f"the engine at {self._endpoint} went away") from error
