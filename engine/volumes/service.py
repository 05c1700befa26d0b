"""Named and anonymous volumes: Docker's local driver. A volume is a folder below the engine's root.

Rules: the database knows a volume before its folder is used; creating one that is there is no error;
what containers use is not removed (who uses it, the owner of containers tells).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from engine.errors import ConflictError, InvalidRequestError, NotFoundError
from engine.images.compression import open_tar
from engine.images.pack import pack_layer
from engine.images.unpack import unpack_layer
from engine.runtime import mounting
from engine.runtime.overlay import mount_overlay
from engine.volumes import local_driver
from engine.volumes.local_driver import MountPlan, plan_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path

    from engine.events.bus import EventBus
    from engine.runtime.spec import Rootfs
    from engine.storage.database import Database
    from engine.storage.paths import Layout

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
ANONYMOUS = "com.docker.volume.anonymous"


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume; `path` is its own folder, `source` what containers get: a bind's device, or the same."""

    name: str
    created_ns: int
    path: str
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    plan: MountPlan | None = None

    @property
    def source(self) -> str:
        """The folder that is mounted into containers."""
        return self.plan.device if self.plan and self.plan.bind else self.path

    @property
    def read_only(self) -> bool:
        """Whether its options let nobody write."""
        return bool(self.plan and self.plan.read_only)

    @property
    def comes_and_goes(self) -> bool:
        """Whether something is mounted at its folder while it is in use."""
        return self.plan is not None and not self.plan.bind


