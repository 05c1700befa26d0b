"""gRPC on a connection that both ends hold already: HTTP/2 by h2, messages by their 5-byte heads.

Rules: one task reads; whoever sends waits for the peer's window; what a stream's owner has not taken
is bounded by not giving the peer its window back. Source: gRPC over HTTP/2 (PROTOCOL-HTTP2.md).
"""

from __future__ import annotations

import math
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trio

from engine.api.buildkit.errors import OK, UNAVAILABLE, UNKNOWN, GrpcError
from engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

#: Bytes of messages a stream may hold that nobody has taken; a message may be this long.
BACKLOG, MESSAGE_LIMIT = 4 << 20, 64 << 20
Headers = list[tuple[str, str]]


class Stream:
    """One call. `headers` are the request's (server side)."""

    def __init__(self, connection: Connection, number: int, headers: dict[str, str]) -> None:
        self.headers = headers
        self._connection = connection
        self._number = number
        self._buffer = bytearray()
        self._put, self._get = trio.open_memory_channel[bytes](math.inf)
        self._backlog = 0
        self._owed = 0
        self._answered = False
        self.trailers: dict[str, str] = {}
        self.window = trio.Event()
        self.scope = trio.CancelScope()

    async def receive(self) -> bytes | None:
        """The next message, None at the end. Raises GrpcError for a call that failed (client side)."""
        if self._owed and self._backlog < BACKLOG:
            owed, self._owed = self._owed, 0
            await self._connection.give_back(self._number, owed)
        try:
            message = await self._get.receive()
        except trio.EndOfChannel:
            status = self.trailers.get("grpc-status", "0")
            if status != "0":
                text = unquote(self.trailers.get("grpc-message", ""))
                raise GrpcError(int(status), text) from None
            return None
        self._backlog -= len(message)
        return message

    def take_now(self) -> list[bytes]:
        """The messages that are here already."""
        found: list[bytes] = []
        while True:
            try:
                found.append(self._get.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        self._backlog -= sum(map(len, found))
        return found

    async def send(self, message: bytes) -> None:
        """One message, when the peer has room for it."""
        if not self._answered:
            self._answered = True
            await self._connection.answer(self._number)
        await self._connection.send_data(
            self._number, struct.pack(">BI", 0, len(message)) + message
        )

    async def end(self) -> None:
        """Nothing more is sent (client side)."""
        await self._connection.end(self._number)

    async def finish(self, code: int = OK, message: str = "") -> None:
        """The call's end (server side)."""
        await self._connection.finish(self._number, code, message, answered=self._answered)

    def feed(self, data: bytes, flow: int) -> int:
        """Bytes of the peer; how much of its window it gets back at once. Raises GrpcError."""
        self._buffer += data
        while len(self._buffer) >= 5:
            compressed, size = struct.unpack_from(">BI", self._buffer)
            if compressed or size > MESSAGE_LIMIT:
                raise GrpcError(UNKNOWN, "a message is compressed or too long")
            if len(self._buffer) < 5 + size:
                break
            self._backlog += size
            self._put.send_nowait(bytes(self._buffer[5 : 5 + size]))
            del self._buffer[: 5 + size]
        if self._backlog < BACKLOG:
            return flow
        self._owed += flow
        return 0

    def close(self) -> None:
        """The peer sends nothing more."""
        self._put.close()


Handler = "Callable[[str, Stream], Awaitable[None]]"


class Connection:
    """One HTTP/2 connection; `serve` answers calls, `call` makes them."""

    def __init__(self, transport: trio.abc.Stream, *, client: bool, early: bytes = b"") -> None:
        config = h2.config.H2Configuration(client_side=client, header_encoding="utf-8")
        self._h2 = h2.connection.H2Connection(config)
        self._transport = transport
        self._early = early
        self._streams: dict[int, Stream] = {}
        self._sending = trio.Lock()
        self._due = trio.Event()
        self.closed = trio.Event()

    async def run(
        self,
        handler: Callable[[str, Stream], Awaitable[None]] | None = None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Read until the peer is gone; each call to us is a task."""
        self._h2.initiate_connection()
        self._h2.update_settings({
            h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: BACKLOG,
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1000,
        })  # fmt: skip
        self._h2.increment_flow_control_window(BACKLOG)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                task_status.started()
                data = self._early
                while data or (data := await self._receive()):
                    for event in self._h2.receive_data(data):
                        self._take(event, handler, nursery)
                    self._due.set()
                    data = b""
                nursery.cancel_scope.cancel()
        except* (h2.exceptions.ProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # whoever waits is told below that the connection is gone
        finally:
            for stream in self._streams.values():
                stream.trailers.setdefault("grpc-status", str(UNAVAILABLE))
                stream.trailers.setdefault("grpc-message", "the client has gone")
                stream.window.set()
                stream.close()
            self.closed.set()

    async def _write(self) -> None:
        """Send what reading has brought about; reading itself never waits for the peer to read."""
        while True:
            await self._flush()
            await self._due.wait()
            self._due = trio.Event()

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._transport.receive_some(1 << 16))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    def _take(self, event: Any, handler: Any, nursery: trio.Nursery) -> None:
        match event:
            case h2.events.RequestReceived():
                headers = {str(key): str(value) for key, value in event.headers}
                stream = self._streams[event.stream_id] = Stream(self, event.stream_id, headers)
                nursery.start_soon(self._serve, handler, stream)
            case h2.events.StreamReset():
                gone = self._streams.pop(event.stream_id, None)
                if gone is not None:
                    gone.trailers.setdefault("grpc-status", str(UNAVAILABLE))
                    gone.window.set()
                    gone.close()
                    gone.scope.cancel()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                for stream in self._streams.values():
                    stream.window.set()
            case _ if getattr(event, "stream_id", None) in self._streams:
                self._take_of(self._streams[event.stream_id], event)
            case h2.events.DataReceived():  # of a call that was left
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case _:
                pass

    def _take_of(self, stream: Stream, event: Any) -> None:
        """What comes for a call that is under way."""
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                stream.trailers.update({str(k): str(v) for k, v in event.headers})
            case h2.events.DataReceived():
                back = stream.feed(event.data, event.flow_controlled_length)
                if back:
                    self._h2.acknowledge_received_data(back, event.stream_id)
            case h2.events.StreamEnded():
                stream.close()
            case _:
                pass

    async def _serve(self, handler: Any, stream: Stream) -> None:
        try:
            with stream.scope:
                await handler(stream.headers.get(":path", ""), stream)
        except GrpcError as error:
            await stream.finish(error.code, error.message)
        except EngineError as error:
            await stream.finish(UNKNOWN, str(error))
        else:
            await stream.finish()

    @asynccontextmanager
    async def call(
        self, path: str, metadata: Sequence[tuple[str, str]] = ()
    ) -> AsyncIterator[Stream]:
        """Make a call; left early, it is cancelled."""
        if self.closed.is_set():
            raise GrpcError(UNAVAILABLE, "the client has gone")
        number = self._h2.get_next_available_stream_id()
        stream = self._streams[number] = Stream(self, number, {})
        stream._answered = True  # noqa: SLF001 -- a client has nothing to answer
        self._h2.send_headers(number, [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
            ("content-type", "application/grpc"), ("te", "trailers"), *metadata,
        ])  # fmt: skip
        try:
            await self._flush()
            yield stream
        finally:
            self._streams.pop(number, None)
            with trio.CancelScope(shield=True), trio.move_on_after(1):
                await self._quietly(self._h2.reset_stream, number, h2.errors.ErrorCodes.CANCEL)

    async def unary(
        self, path: str, message: bytes, metadata: Sequence[tuple[str, str]] = ()
    ) -> bytes:
        """A call of one message each way. Raises GrpcError."""
        async with self.call(path, metadata) as stream:
            await stream.send(message)
            await stream.end()
            answer = await stream.receive()
            return answer or b""

    async def answer(self, number: int) -> None:
        """The head of an answer."""
        head = [(":status", "200"), ("content-type", "application/grpc")]
        await self._quietly(self._h2.send_headers, number, head)

    async def finish(self, number: int, code: int, message: str, *, answered: bool) -> None:
        """An answer's trailers; alone, where nothing was answered."""
        head = [] if answered else [(":status", "200"), ("content-type", "application/grpc")]
        trailers = [
            *head,
            ("grpc-status", str(code)),
            ("grpc-message", quote(message, safe=" /:'()\"=,.")),
        ]
        await self._quietly(lambda: self._h2.send_headers(number, trailers, end_stream=True))
        self._streams.pop(number, None)

    async def end(self, number: int) -> None:
        """Half-close."""
        await self._quietly(self._h2.end_stream, number)

    async def send_data(self, number: int, data: bytes) -> None:
        """Bytes of a stream, as the peer's windows allow. Raises GrpcError if it is gone."""
        view = memoryview(data)
        while view:
            stream = self._streams.get(number)
            if stream is None or self.closed.is_set():
                raise GrpcError(UNAVAILABLE, "the client has gone")
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if room <= 0:
                stream.window = trio.Event()
                await stream.window.wait()
                continue
            self._h2.send_data(number, bytes(view[:room]))
            view = view[room:]
            await self._flush()

    async def give_back(self, number: int, size: int) -> None:
        """Let the peer send more."""
        await self._quietly(self._h2.acknowledge_received_data, size, number)

    async def _quietly(self, action: Any, *arguments: Any) -> None:
        """Something that means nothing any more once the stream or the peer is gone."""
        try:
            action(*arguments)
            await self._flush()
        except (h2.exceptions.ProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _flush(self) -> None:
        async with self._sending:
            data = self._h2.data_to_send()
            if data:
                await self._transport.send_all(data)
