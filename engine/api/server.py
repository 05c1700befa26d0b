"""HTTP over the unix socket: connections in, exchanges to the routes, errors as {"message": ...}.

One task per connection, owned by the server's nursery. An error of the engine's own tree becomes its
status; anything else is our bug: logged with its traceback, answered with 500.
"""

from __future__ import annotations

import re
import sys
import traceback
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

import h11
import trio

from engine.api.exchange import API_VERSION, CHUNK, MIN_API_VERSION, Exchange, Request, Response
from engine.errors import LIMITS, EngineError, InvalidRequestError, NotModifiedError, of_host

if TYPE_CHECKING:
    from engine.api.routes import Router

_VERSION = re.compile(r"/v(\d+)\.(\d+)(/.*)")
_SLASHES = re.compile("//+")
HEAD_LIMIT = 1 << 16


def parse_version(text: str) -> tuple[int, int]:
    """ "1.51" -> (1, 51)."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


class Server:
    """Serves connections of one engine."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, from its first request to its end."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        try:
            async with stream:
                while await self._next(connection, stream):
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            pass  # the client has gone, or speaks no HTTP
        except ExceptionGroup as group:
            if group.split((trio.BrokenResourceError, trio.ClosedResourceError))[1] is not None:
                raise

    async def _next(self, connection: h11.Connection, stream: trio.SocketStream) -> bool:
        """Answer one request; False when the connection is done."""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await stream.receive_some(CHUNK)
                connection.receive_data(data)
                if not data and connection.their_state in (h11.IDLE, h11.CLOSED):
                    return False
            elif isinstance(event, h11.Request):
                break
            else:
                return False
        request = read_request(event)
        exchange = Exchange(connection, stream, request)
        await self._answer(exchange)
        if exchange.hijacked:
            return False
        try:
            async for _ in exchange.body():
                pass
            connection.start_next_cycle()
        except h11.ProtocolError:
            return False
        return True

    async def _answer(self, exchange: Exchange) -> None:
        try:
            check_version(exchange.request)
            response = await self._router.dispatch(exchange)
            if response is not None:
                await exchange.respond(response)
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError):
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, one request must not end the engine
            await self._refuse(exchange, as_engine_error(error))

    async def _refuse(self, exchange: Exchange, error: Exception) -> None:
        if not isinstance(error, EngineError):  # our bug
            print("error in", exchange.request.method, exchange.request.path, file=sys.stderr)  # noqa: T201  # the engine's log
            traceback.print_exception(error)
            words = f"internal error: {type(error).__name__}: {error} (see the engine's log)"
            error = EngineError(words)
        if exchange.answered:
            return  # the head is out; the client sees an answer without an end
        document = None if isinstance(error, NotModifiedError) else {"message": str(error)}
        await exchange.respond(Response(error.status, document))


def as_engine_error(error: Exception) -> Exception:
    """An error out of nurseries, and the host's limits in words; anything else as it is.

    Connections that broke are raised again as what they are.
    """
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, trio.BrokenResourceError | trio.ClosedResourceError):
        raise error
    return of_host(error) if isinstance(error, OSError) and error.errno in LIMITS else error


def read_request(event: h11.Request) -> Request:
    """The head, its version taken off the path."""
    target = event.target.decode("ascii", "replace")
    path, _, query = target.partition("?")
    match = _VERSION.fullmatch(path)
    version = parse_version(API_VERSION)
    if match:
        version = (int(match[1]), int(match[2]))
        path = match[3]
    headers = {
        key.decode("latin-1").lower(): value.decode("latin-1") for key, value in event.headers
    }
    return Request(
        event.method.decode("ascii"),
        _SLASHES.sub("/", unquote(path)),
        version,
        parse_qs(query, keep_blank_values=True),
        headers,
    )


def check_version(request: Request) -> None:
    """Refuse clients that are too new or too old. Raises InvalidRequestError."""
    text = f"{request.version[0]}.{request.version[1]}"
    if request.version > parse_version(API_VERSION):
        raise InvalidRequestError(
            f"client version {text} is too new. Maximum supported API version is {API_VERSION}"
        )
    if request.version < parse_version(MIN_API_VERSION):
        raise InvalidRequestError(
            f"client version {text} is too old. Minimum supported API version is {MIN_API_VERSION}, "
            "please upgrade your client to a newer version"
        )