class Volumes:
    """All volumes of one engine."""

    def __init__(self, layout: Layout, database: Database, events: EventBus) -> None:
        self._layout = layout
        self._database = database
        self._events = events
        #: containers that use a volume; set by who knows (containers stand above volumes)
        self.users: Callable[[str], list[str]] = lambda _name: []
        #: whether a running container uses a volume; set likewise
        self.is_running: Callable[[str], bool] = lambda _name: False
        self._holds: Counter[str] = Counter()
        self._locks: dict[str, trio.Lock] = {}

    def all(self) -> list[Volume]:
        """Every volume, by name."""
        rows = self._database.rows("SELECT name, created_ns, document FROM volumes ORDER BY name")
        return [self._volume(*row) for row in rows]

    def find(self, name: str) -> Volume:
        """One volume. Raises NotFoundError."""
        rows = self._database.rows(
            "SELECT name, created_ns, document FROM volumes WHERE name = ?", (name,)
        )
        if not rows:
            raise NotFoundError(f"get {name}: no such volume")
        return self._volume(*rows[0])

    def create(
        self,
        name: str = "",
        *,
        driver: str = "local",
        labels: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Volume:
        """Make a volume, or find the one of that name. Raises InvalidRequestError, ConflictError."""
        if driver not in ("", "local"):
            raise NotFoundError(f"create {name}: {local_driver.no_driver(driver)}")
        plan_of(options or {})
        anonymous = not name
        name = name or secrets.token_hex(32)
        if not _NAME.fullmatch(name) or len(name) > 255:
            raise InvalidRequestError(
                f'create {name}: "{name}" includes invalid characters for a local volume name, '
                'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed'
            )
        try:
            return self.find(name)
        except NotFoundError:
            pass
        path = self._layout.volume_data(name)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)  # whatever the umask, as Docker has it
        given = {**(labels or {}), **({ANONYMOUS: ""} if anonymous else {})}
        self._database.execute(
            "INSERT INTO volumes (name, created_ns, document) VALUES (?, ?, ?)",
            (name, time.time_ns(), json.dumps({"labels": given, "options": options or {}})),
        )
        self._events.publish("volume", "create", name, {"driver": "local"})
        return self.find(name)

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume and what is in it. Raises NotFoundError (not with `force`), ConflictError."""
        try:
            self.find(name)
        except NotFoundError:
            if force:
                return
            raise
        users = self.users(name)
        if users:
            raise ConflictError(f"remove {name}: volume is in use - [{', '.join(users)}]")
        self._database.execute("DELETE FROM volumes WHERE name = ?", (name,))
        grave = self._layout.scratch / f"volume-{secrets.token_hex(6)}"
        try:
            os.rename(self._layout.volumes / name, grave)
        except FileNotFoundError:
            pass  # somebody has removed the folder by hand
        self._events.publish("volume", "destroy", name, {"driver": "local"})
        await trio.to_thread.run_sync(lambda: shutil.rmtree(grave, ignore_errors=True))

    async def prune(self, chosen: Callable[[Volume], bool]) -> tuple[list[str], int]:
        """Remove those chosen that no container uses; their names and how many bytes that freed."""
        done, freed = [], 0
        for volume in self.all():
            if self.users(volume.name) or not chosen(volume):
                continue
            size = await trio.to_thread.run_sync(folder_size, volume.path)
            try:
                await self.remove(volume.name)
            except (NotFoundError, ConflictError):
                continue  # somebody was quicker
            freed += size
            done.append(volume.name)
        self._events.publish("volume", "prune", "", {"reclaimed": str(freed)})
        return done, freed

    @asynccontextmanager
    async def held(self, names: Iterable[str]) -> AsyncIterator[None]:
        """While inside, what these volumes' options ask for is mounted; afterwards, while containers run.

        Raises NotFoundError, InvalidRequestError, HostLimitError.
        """
        volumes = [self.find(name) for name in dict.fromkeys(names)]
        self._holds.update(volume.name for volume in volumes)
        try:
            for volume in volumes:
                await self._mount(volume)
            yield
        finally:
            self._holds -= Counter(volume.name for volume in volumes)
            with trio.CancelScope(shield=True):
                await self.release(volume.name for volume in volumes)

    async def release(self, names: Iterable[str]) -> None:
        """Unmount what nobody holds and no running container uses any more. Idempotent."""
        for name in names:
            try:
                volume = self.find(name)
            except NotFoundError:
                continue
            if volume.comes_and_goes:
                async with self._lock(name):
                    if not self._holds[name] and not self.is_running(name):
                        await trio.to_thread.run_sync(local_driver.unmount, volume.path)

    async def _mount(self, volume: Volume) -> None:
        if volume.plan is None:
            return
        await trio.to_thread.run_sync(local_driver.check_device, volume.plan, volume.name)
        if volume.comes_and_goes:
            async with self._lock(volume.name):
                await trio.to_thread.run_sync(
                    local_driver.mount, volume.plan, volume.name, volume.path
                )

    def _lock(self, name: str) -> trio.Lock:
        return self._locks.setdefault(name, trio.Lock())

    async def fill(self, volume: Volume, root: Rootfs, target: str) -> None:
        """First use: an empty volume gets what the image has at its place, owners and modes too.

        Of several containers that use it first at once, one fills it and the others wait for that.
        """
        async with self._lock(volume.name):
            await trio.to_thread.run_sync(_fill, volume.source, root, target, self._layout.scratch)

    def _volume(self, name: str, created_ns: int, document: str) -> Volume:
        kept = json.loads(document)
        path = str(self._layout.volume_data(name))
        options = kept["options"]
        return Volume(name, created_ns, path, kept["labels"], options, plan_of(options))


def folder_size(path: str) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(f"{folder}/{name}").st_size
            except FileNotFoundError:
                continue
    return total


def _fill(path: str, root: Rootfs, target: str, scratch: Path) -> None:
    if os.listdir(path):
        return
    overlay = mount_overlay(root)
    try:
        source = mounting.open_in_root(overlay, target)
        if source is None:
            return
        try:
            folder = f"/proc/self/fd/{source}"
            status = os.stat(folder)
            if not os.path.isdir(folder):
                return
            with tempfile.TemporaryFile(dir=scratch) as archive:
                pack_layer(folder, archive)
                archive.seek(0)
                unpack_layer(open_tar(archive), scratch.__class__(path))
            os.chown(path, status.st_uid, status.st_gid)
            os.chmod(path, status.st_mode & 0o7777)
        finally:
            os.close(source)
    finally:
        os.close(overlay)
