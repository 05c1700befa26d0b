"""The engine's side of the network worker, on trio: one request at a time, in order."""

from __future__ import annotations

import array
import json
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator


class NetworkWorkerError(Exception):
    """The worker could not do what was asked; nothing of it is in effect."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class NetworkWorker:
    """Sends operations and waits for their results."""

    def __init__(self, channel: trio.socket.SocketType, table: str) -> None:
        self._channel = channel
        self._table = table
        self._turn = trio.Lock()

    async def perform(self, op: str, *fds: int, **fields: Any) -> Any:
        """One operation. Raises NetworkWorkerError."""
        message = json.dumps({"op": op, "table": self._table, **fields}).encode()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        # Once sent, the answer must be taken by whoever sent, or the next one would get it.
        with trio.CancelScope(shield=True):
            async with self._turn:
                try:
                    await self._channel.sendmsg([message], rights)
                    answer = await self._channel.recv(1 << 16)
                except OSError as error:
                    raise NetworkWorkerError(f"the network worker is gone: {error}") from error
        if not answer:
            raise NetworkWorkerError("the network worker has died: restart the engine")
        result = json.loads(answer)
        if "error" in result:
            raise NetworkWorkerError(result["error"], result.get("errno"))
        return result["ok"]


@contextmanager
def open_worker(table: str, channel: socket.socket) -> Iterator[NetworkWorker]:
    """Talk to the worker at the channel's other end; it ends at the end. Links and rules stay."""
    with trio.socket.from_stdlib_socket(channel) as requests:
        yield NetworkWorker(requests, table)


def in_memory(document: Any) -> int:
    """A descriptor of a document as JSON, for an operation that takes a long one. The caller's to close."""
    memory = os.memfd_create("document", os.MFD_CLOEXEC)
    with open(memory, "w", closefd=False) as stream:
        json.dump(document, stream)
    os.lseek(memory, 0, os.SEEK_SET)
    return memory
