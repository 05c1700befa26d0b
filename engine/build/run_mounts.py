"""RUN --mount made ready: host folders for binds and caches, taken away when the step ends."""

from __future__ import annotations

import hashlib
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.build import copying, files, sources
from engine.build.request import RunMount
from engine.build.sources import Selection
from engine.errors import InvalidRequestError
from engine.runtime import syscalls as sc
from engine.runtime.mounting import open_in_root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.build.running import MountWish
    from engine.build.stage import StageBuilder

#: What the engine makes in a container's root to mount on, if the image has it not.
MOUNT_POINTS = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev", "/proc", "/sys")


@asynccontextmanager
async def open_mounts(
    stage: StageBuilder, wishes: tuple[MountWish, ...], work: Path
) -> AsyncIterator[tuple[tuple[RunMount, ...], list[Any]]]:
    """The mounts of one RUN and what of them belongs to its cache key. Raises EngineError."""
    mounts: list[RunMount] = []
    facts: list[Any] = []
    attached: list[Path] = []
    try:
        for number, wish in enumerate(wishes):
            if wish.kind == "tmpfs":
                mounts.append(RunMount("tmpfs", wish.target, size=wish.size))
                facts.append(["tmpfs", wish.target, wish.size])
            elif wish.kind == "cache":
                folder = stage.bench.cache_mounts / _folder_name(wish.cache_id)
                await trio.to_thread.run_sync(_make_cache, folder)
                mounts.append(RunMount("bind", wish.target, str(folder), wish.read_only))
                facts.append(["cache", wish.target, wish.cache_id, wish.read_only])
            else:
                root = stage.bench.context
                if wish.origin:
                    root = work / f"mount-{number}"
                    origin = await stage.origin(wish.origin, work / f"layers-{number}")
                    await trio.to_thread.run_sync(_attach, origin, root)
                    attached.append(root)
                source, digest = await trio.to_thread.run_sync(_resolve, root, wish)
                mounts.append(RunMount("bind", wish.target, source, read_only=True))
                facts.append(["bind", wish.target, digest])
        yield tuple(mounts), facts
    finally:
        with trio.CancelScope(shield=True):
            for root in attached:
                await trio.to_thread.run_sync(sc.umount2, str(root), sc.MNT_DETACH)


def _folder_name(cache_id: str) -> str:
    return hashlib.sha256(cache_id.encode()).hexdigest()[:32]


def _make_cache(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)


def _attach(origin: copying.Origin, root: Path) -> None:
    root.mkdir()
    with files.mounted(origin.lower, origin.work) as fd:
        sc.move_mount(fd, sc.AT_FDCWD, str(root))


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
