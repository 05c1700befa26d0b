"""Files that a container is given in memory: on a tmpfs of the engine's, mounted into it one by one, read-only.

They come as a tar (PUT /containers/{id}/archive?inMemory=true) while the container does not run. Rules:
nothing of a content is ever on a disk (the tmpfs is not swapped where the kernel can promise that);
what the container was given is noted by name, so that after a boot, which empties the memory, its
start is refused instead of going on without. The tmpfs is there as long as any container needs it.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from typing import IO, TYPE_CHECKING

from engine.containers.tar_in import Rules, read_tar
from engine.errors import ConflictError, EngineError, HostLimitError
from engine.images.compression import open_tar
from engine.runtime import mounting
from engine.runtime import syscalls as sc
from engine.runtime.spec import Mount
from engine.storage.atomic import write_atomic

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from engine.containers.model import Container
    from engine.storage.paths import Layout

#: Of all containers together: who can create containers is not to fill the memory by it.
DATA = "mode=700,size=256m"
LOCKED = sc.MOUNT_ATTR_NOSUID | sc.MOUNT_ATTR_NODEV | sc.MOUNT_ATTR_NOEXEC


class SecretFiles:
    """The files of all containers. All but `fill` is quick and belongs on the loop."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def open_folder(self, container: Container) -> int:
        """An empty folder in memory for a container's files: its descriptor, which is the caller's.

        Raises ConflictError for a container that runs, HostLimitError where nothing can be mounted.
        """
        if container.state.running:
            raise ConflictError(
                f"container {container.name} runs: files are given in memory before its start"
            )
        self._mount()
        folder = self._folder(container.id)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def fill(self, container: Container, folder: int, raw: IO[bytes]) -> None:
        """Unpack a tar, whose regular files count. Blocks. Raises EngineError of some kind."""
        read_tar(open_tar(raw), folder, "/", Rules())
        write_atomic(self._note(container.id), json.dumps(_files(folder)).encode(), mode=0o600)

    def mounts(self, container: Container) -> tuple[Mount, ...]:
        """What is to be mounted at a start. Raises ConflictError where a boot has taken the files."""
        try:
            targets: list[str] = json.loads(self._note(container.id).read_bytes())
        except FileNotFoundError:
            return ()
        found = []
        for target in targets:
            source = f"{self._folder(container.id)}{target}"
            if not os.path.lexists(source):
                raise ConflictError(
                    f"{target} of container {container.name} was in memory only and went with the "
                    "last boot: give it again, as `up` does"
                )
            found.append(Mount("bind", target, source, ("bind", "rprivate", "ro")))
        return tuple(found)

    def drop(self, container_id: str) -> None:
        """The container is gone, and its files with it. Idempotent."""
        folder = self._folder(container_id)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
            self._unmount()

    def sweep(self, known: Collection[str]) -> None:
        """Drop what belongs to containers that there are not."""
        if self._is_mounted():
            for name in set(os.listdir(self._layout.secrets)).difference(known):
                shutil.rmtree(self._folder(name), ignore_errors=True)
            self._unmount()

    def _folder(self, container_id: str) -> Path:
        return self._layout.secrets / container_id

    def _note(self, container_id: str) -> Path:
        return self._layout.container(container_id) / "secrets.json"

    def _is_mounted(self) -> bool:
        try:
            inside, outside = os.stat(self._layout.secrets), os.stat(self._layout.run)
        except FileNotFoundError:
            return False
        return inside.st_dev != outside.st_dev

    def _mount(self) -> None:
        if self._is_mounted():
            return
        self._layout.secrets.mkdir(mode=0o700, exist_ok=True)
        try:
            made = _new_tmpfs()
        except OSError as error:
            raise HostLimitError(
                f"secrets cannot be held in memory: mounting a tmpfs failed: {error.strerror}"
            ) from error
        try:
            sc.move_mount(made, sc.AT_FDCWD, str(self._layout.secrets))
        finally:
            os.close(made)

    def _unmount(self) -> None:
        """Nobody's files are left: give the memory back."""
        if os.listdir(self._layout.secrets):
            return
        try:
            sc.umount2(str(self._layout.secrets), 0)
            self._layout.secrets.rmdir()
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EINVAL):
                raise EngineError(f"{self._layout.secrets}: {error.strerror}") from error


def _new_tmpfs() -> int:
    """Never swapped out where the kernel knows how (6.4)."""
    try:
        return mounting.mount_filesystem("tmpfs", f"noswap,{DATA}", LOCKED, "secrets")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return mounting.mount_filesystem("tmpfs", DATA, LOCKED, "secrets")


def _files(folder: int) -> list[str]:
    """The paths of the regular files below an open folder, from its top."""
    top = f"/proc/self/fd/{folder}"
    return sorted(
        f"{root[len(top) :]}/{name}"
        for root, _, names in os.walk(top)
        for name in names
        if stat.S_ISREG(os.lstat(f"{root}/{name}").st_mode)
    )
