"""RUN --mount=type=ssh: a socket for the container, each connection carried to the client's agent."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from engine.build.mount_flags import MountWish

_CHUNK = 1 << 15


async def serve_agent(
    path: Path,
    wish: MountWish,
    connect: Callable[[], AbstractAsyncContextManager[trio.abc.HalfCloseableStream]],
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen until cancelled. A connection ends when either side ends it."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        server.bind(f"/proc/self/fd/{folder}/{path.name}")  # a socket's path is at most 107 bytes
    finally:
        os.close(folder)
    os.chown(path, wish.uid, wish.gid)
    os.chmod(path, wish.mode)  # noqa: PTH101 -- one call, that does not wait
    server.listen(16)
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(server))
    async with listener, trio.open_nursery() as nursery:
        task_status.started()
        while True:
            inside = await listener.accept()
            nursery.start_soon(_carry, inside, connect)


async def _carry(
    inside: trio.SocketStream,
    connect: Callable[[], AbstractAsyncContextManager[trio.abc.HalfCloseableStream]],
) -> None:
    try:
        async with inside, connect() as agent, trio.open_nursery() as nursery:
            nursery.start_soon(_pump, inside, agent)
            await _pump(agent, inside)
            nursery.cancel_scope.cancel()
    except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the agent is gone: whoever asks sees the connection end


async def _pump(source: trio.abc.ReceiveStream, target: trio.abc.HalfCloseableStream) -> None:
    while data := await source.receive_some(_CHUNK):
        await target.send_all(data)
    await target.send_eof()
