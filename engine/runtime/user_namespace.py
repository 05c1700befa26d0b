"""A container's own user namespace: its range of ids, and the way into it.

The theory: the first process stays the host's root until all is mounted, but is to file systems the
range's first id, so what it makes belongs to root inside. Layers, upper folder, volumes and binds are
idmapped: on disk every id is as it would be without. The namespaces that the container owns are made
in the user namespace by a helper, and joined; it is entered last. Sources: user_namespaces(7),
setns(2), setfsuid(2), the kernel's Documentation/filesystems/idmappings.rst.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc
from engine.runtime.idmap import new_namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.runtime.spec import ContainerSpec

#: What belongs to the user namespace: nsfs names by kind, and their flags.
OWNED = {
    "net": ("net", sc.CLONE_NEWNET), "uts": ("uts", sc.CLONE_NEWUTS), "ipc": ("ipc", sc.CLONE_NEWIPC),
    "cgroup": ("cgroup", sc.CLONE_NEWCGROUP),
}  # fmt: skip
WHAT = "userns_mode auto"


@dataclass(frozen=True, slots=True)
class Ids:
    """A user namespace by its descriptor; the host's id of its root, how many ids it has."""

    namespace: int
    first: int
    size: int

    def outside(self, number: int) -> int:
        """The host's id of one inside. Raises OSError for one that the range does not hold."""
        if number >= self.size:
            raise OSError(f"the id {number} is not among the {self.size} of {WHAT}")
        return self.first + number

    def enter(self, *, new_mounts: bool) -> None:
        """Be of this user namespace for good, with all capabilities in it and none outside.

        With `new_mounts` in a mount namespace of its own, where what was mounted is locked.
        """
        sc.setns(self.namespace, sc.CLONE_NEWUSER)
        if new_mounts:
            sc.unshare(sc.CLONE_NEWNS)


def make_namespaces(spec: ContainerSpec) -> Ids | None:
    """Make and join what the spec's user namespace owns; None where it has none. Raises OSError.

    From here on this process is the range's first id to file systems, with its capabilities kept.
    """
    if not spec.uid_map:
        return None
    line = spec.uid_map[0]
    text = f"{line.container_id} {line.host_id} {line.size}\n"
    makes = {n.kind for n in spec.namespaces if not n.path}
    others = {name: flag for kind, (name, flag) in OWNED.items() if kind in makes}
    namespace, *joined = new_namespaces(text, text, others)
    for fd in joined:
        sc.setns(fd)
        os.close(fd)
    _act_as(line.host_id)
    return Ids(namespace, line.host_id, line.size)


@contextmanager
def acting_as(first: int) -> Iterator[None]:
    """For a moment this thread is the range's first id to file systems, with its capabilities kept.

    0 is no range, and changes nothing.
    """
    if not first:
        yield
        return
    _act_as(first)
    try:
        yield
    finally:
        sc.set_file_ids(0, 0)


def _act_as(first: int) -> None:
    held = _permitted()
    sc.set_file_ids(first, first)
    sc.capset(held, held, 0)  # those over files went with the id


def ids_of(pid: int) -> Ids | None:
    """The user namespace of a process, None if it is ours. Raises OSError."""
    namespace = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    if os.fstat(namespace).st_ino == os.stat("/proc/self/ns/user").st_ino:
        os.close(namespace)
        return None
    with open(f"/proc/{pid}/uid_map") as lines:
        _, first, size = map(int, lines.readline().split())
    return Ids(namespace, first, size)


def _permitted() -> int:
    with open("/proc/thread-self/status") as lines:
        return next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:"))
