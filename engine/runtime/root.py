"""A container's root: everything mounted, the root entered, the old one detached."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from engine.runtime import mounting, overlay
from engine.runtime import syscalls as sc
from engine.runtime.identity import read_identity
from engine.runtime.program import Refusal

if TYPE_CHECKING:
    from engine.runtime.spec import ContainerSpec, DeviceNode
    from engine.runtime.user_namespace import Ids

LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
)


def build_root(spec: ContainerSpec, ids: Ids | None = None) -> int:
    """Mount all of the spec, enter the root, detach the old one: the root's descriptor.

    Raises Refusal (which mount, why) or OSError.
    """
    sc.mount("", "/", "", sc.MS_REC | _propagation(spec))
    root = overlay.mount_overlay(spec.rootfs, ids)
    sc.move_mount(root, sc.AT_FDCWD, spec.rootfs.merged)
    process = spec.process

    def who() -> tuple[int, int]:
        identity = read_identity(root, process.user, process.groups)
        return identity.uid, identity.gid

    for mount in spec.mounts:
        try:
            mounting.make_mount(root, mount, who, ids)
        except OSError as error:
            source = f"{mount.source} to " if mount.kind == "bind" else ""
            source = f"{mount.subpath} in {source}" if mount.subpath else source
            code = 127 if error.errno == errno.ENOTDIR else 125  # Docker's
            words = f"cannot mount {source}{mount.target}: {error.strerror}"
            raise Refusal(code, words) from error
    _make_dev(spec, root, ids)
    for key, value in spec.sysctls:
        _write_sysctl(root, key, value)
    _make_cwd(root, spec.process.cwd)
    os.fchdir(root)
    sc.pivot_root(".", ".")
    sc.umount2(".", sc.MNT_DETACH)
    os.chdir("/")
    if spec.masked_paths:
        mounting.mask_all(root, spec.masked_paths)
    for path in spec.readonly_paths:
        mounting.make_read_only(root, path)
    if spec.rootfs.read_only:
        sc.mount_setattr(root, set_=sc.MOUNT_ATTR_RDONLY)
    return root


def _propagation(spec: ContainerSpec) -> int:
    """The host's mounts stay visible to us only as far as a bind asks for it."""
    asks = any(
        option in ("slave", "rslave", "shared", "rshared")
        for m in spec.mounts
        for option in m.options
    )
    return sc.MS_SLAVE if asks else sc.MS_PRIVATE


def _make_dev(spec: ContainerSpec, root: int, ids: Ids | None) -> None:
    """The device nodes and the standard links, each through the descriptor of its folder."""
    folders: dict[str, int] = {}

    def folder_of(path: str) -> tuple[int, str]:
        place, _, name = path.rpartition("/")
        if place not in folders:
            folders[place] = mounting.open_or_make(root, place or "/", folder=True)
        return folders[place], name

    before = os.umask(0)
    try:
        for device in spec.devices:
            _make_node(*folder_of(device.path), device, ids)
        for path, target in LINKS:
            parent, name = folder_of(path)
            try:
                os.symlink(target, name, dir_fd=parent)
            except FileExistsError:
                pass
    finally:
        os.umask(before)
        for fd in folders.values():
            os.close(fd)


def _make_node(parent: int, name: str, device: DeviceNode, ids: Ids | None) -> None:
    kind = stat.S_IFCHR if device.kind == "c" else stat.S_IFBLK
    try:
        os.mknod(name, kind | device.mode, os.makedev(device.major, device.minor), dir_fd=parent)
        if device.uid or device.gid or ids:
            owner = [ids.outside(n) if ids else n for n in (device.uid, device.gid)]
            os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        pass
    except OSError as error:
        raise Refusal(125, f"cannot make the device {device.path}: {error.strerror}") from error


def _write_sysctl(root: int, key: str, value: str) -> None:
    path = "/proc/sys/" + key.replace(".", "/")
    fd = mounting.open_in_root(root, path, os.O_WRONLY)
    if fd is None:
        raise Refusal(125, f"cannot set the sysctl {key}: this kernel has none of that name")
    try:
        os.write(fd, value.encode())
    except OSError as error:
        raise Refusal(125, f"cannot set the sysctl {key} to {value}: {error.strerror}") from error
    finally:
        os.close(fd)


def _make_cwd(root: int, path: str) -> None:
    """Docker makes a working directory that is missing, owned by root."""
    try:
        os.close(mounting.open_or_make(root, path or "/", folder=True))
    except OSError as error:
        raise Refusal(126, f"cannot make the working directory {path}: {error.strerror}") from error
