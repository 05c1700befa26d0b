"""The endpoint of BuildKit's clients for their sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.api.exchange import Exchange


async def session(engine: Engine, exchange: Exchange) -> None:
    """POST /session: the connection becomes HTTP/2, with us as the client."""
    from engine.api.buildkit.grpc import Connection  # h2 is for BuildKit's clients only

    name = exchange.request.headers.get("x-docker-expose-session-uuid", "")
    if not name or exchange.request.headers.get("upgrade", "").lower() != "h2c":
        raise InvalidRequestError("a session needs an id and an upgrade to h2c")
    async for _ in exchange.body():
        pass
    stream = await exchange.switch({"Connection": "Upgrade", "Upgrade": "h2c"})
    connection = Connection(stream, client=True, early=exchange.early())
    async with trio.open_nursery() as nursery:
        await nursery.start(connection.run)
        async with engine.sessions.holding(name, connection):
            await connection.closed.wait()
        nursery.cancel_scope.cancel()
