"""A bind whose folder's owner is, inside, the container's user: an idmapped mount.

What the user writes there belongs to the folder's owner outside; the two ids change places, all
others stay as they are. Sources: mount_setattr(2) (MOUNT_ATTR_IDMAP), user_namespaces(7).
"""

from __future__ import annotations

import errno
import os

from engine.runtime import syscalls as sc

#: One more than the largest id (the last is no id).
IDS = 2**32 - 1


def swapping_map(owner: int, user: int) -> str:
    """The lines of a uid_map (or gid_map) by which two ids change places. Pure."""
    if owner == user:
        return f"0 0 {IDS}\n"
    low, high = sorted((owner, user))
    spans = [(0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1)]
    spans.append((high + 1, high + 1, IDS - high - 1))
    return "".join(f"{inner} {outer} {size}\n" for inner, outer, size in spans if size)


def map_to_owner(tree: int, uid: int, gid: int) -> None:
    """Map a detached mount so that its owner is the user `uid` and its group `gid`. Raises OSError."""
    status = os.fstat(tree)
    namespace = _user_namespace(swapping_map(status.st_uid, uid), swapping_map(status.st_gid, gid))
    try:
        sc.mount_setattr(tree, set_=sc.MOUNT_ATTR_IDMAP, userns=namespace)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        words = "its file system has no idmapped mounts, which map-owner needs"
        raise OSError(errno.EINVAL, words) from error
    finally:
        os.close(namespace)


def _user_namespace(uid_map: str, gid_map: str) -> int:
    """A descriptor of a new user namespace with these maps. Single-threaded callers only.

    Its one process, a fork of ours, is gone when this returns.
    """
    made, tell_made = os.pipe2(os.O_CLOEXEC)
    go_on, let_go = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            os.close(let_go)
            sc.unshare(sc.CLONE_NEWUSER)
            os.write(tell_made, os.readlink("/proc/self").encode())  # as the host counts
            os.read(go_on, 1)
        finally:
            os._exit(0)
    os.close(tell_made)
    os.close(go_on)
    try:
        pid = os.read(made, 32).decode()
        if not pid:
            raise OSError(errno.EPERM, "cannot make a user namespace for its map")
        for name, text in (("uid_map", uid_map), ("gid_map", gid_map)):
            fd = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, text.encode())
            os.close(fd)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(made)
        os.close(let_go)
        os.waitpid(child, 0)
