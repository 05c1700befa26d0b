"""A detached overlay of layers, on every kernel from 5.19 on.

Theory: newer kernels take a layer by a call of its own, by name (`lowerdir+`, 6.7) or by descriptor
(6.13), which a mapped layer needs, since it has no name. Older ones take one page of options from
mount(2), which wants a place, and layers of the caller's own mount namespace. There each layer is
named by its descriptor (/proc/self/fd/N is short: 220 layers fit), mapped ones are put in place first,
and all is taken away again once the overlay holds them. Sources: the kernel's overlayfs.rst, mount(2),
open_tree(2), mount_setattr(2).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc
from engine.runtime.idmap import map_mount
from engine.runtime.user_namespace import WHAT

if TYPE_CHECKING:
    from engine.runtime.spec import Rootfs
    from engine.runtime.user_namespace import Ids

#: What a kernel says that does not know a layer's option, or takes no descriptor for it.
_UNKNOWN = (errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP)
#: Bytes of options that mount(2) takes.
_PAGE = 4095


def mount_overlay(rootfs: Rootfs, ids: Ids | None = None) -> int:
    """A detached overlay mount of the layers: its descriptor. Without an upper one it is read-only.

    With `ids` all layers are mapped, and the caller must be the range's first id to file systems.
    Raises OSError.
    """
    try:
        return _by_descriptors(rootfs, ids) if ids else _by_names(rootfs)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        try:
            return _by_options(rootfs, ids)
        except OSError as later:
            if ids:
                words = f"cannot mount the layers for {WHAT}: {later.strerror}: this kernel may lack idmapped layers"
                raise OSError(later.errno, words) from later
            raise error from later


def _by_names(rootfs: Rootfs) -> int:
    context = sc.fsopen("overlay")
    try:
        for layer in rootfs.lower:
            sc.fsconfig(context, sc.FSCONFIG_SET_STRING, "lowerdir+", layer)
        if rootfs.upper:
            sc.fsconfig(context, sc.FSCONFIG_SET_STRING, "upperdir", rootfs.upper)
            sc.fsconfig(context, sc.FSCONFIG_SET_STRING, "workdir", rootfs.work)
        sc.fsconfig(context, sc.FSCONFIG_CMD_CREATE)
        return sc.fsmount(context, 0)
    finally:
        os.close(context)


def _by_descriptors(rootfs: Rootfs, ids: Ids) -> int:
    context = sc.fsopen("overlay")
    layers = _Layers(rootfs, ids)
    try:
        for key, fd in layers.named():
            sc.fsconfig(
                context, sc.FSCONFIG_SET_FD, f"{key}+" if key == "lowerdir" else key, other=fd
            )
        sc.fsconfig(context, sc.FSCONFIG_CMD_CREATE)
        return sc.fsmount(context, 0)
    finally:
        layers.close()
        os.close(context)


def _by_options(rootfs: Rootfs, ids: Ids | None) -> int:
    """As older kernels have it: by way of a folder, for a moment."""
    place = rootfs.merged or _folder()
    layers = _Layers(rootfs, ids)
    placed = 0
    try:
        for tree in layers.trees:
            sc.move_mount(tree, sc.AT_FDCWD, place)
            placed += 1
        named = layers.named()
        lower = ":".join(f"/proc/self/fd/{fd}" for key, fd in named if key == "lowerdir")
        others = [f"{key}=/proc/self/fd/{fd}" for key, fd in named if key != "lowerdir"]
        options = ",".join([f"lowerdir={lower}", *others])
        if len(options) > _PAGE:
            raise OSError(errno.E2BIG, f"{len(rootfs.lower)} layers are too many for this kernel")
        sc.mount("overlay", place, "overlay", 0, options)
        placed += 1
        return sc.open_tree(sc.AT_FDCWD, place, sc.OPEN_TREE_CLONE | sc.OPEN_TREE_CLOEXEC)
    finally:
        for _ in range(placed):
            sc.umount2(place, sc.MNT_DETACH)
        layers.close()
        if not rootfs.merged:
            os.rmdir(place)


def _folder() -> str:
    import tempfile  # the engine's own overlays alone need one, on an old kernel

    return tempfile.mkdtemp(prefix="pycompose-overlay-")


class _Layers:
    """Descriptors of an overlay's folders; with `ids` through mapped copies of their mounts (`trees`)."""

    def __init__(self, rootfs: Rootfs, ids: Ids | None) -> None:
        self.trees: list[int] = []
        self._fds: list[int] = []
        self._named: list[tuple[str, int]] = []
        self._ids = ids
        try:
            for layer in rootfs.lower:
                self._named.append(("lowerdir", self._tree(layer) if ids else self._open(layer)))
            if rootfs.upper:
                # The two are on one mount, as the kernel wants them.
                both = os.path.dirname(rootfs.upper)
                inside = self._tree(both) if ids else self._open(both)
                for key, path in (("upperdir", rootfs.upper), ("workdir", rootfs.work)):
                    name = os.path.relpath(path, both)
                    self._named.append((key, self._open(name, inside)))
        except BaseException:
            self.close()
            raise

    def named(self) -> list[tuple[str, int]]:
        """(lowerdir, upperdir or workdir; descriptor), the topmost lower one first."""
        return self._named

    def close(self) -> None:
        """Close all."""
        for fd in (*self.trees, *self._fds):
            os.close(fd)

    def _open(self, path: str, folder: int | None = None) -> int:
        fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        self._fds.append(fd)
        return fd

    def _tree(self, path: str) -> int:
        assert self._ids
        tree = sc.open_tree(sc.AT_FDCWD, path, sc.OPEN_TREE_CLONE | sc.OPEN_TREE_CLOEXEC)
        self.trees.append(tree)
        map_mount(tree, self._ids.namespace, WHAT)
        return tree
