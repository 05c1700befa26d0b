"""Folders of the client, fetched over its session: moby.filesync.v1.FileSync/DiffCopy.

Rules: what comes is not trusted: every path is resolved below the target's held descriptor without
following any symlink; owners are root's. Packets are written in a thread, as many as have come at once.
Source: the protocol of tonistiigi/fsutil (STAT of everything, REQ for contents, DATA, FIN).
"""
# ruff: noqa: PTH101

from __future__ import annotations

import os
import posixpath
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import trio

from engine.api.buildkit.protobuf import Message, encode
from engine.errors import EngineError, HostLimitError, InvalidRequestError
from engine.runtime import syscalls as sc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.api.buildkit.grpc import Connection

PATH = "/moby.filesync.v1.FileSync/DiffCopy"
STAT, REQ, DATA, FIN, ERR = range(5)
#: Bits of Go's os.FileMode.
DIR, SYMLINK, DEVICE, PIPE, SOCKET, CHAR = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24, 1 << 21
SPECIAL = ((1 << 23, stat.S_ISUID), (1 << 22, stat.S_ISGID), (1 << 20, stat.S_ISVTX))
_BENEATH = sc.RESOLVE_IN_ROOT | sc.RESOLVE_NO_MAGICLINKS


async def fetch(
    session: Connection,
    name: str,
    folder: Path,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> None:
    """Fetch the client's folder `name` into a new one, as patterns say. Raises EngineError."""
    await trio.to_thread.run_sync(folder.mkdir, 0o755)
    metadata = [("dir-name", name)]
    for key, values in (("include-patterns", include), ("exclude-patterns", exclude)):
        encoded = any(not value.isascii() for value in values)
        metadata += [(key, quote_plus(value) if encoded else value) for value in values]
        if encoded:
            metadata.append((f"{key}-encoded", "1"))
    writer = TreeWriter(folder)
    try:
        async with session.call(PATH, metadata) as stream:
            while not writer.done:
                first = await stream.receive()
                if first is None:
                    raise EngineError(f"the client has ended the transfer of {name}")
                packets = [first, *stream.take_now()]
                for number in await trio.to_thread.run_sync(writer.take, packets):
                    await stream.send(encode((1, REQ), (3, number)))
            await stream.send(encode((1, FIN)))
            while await stream.receive() is not None:
                pass
    finally:
        await trio.to_thread.run_sync(writer.close)


class TreeWriter:
    """A tree out of packets."""

    def __init__(self, folder: Path) -> None:
        self._root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._count = 0
        self._complete = False
        self._open: dict[int, tuple[str, int, int]] = {}
        self._files: dict[int, tuple[str, int, int]] = {}
        self._folders: list[tuple[str, int]] = []

    @property
    def done(self) -> bool:
        """Whether everything is here."""
        return self._complete and not self._files and not self._open

    def take(self, packets: Sequence[bytes]) -> list[int]:
        """Write; the numbers of files whose content is to be asked for. Raises EngineError."""
        wanted: list[int] = []
        try:
            for raw in packets:
                packet = Message(raw)
                kind = packet.number(1)
                if kind == STAT:
                    if packet.has(2):
                        self._stat(packet.message(2), wanted)
                    else:
                        self._complete = True
                elif kind == DATA:
                    self._data(packet.number(3), packet.data(4))
                elif kind == ERR:
                    raise EngineError(f"the client: {packet.text(4)}")
        except OSError as error:
            raise HostLimitError(f"cannot keep the build context: {error.strerror}") from error
        return wanted

    def close(self) -> None:
        """Set folders' times, close what is open."""
        for _, fd, _ in self._open.values():
            os.close(fd)
        if self.done:
            for path, moment in reversed(self._folders):
                fd = self._parent(path)
                os.utime(f"/proc/self/fd/{fd}", ns=(moment, moment))
                os.close(fd)
        os.close(self._root)

    def _stat(self, one: Message, wanted: list[int]) -> None:
        number, self._count = self._count, self._count + 1
        path = posixpath.normpath("/" + one.text(1)).lstrip("/")
        if not path:
            return
        mode, moment = one.number(2), one.number(6)
        permissions = mode & 0o777 | sum(bit for go, bit in SPECIAL if mode & go)
        folder, _, name = path.rpartition("/")
        parent = self._parent(folder)
        try:
            if mode & DIR:
                os.mkdir(name, 0o700, dir_fd=parent)
                os.chmod(f"/proc/self/fd/{parent}/{name}", permissions)
                self._folders.append((path, moment))
            elif mode & SYMLINK:
                os.symlink(one.text(7), name, dir_fd=parent)
                os.utime(name, ns=(moment, moment), dir_fd=parent, follow_symlinks=False)
            elif mode & PIPE:
                os.mkfifo(name, permissions, dir_fd=parent)
            elif mode & (DEVICE | SOCKET | CHAR):
                return  # a context holds no devices
            elif one.text(7):
                self._link(one.text(7), parent, name)
            else:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                fd = os.open(name, flags, 0o600, dir_fd=parent)
                os.fchmod(fd, permissions)
                os.close(fd)
                self._files[number] = (path, permissions, moment)
                wanted.append(number)
        finally:
            os.close(parent)

    def _link(self, target: str, parent: int, name: str) -> None:
        path = posixpath.normpath("/" + target)
        fd = sc.openat2(
            self._root, path, os.O_PATH | os.O_NOFOLLOW, _BENEATH | sc.RESOLVE_NO_SYMLINKS
        )
        try:
            os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=parent, follow_symlinks=True)
        finally:
            os.close(fd)

    def _parent(self, folder: str) -> int:
        flags = os.O_PATH | os.O_DIRECTORY
        return sc.openat2(self._root, f"/{folder}", flags, _BENEATH | sc.RESOLVE_NO_SYMLINKS)

    def _data(self, number: int, data: bytes) -> None:
        if number in self._files:
            path, _, moment = self._files.pop(number)
            flags = os.O_WRONLY | os.O_NOFOLLOW
            fd = sc.openat2(self._root, f"/{path}", flags, _BENEATH | sc.RESOLVE_NO_SYMLINKS)
            self._open[number] = (path, fd, moment)
        if number not in self._open:
            raise InvalidRequestError("the client sent content that nobody asked for")
        _, fd, moment = self._open[number]
        if data:
            os.write(fd, data)
            return
        os.utime(fd, ns=(moment, moment))
        os.close(fd)
        del self._open[number]
