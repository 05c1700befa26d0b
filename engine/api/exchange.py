"""One request and its answer, as handlers see them: a JSON document, a stream, or the raw connection.

HTTP itself is h11's; this room owns the socket. A handler either returns a Response or takes the
answer into its own hands (`stream`, `hijack`), which it says by returning None.
"""

from __future__ import annotations

import fcntl
import json
import termios
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h11
import trio

from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

API_VERSION, MIN_API_VERSION = "1.51", "1.24"
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"
JSON_LIMIT = 16 << 20
CHUNK = 1 << 16
#: Seconds that a client gets to read the head of an answer before its stream begins.
HEAD_PATIENCE = 2.0
#: Elements of a list that are encoded at once.
PIECE = 64
#: Bytes of JSON from which it is read in a thread.
LARGE = 1 << 17


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. `document` None means no body."""

    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request; `path` without the version, `query` with every value."""

    method: str
    path: str
    version: tuple[int, int]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        """A query parameter's last value."""
        values = self.query.get(name)
        return values[-1] if values else default

    def all(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return list(self.query.get(name, ()))

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean in Docker's notation: absent is the default; "", 0, false, no, none are false."""
        if name not in self.query:
            return default
        return self.text(name).strip().lower() not in ("", "0", "no", "false", "none")

    def number(self, name: str, default: int | None = None) -> int | None:
        """An integer. Raises InvalidRequestError."""
        value = self.text(name)
        if value == "":
            return default
        try:
            return int(value)
        except ValueError as error:
            raise InvalidRequestError(f"invalid value for {name}: {value!r}") from error

    def size(self) -> tuple[int, int]:
        """A terminal's size: (rows, columns), both said. Raises InvalidRequestError."""
        rows, columns = self.number("h"), self.number("w")
        if rows is None or columns is None:
            which = "h" if rows is None else "w"
            raise InvalidRequestError(f"invalid resize: {which} is missing (give h and w)")
        return rows, columns

    def filters(self) -> dict[str, list[str]]:
        """The `filters` parameter: {"label": ["a=b"]} or the old {"label": {"a=b": true}}."""
        text = self.text("filters")
        if not text:
            return {}
        try:
            document = json.loads(text)
            return {
                key: [v for v, on in values.items() if on] if isinstance(values, dict) else [str(v) for v in values]
                for key, values in document.items()
            }  # fmt: skip
        except (ValueError, AttributeError, TypeError) as error:
            raise InvalidRequestError(f"invalid filters: {text!r}") from error


class Exchange:
    """A request's connection."""

    def __init__(
        self, connection: h11.Connection, stream: trio.SocketStream, request: Request
    ) -> None:
        self.request = request
        self._connection = connection
        self._stream = stream
        self.answered = False
        self.hijacked = False

    async def body(self) -> AsyncGenerator[bytes, None]:
        """The request's body in pieces."""
        if self._connection.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        while self._connection.their_state is h11.SEND_BODY:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await self._stream.receive_some(CHUNK))
            elif isinstance(event, h11.Data):
                yield bytes(event.data)

    async def json(self) -> Any:
        """The body as JSON; None if it is empty. Raises InvalidRequestError."""
        raw = bytearray()
        async for chunk in self.body():
            raw += chunk
            if len(raw) > JSON_LIMIT:
                raise InvalidRequestError("the request's body is too large")
        if not raw.strip():
            return None
        try:
            if len(raw) > LARGE:
                return await trio.to_thread.run_sync(json.loads, raw)
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise InvalidRequestError(f"invalid JSON in the request's body: {error}") from error

    async def respond(self, response: Response) -> None:
        """Send a whole answer."""
        body = b""
        headers = dict(response.headers)
        if response.document is not None:
            body = await _encode(response.document)
            headers.setdefault("Content-Type", "application/json")
        head = self._head(headers)
        if response.status not in (204, 304):
            head.append(("Content-Length", str(len(body))))
        events: list[Any] = [h11.Response(status_code=response.status, headers=head)]
        if body and self.request.method != "HEAD":
            events.append(h11.Data(data=body))
        await self._send(*events, h11.EndOfMessage())

    async def respond_text(self, text: str, headers: Mapping[str, str]) -> None:
        """A plain text, as Docker answers a ping."""
        length = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text))}
        events: list[Any] = [
            h11.Response(status_code=200, headers=self._head({**headers, **length}))
        ]
        if self.request.method != "HEAD":
            events.append(h11.Data(data=text.encode()))
        await self._send(*events, h11.EndOfMessage())

    @asynccontextmanager
    async def stream(
        self, content_type: str = "application/json", *, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[StreamedBody]:
        """A body that comes over time: the head goes out at once. Cancelled when the client hangs up."""
        async for _ in self.body():
            pass
        head = self._head({"Content-Type": content_type, **(headers or {})})
        await self._send(
            h11.Response(status_code=200, headers=[*head, ("Transfer-Encoding", "chunked")])
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._notice_hang_up, nursery.cancel_scope)
            yield StreamedBody(self, nursery.cancel_scope)
            nursery.cancel_scope.cancel()
        if self._connection.our_state is h11.SEND_BODY:
            with trio.CancelScope(shield=True), trio.move_on_after(5):
                await self._send(h11.EndOfMessage())

    async def hijack(self, content_type: str) -> trio.SocketStream:
        """Give HTTP up: the head goes out, the raw connection is the handler's. Body bytes that came
        early must have been read before (`early`)."""
        upgrade = "upgrade" in self.request.headers.get("connection", "").lower()
        self.hijacked = self.answered = True
        lines = "HTTP/1.1 101 UPGRADED" if upgrade else "HTTP/1.1 200 OK"
        head = [("Content-Type", content_type)]
        if upgrade:
            head += [("Connection", "Upgrade"), ("Upgrade", "tcp")]
        text = lines + "\r\n" + "".join(f"{k}: {v}\r\n" for k, v in head) + "\r\n"
        await self._stream.send_all(text.encode())
        await _until_taken(self._stream)
        return self._stream

    async def switch(self, headers: Mapping[str, str]) -> trio.SocketStream:
        """The same for another protocol: 101 with its headers."""
        self.hijacked = self.answered = True
        text = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        await self._stream.send_all(f"HTTP/1.1 101 Switching Protocols\r\n{text}\r\n".encode())
        return self._stream

    def early(self) -> bytes:
        """What the client sent behind its request, before it was hijacked."""
        data, _ = self._connection.trailing_data
        return data

    def _head(self, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        self.answered = True
        return [
            ("Api-Version", API_VERSION),
            ("Docker-Experimental", "false"),
            ("Ostype", "linux"),
            ("Server", "pycompose (linux)"),
            *headers.items(),
        ]

    async def _notice_hang_up(self, scope: trio.CancelScope) -> None:
        try:
            while await self._stream.receive_some(CHUNK):
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()

    async def _send(self, *events: Any) -> None:
        data = b"".join(filter(None, (self._connection.send(event) for event in events)))
        await self._stream.send_all(data)


async def _until_taken(stream: trio.SocketStream) -> None:
    """Until the client has read what was sent: what comes behind a head some clients lose (docker-py).

    A unix socket tells (SIOCOUTQ, tcp(7)); a client that does not read is not waited for long.
    """
    left = bytearray(4)
    with trio.move_on_after(HEAD_PATIENCE):
        while True:
            fcntl.ioctl(stream.socket.fileno(), termios.TIOCOUTQ, left)
            if not any(left):
                return
            await trio.sleep(0.0005)


async def _encode(document: Any) -> bytes:
    """JSON; a long list in pieces, so that others get their turn."""
    if not isinstance(document, list) or len(document) <= PIECE:
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"
    parts = []
    for start in range(0, len(document), PIECE):
        part = json.dumps(document[start : start + PIECE], separators=(",", ":"))
        parts.append(part[1:-1])
        await trio.lowlevel.checkpoint()
    return f"[{','.join(parts)}]\n".encode()


class StreamedBody:
    """Where a handler writes a body that comes over time."""

    def __init__(self, exchange: Exchange, scope: trio.CancelScope) -> None:
        self._exchange = exchange
        self._scope = scope

    async def send(self, data: bytes) -> None:
        """A piece, at once; cancelled where the client has hung up."""
        if not data:
            return
        try:
            await self._exchange._send(h11.Data(data=data))  # noqa: SLF001  # its own other half
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._scope.cancel()
            await trio.lowlevel.checkpoint()

    async def send_json(self, document: Any) -> None:
        """A JSON document on a line of its own."""
        await self.send(json.dumps(document, separators=(",", ":")).encode() + b"\r\n")
