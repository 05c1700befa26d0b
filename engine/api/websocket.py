"""A client that speaks WebSocket (RFC 6455): the handshake, and its messages as a stream of bytes.

The protocol is wsproto's; this room owns the socket. An opening handshake without a key is a 400.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from engine.api.exchange import Exchange


async def accept_websocket(exchange: Exchange) -> WebSocketClient:
    """Answer the handshake. Raises InvalidRequestError if the request is none."""
    headers = exchange.request.headers
    key = headers.get("sec-websocket-key", "")
    if headers.get("upgrade", "").lower() != "websocket" or not key:
        raise InvalidRequestError("this is a WebSocket: the request must ask to upgrade to it")
    answer: dict[str, str] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": str(generate_accept_token(key.encode()), "ascii"),
    }
    stream = await exchange.switch(answer)
    return WebSocketClient(stream, exchange.early())


class WebSocketClient:
    """Its messages, whatever their kind, are the stream."""

    def __init__(self, stream: trio.SocketStream, early: bytes) -> None:
        self._stream = stream
        self._connection = Connection(ConnectionType.SERVER)
        self._closed = False
        if early:
            self._connection.receive_data(early)

    async def receive(self) -> bytes:
        """The next message; b"" when the client has closed."""
        try:
            while not self._closed:
                for event in self._connection.events():
                    data = await self._take(event)
                    if data:
                        return data
                chunk = await self._stream.receive_some(1 << 16)
                self._connection.receive_data(chunk or None)
        except RemoteProtocolError as error:
            raise trio.BrokenResourceError from error
        return b""

    async def _take(self, event: object) -> bytes:
        match event:
            case BytesMessage(data=data):
                return bytes(data)
            case TextMessage(data=text):
                return text.encode()
            case Ping():
                await self._stream.send_all(self._connection.send(event.response()))
            case CloseConnection():
                self._closed = True
            case _:
                pass  # a pong
        return b""

    async def send(self, data: bytes) -> None:
        """A binary message."""
        try:
            await self._stream.send_all(self._connection.send(BytesMessage(data=data)))
        except LocalProtocolError as error:  # a close has gone by
            raise trio.BrokenResourceError from error

    async def finish(self) -> None:
        """A close: 1000, normal."""
        try:
            await self._stream.send_all(self._connection.send(CloseConnection(code=1000)))
        except LocalProtocolError:
            return  # the client was quicker

    async def wait_gone(self) -> None:
        """A WebSocket has no half-close: who has closed has gone."""
        if not self._closed:
            await trio.sleep_forever()
