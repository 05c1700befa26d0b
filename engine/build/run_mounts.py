"""RUN --mount made ready on the host: folders for binds and caches, secrets, agents; undone with the step.

Rules: secrets lie in the run folder (memory, where /run is a tmpfs) while their step runs, and are in
no cache key; what is written to a bind goes to an overlay that is thrown away.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.build import copying, files, sources
from engine.build.agent import serve_agent
from engine.build.request import RunMount
from engine.build.sources import Selection
from engine.errors import InvalidRequestError
from engine.runtime import syscalls as sc
from engine.runtime.mounting import open_in_root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.build.bench import Bench
    from engine.build.mount_flags import MountWish

    OriginOf = Callable[[str, Path], Awaitable[copying.Origin]]

#: What the engine makes in a container's root to mount on, if the image has it not.
MOUNT_POINTS = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev", "/proc", "/sys")


@dataclass(slots=True)
class Prepared:
    """The mounts of one RUN, what of them belongs to its cache key, variables only this RUN sees.

    `secret_variables` are names and the files whose content they get: a container's environment is
    written down with it, so a secret cannot go that way.
    """

    mounts: list[RunMount] = field(default_factory=list)
    facts: list[Any] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    secret_variables: list[tuple[str, str]] = field(default_factory=list)

    def wrapped(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The command, after the image's shell has read the secret variables."""
        if not self.secret_variables:
            return argv
        lines = [
            f'{name}=$(cat {path} && printf x) && export {name}="${{{name}%x}}"'
            for name, path in self.secret_variables
        ]
        return ("/bin/sh", "-c", " && ".join([*lines, 'exec "$@"']), "sh", *argv)


