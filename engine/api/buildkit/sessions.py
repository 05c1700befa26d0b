"""BuildKit sessions: what a client offers during its builds, on a connection of its own (POST /session).

It offers folders (filesync), secrets, ssh agents and registry credentials; we call it.
Sources: moby/buildkit session/{secrets,sshforward,auth}.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from engine.api.buildkit.errors import NOT_FOUND, UNAVAILABLE, UNIMPLEMENTED, GrpcError
from engine.api.buildkit.protobuf import Message, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from engine.api.buildkit.grpc import Connection

#: Seconds that a build waits for its session.
PATIENCE = 10


class Sessions:
    """The sessions of one engine, by id."""

    def __init__(self) -> None:
        self._open: dict[str, Connection] = {}
        self._news = trio.Event()

    @asynccontextmanager
    async def holding(self, name: str, connection: Connection) -> AsyncIterator[None]:
        """The session is found while inside."""
        self._open[name] = connection
        self._news.set()
        self._news = trio.Event()
        try:
            yield
        finally:
            del self._open[name]

    async def find(self, name: str) -> Connection:
        """A session, waited for. Raises GrpcError."""
        with trio.move_on_after(PATIENCE):
            while name not in self._open:
                await self._news.wait()
            return self._open[name]
        raise GrpcError(UNAVAILABLE, f"no active session for {name}")


@dataclass(frozen=True, slots=True)
class SessionGiver:
    """What a build asks its client for."""

    connection: Connection

    async def secret(self, name: str) -> bytes | None:
        """A secret's content, None if there is none of that name. Raises GrpcError."""
        path = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
        try:
            return Message(await self.connection.unary(path, encode((1, name)))).data(1)
        except GrpcError as error:
            if error.code in (NOT_FOUND, UNIMPLEMENTED) or "not found" in error.message:
                return None
            raise

    async def has_agent(self, name: str) -> bool:
        """Whether the client has an agent of that name."""
        try:
            await self.connection.unary("/moby.sshforward.v1.SSH/CheckAgent", encode((1, name)))
        except GrpcError:
            return False
        return True

    def agent(self, name: str) -> AbstractAsyncContextManager[trio.abc.HalfCloseableStream]:
        """A new connection to an agent."""
        return self._forwarded(name)

    async def credentials(self, host: str) -> dict[str, str]:
        """A registry's credentials as the client has them; {} for none."""
        asked = "registry-1.docker.io" if host == "docker.io" else host
        path = "/moby.filesync.v1.Auth/Credentials"
        try:
            found = Message(await self.connection.unary(path, encode((1, asked))))
        except GrpcError:
            return {}
        return {"username": found.text(1), "password": found.text(2)} if found.data(2) else {}

    @asynccontextmanager
    async def _forwarded(self, name: str) -> AsyncIterator[trio.abc.HalfCloseableStream]:
        path = "/moby.sshforward.v1.SSH/ForwardAgent"
        async with self.connection.call(path, [("buildkit.ssh.id", name)]) as stream:
            yield Forwarded(stream)


class Forwarded(trio.abc.HalfCloseableStream):
    """Bytes in BytesMessages."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._rest = b""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes, b"" at the end."""
        while not self._rest:
            try:
                message = await self._stream.receive()
            except GrpcError as error:
                raise trio.BrokenResourceError from error
            if message is None:
                return b""
            self._rest = Message(message).data(1)
        size = max_bytes or len(self._rest)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes to the agent."""
        try:
            await self._stream.send(encode((1, bytes(data))))
        except GrpcError as error:
            raise trio.BrokenResourceError from error

    async def wait_send_all_might_not_block(self) -> None:
        """It never is known."""
        await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        """Half-close."""
        await self._stream.end()

    async def aclose(self) -> None:
        """The call's owner closes it."""
        await trio.lowlevel.checkpoint()
