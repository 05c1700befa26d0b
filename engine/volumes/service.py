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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from engine.errors import ConflictError, InvalidRequestError, NotFoundError, NotSupportedError
from engine.images.compression import open_tar
from engine.images.pack import pack_layer
from engine.images.unpack import unpack_layer
from engine.runtime import mounting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from engine.events.bus import EventBus
    from engine.runtime.spec import Rootfs
    from engine.storage.database import Database
    from engine.storage.paths import Layout

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
ANONYMOUS = "com.docker.volume.anonymous"


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume; `path` is the folder that is mounted."""

    name: str
    created_ns: int
    path: str
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


class Volumes:
    """All volumes of one engine."""

    def __init__(self, layout: Layout, database: Database, events: EventBus) -> None:
        self._layout = layout
        self._database = database
        self._events = events
        #: containers that use a volume; set by who knows (containers stand above volumes)
        self.users: Callable[[str], list[str]] = lambda _name: []

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
            raise NotSupportedError(
                f'error looking up volume plugin {driver}: plugin "{driver}" not found',
                hint="this engine has the local driver",
            )
        if options:
            raise NotSupportedError(
                f"options of the local volume driver are not supported yet: {', '.join(options)}",
                hint="use a bind mount",
            )
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
            (name, time.time_ns(), json.dumps({"labels": given, "options": {}})),
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

    async def prune(self, *, anonymous_only: bool = True) -> tuple[list[str], int]:
        """Remove volumes that no container uses; their names and how many bytes that freed."""
        done, freed = [], 0
        for volume in self.all():
            if self.users(volume.name) or (anonymous_only and ANONYMOUS not in volume.labels):
                continue
            freed += await trio.to_thread.run_sync(folder_size, volume.path)
            await self.remove(volume.name)
            done.append(volume.name)
        return done, freed

    async def fill(self, volume: Volume, root: Rootfs, target: str) -> None:
        """First use: an empty volume gets what the image has at its place, owners and modes too."""
        await trio.to_thread.run_sync(_fill, volume.path, root, target, self._layout.scratch)

    def _volume(self, name: str, created_ns: int, document: str) -> Volume:
        kept = json.loads(document)
        path = str(self._layout.volume_data(name))
        return Volume(name, created_ns, path, kept["labels"], kept["options"])


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
    overlay = mounting.mount_overlay(root)
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