class MountOpener:
    """Opens the mounts of one RUN, in two parts: what the cache key needs, then what only running needs."""

    def __init__(self, bench: Bench, origin: OriginOf, work: Path, stack: AsyncExitStack) -> None:
        self._bench = bench
        self._origin = origin
        self._work = work
        self._stack = stack
        self.prepared = Prepared()
        self._later: list[MountWish] = []

    async def look(self, wishes: tuple[MountWish, ...]) -> None:
        """Binds, whose content is in the key. Raises InvalidRequestError."""
        for number, wish in enumerate(wishes):
            if wish.kind == "bind":
                await self._bind(wish, number)
            else:
                self._later.append(wish)
                self.prepared.facts.append(
                    [
                        wish.kind,
                        wish.target,
                        wish.identity,
                        wish.variable,
                        wish.read_only,
                        wish.size,
                    ]
                )

    async def open(self) -> None:
        """The rest: caches, secrets, agents, tmpfs. Raises EngineError."""
        for wish in self._later:
            if wish.kind == "tmpfs":
                self.prepared.mounts.append(RunMount("tmpfs", wish.target, size=wish.size))
            elif wish.kind == "cache":
                await self._cache(wish)
            elif wish.kind == "secret":
                await self._secret(wish)
            else:
                await self._ssh(wish)

    async def _bind(self, wish: MountWish, number: int) -> None:
        origin = await self._origin(wish.origin, self._work / f"layers-{number}")
        root = origin.folder
        if root is None or not wish.read_only:
            root = self._work / f"mount-{number}"
            lower = (str(origin.folder),) if origin.folder else origin.lower
            await trio.to_thread.run_sync(_attach, lower, origin.work, root)
            self._stack.push_async_callback(_detach, root)
        source, digest = await trio.to_thread.run_sync(_resolve, root, wish)
        self.prepared.mounts.append(RunMount("bind", wish.target, source, wish.read_only))
        self.prepared.facts.append(["bind", wish.target, digest, wish.read_only])

    async def _cache(self, wish: MountWish) -> None:
        bench = self._bench
        base = bench.cache_mounts / hashlib.sha256(wish.identity.encode()).hexdigest()[:32]
        folder = await self._stack.enter_async_context(bench.mount_caches.taken(base, wish.sharing))
        key = f"sha256:{hashlib.sha256(f'{folder.parent.name}/{folder.name}'.encode()).hexdigest()}"
        bench.cache.in_use[key] += 1
        self._stack.callback(lambda: bench.cache.in_use.subtract([key]))
        bench.cache.note_mount(key, wish.identity, str(folder))
        if not folder.exists():
            await self._fill_cache(wish, folder)
        self.prepared.mounts.append(RunMount("bind", wish.target, str(folder), wish.read_only))

    async def _fill_cache(self, wish: MountWish, folder: Path) -> None:
        """A new cache: empty, or with what `from` and `source` say."""
        fresh = self._work / f"cache-{secrets.token_hex(4)}"
        fresh.mkdir(mode=0o755)
        if wish.origin or wish.source:
            origin = await self._origin(wish.origin, self._work / f"{fresh.name}-origin")
            await trio.to_thread.run_sync(_copy_into, origin, wish.source, fresh)
        os.chown(fresh, wish.uid, wish.gid)
        fresh.chmod(wish.mode)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh.rename(folder)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)  # another build was quicker

    async def _secret(self, wish: MountWish) -> None:
        content = await self._bench.giver.secret(wish.identity)
        if content is None:
            if wish.required:
                raise InvalidRequestError(
                    f"secret {wish.identity}: not found: give it with the build's secrets"
                )
            return
        if wish.variable:
            path = self._secret_file(content, 0o444, (0, 0))
            target = f"/run/{path.name}"
            self.prepared.mounts.append(RunMount("bind", target, str(path), read_only=True))
            self.prepared.secret_variables.append((wish.variable, target))
        if wish.target:
            path = self._secret_file(content, wish.mode, (wish.uid, wish.gid))
            self.prepared.mounts.append(RunMount("bind", wish.target, str(path), read_only=True))

    def _secret_file(self, content: bytes, mode: int, owner: tuple[int, int]) -> Path:
        path = self._private_name()
        path.write_bytes(content)
        self._stack.callback(path.unlink, missing_ok=True)
        os.chown(path, *owner)
        path.chmod(mode)
        return path

    async def _ssh(self, wish: MountWish) -> None:
        giver = self._bench.giver
        if not await giver.has_agent(wish.identity):
            if wish.required:
                raise InvalidRequestError(
                    f"ssh agent {wish.identity}: not found: give it with the build's ssh"
                )
            return
        path = self._private_name()
        nursery = await self._stack.enter_async_context(trio.open_nursery())
        self._stack.callback(nursery.cancel_scope.cancel)
        await nursery.start(serve_agent, path, wish, lambda: giver.agent(wish.identity))
        self._stack.callback(path.unlink, missing_ok=True)
        self.prepared.mounts.append(RunMount("bind", wish.target, str(path)))
        if not any(one.startswith("SSH_AUTH_SOCK=") for one in self.prepared.variables):
            self.prepared.variables.append(f"SSH_AUTH_SOCK={wish.target}")

    def at_end(self, undo: Callable[[], Awaitable[None]]) -> None:
        """Have something undone at the end, even where the build is cancelled."""

        async def shielded() -> None:
            with trio.CancelScope(shield=True):
                await undo()

        self._stack.push_async_callback(shielded)

    def _private_name(self) -> Path:
        folder = self._bench.private
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / secrets.token_hex(8)


@asynccontextmanager
async def open_mounts(bench: Bench, origin: OriginOf) -> AsyncIterator[MountOpener]:
    """An opener; what it has opened is closed at the end, however that comes. `origin` finds a `from`."""
    async with bench.folder() as work, AsyncExitStack() as stack:
        yield MountOpener(bench, origin, work, stack)


def _attach(lower: tuple[str, ...], work: Path, root: Path) -> None:
    root.mkdir()
    with files.mounted(lower, work) as fd:
        sc.move_mount(fd, sc.AT_FDCWD, str(root))


async def _detach(root: Path) -> None:
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(sc.umount2, str(root), sc.MNT_DETACH)


def _resolve(root: Path, wish: MountWish) -> tuple[str, str]:
    """The source's host path, resolved inside its root, and the digest of its content."""
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        path = sources.clean(wish.source)
        spot = open_in_root(fd, f"/{path}")
        if spot is None:
            where = wish.origin or "build context"
            raise InvalidRequestError(f"the mount's source {wish.source} is not in the {where}")
        try:
            real = str(Path(f"/proc/self/fd/{spot}").readlink())
        finally:
            os.close(spot)
        return real, sources.digest(Selection(fd, (path,), keep_owner=bool(wish.origin)))
    finally:
        os.close(fd)


def _copy_into(origin: copying.Origin, source: str, folder: Path) -> None:
    """What a mount cache begins with."""
    with copying.origin_root(origin) as root:
        selection = Selection(root, (sources.clean(source),), keep_owner=True)
        target = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            files.place(target, (selection,), files.Placing("/"))
        finally:
            os.close(target)
