"""A forward proxy of a test's own: plain requests go on to a fake registry, tunnels end in TLS here.

Whatever name is asked for, the registry behind it answers: so a test can use names that nobody can
resolve, and what arrives has come through the proxy.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from tests.fakes.registry import Registry


@dataclass
class Proxy:
    """`tls` is for tunnels, which are refused without it; `refusal` is a status line for everything."""

    registry: Registry
    tls: ssl.SSLContext | None = None
    refusal: str = ""
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)  # method, target
    given: set[str] = field(default_factory=set)  # Proxy-Authorization

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection: one tunnel, or one request."""
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = await stream.receive_some(65536)
                if not piece:
                    return
                head += piece
            first, _, rest = head.partition(b"\r\n")
            method, target, _ = first.decode().split(" ")
            self.asked.append((method, target))
            for line in rest.decode().split("\r\n"):
                name, _, value = line.partition(": ")
                if name.lower() == "proxy-authorization":
                    self.given.add(value)
            refusal = self.refusal or (
                "502 Bad Gateway" if method == "CONNECT" and not self.tls else ""
            )
            if refusal:
                await stream.send_all(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            elif method == "CONNECT" and self.tls:
                await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
                tunnel = trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)
                await self.registry.serve(tunnel)  # type: ignore[arg-type]
            else:
                path = "/" + target.split("/", 3)[3]
                ahead = f"{method} {path} HTTP/1.1\r\nConnection: close\r\n".encode()
                kept = [line for line in rest.split(b"\r\n") if b"onnection:" not in line]
                await self._pass_on(stream, ahead + b"\r\n".join(kept))

    async def _pass_on(self, stream: trio.SocketStream, request: bytes) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", self.registry.port) as there:
            await there.send_all(request)
            async for piece in there:
                await stream.send_all(piece)


@asynccontextmanager
async def running_proxy(
    registry: Registry, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Proxy]:
    """One on a free port of loopback."""
    proxy = Proxy(registry, tls)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        proxy.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, proxy.serve, listeners)
        yield proxy
        nursery.cancel_scope.cancel()
