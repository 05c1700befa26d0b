"""A start and an end, done by the fork server itself before it serves: its forks find the interpreter warm.

Why: Python writes into its own memory while code is new (bytecode that specialises, method caches), and
each fork that writes there pays for a copy of the page. Rules: what is made is in a mount namespace of
its own, which is left again, and in memory; it may fail anywhere, for it changes nothing but the speed.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.processes import messages
from engine.processes.keeper import Kept, wait_for_work
from engine.processes.launcher import set_up
from engine.processes.monitor import Monitor
from engine.runtime import defaults, mounting, spec
from engine.runtime import syscalls as sc
from engine.runtime.container_init import send_with_fds
from engine.runtime.identity import read_identity
from engine.runtime.order import order_of, read_order
from engine.runtime.pids import start_time
from engine.runtime.root import build_root

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where the tmpfs of the rehearsal is mounted, for us alone: nothing of ours is read from there.
STAGE = "/sys"
#: How often an end is rehearsed, and a start: Python specialises what has run eight times, and a start
#: does most of what it does several times.
ENDS, STARTS = 10, 2


def rehearse() -> None:
    """Do it. Only in a process with one thread, while SIGCHLD has its default."""
    try:
        for _ in range(STARTS):
            with _own_mounts():
                _rehearse_start(_sample())
        with _own_mounts():
            for _ in range(ENDS):
                _rehearse_end(_sample())
    except OSError:
        pass  # starts are a little slower: that is all that comes of it


@contextmanager
def _own_mounts() -> Iterator[None]:
    """A mount namespace of our own with an empty tmpfs; afterwards back, in the root we came from."""
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    sc.unshare(sc.CLONE_NEWNS)
    try:
        sc.mount("", "/", "", sc.MS_REC | sc.MS_PRIVATE)
        tmpfs = mounting.mount_filesystem("tmpfs", "size=1m")
        sc.move_mount(tmpfs, sc.AT_FDCWD, STAGE)
        os.close(tmpfs)
        for name in ("lower/etc", "upper", "work", "merged", "run", "fs/cgroup/unified/x"):
            os.makedirs(f"{STAGE}/{name}")
        for name in ("passwd", "group"):
            with open(f"{STAGE}/lower/etc/{name}", "w") as stream:
                stream.write("root:x:0:0:root:/root:/bin/sh\n" * 20)
        yield
    finally:
        sc.setns(before, sc.CLONE_NEWNS)
        os.fchdir(root)
        os.chroot(".")
        os.close(root)
        os.close(before)


def _sample() -> spec.ContainerSpec:
    """A container like most; without sysctls, which would be the host's."""
    files = tuple(
        spec.Mount("bind", f"/etc/{name}", f"{STAGE}/lower/etc/passwd", ("bind", "rprivate"))
        for name in ("hosts", "hostname", "resolv.conf")
    )
    namespaces = ("mount", "pid", "net", "uts", "ipc", "cgroup")
    made = spec.ContainerSpec(
        id="0" * 64,
        rootfs=spec.Rootfs(
            (f"{STAGE}/lower",), f"{STAGE}/upper", f"{STAGE}/work", f"{STAGE}/merged"
        ),
        process=spec.Process(
            ("program", "argument"), ("PATH=/bin", "HOSTNAME=a", "LANG=C"),
            capabilities=spec.Capabilities(*[defaults.CAPABILITIES] * 3),
        ),
        namespaces=tuple(spec.Namespace(kind) for kind in namespaces),  # type: ignore[arg-type]  # those kinds
        cgroup=spec.Cgroup("hybrid", "x/y", devices=defaults.DEVICE_RULES),
        run_dir=f"{STAGE}/run",
        log=spec.LogTarget(path=f"{STAGE}/run/log"),
        mounts=(*defaults.mounts(1 << 16, privileged=False, shm="private"), *files),
        devices=defaults.DEVICES,
        masked_paths=defaults.MASKED_PATHS,
        readonly_paths=defaults.READONLY_PATHS,
    )  # fmt: skip
    for _ in range(ENDS):
        made = spec.decode(spec.ContainerSpec, spec.encode(made))
    return made


def _rehearse_start(container: spec.ContainerSpec) -> None:
    root = build_root(container)
    for _ in range(ENDS):
        read_identity(root, "", ())
    os.close(root)


def _rehearse_end(container: spec.ContainerSpec) -> None:
    """A monitor's life but for the fork: from the first message over the link to the exit record."""
    engine, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = Kept(messages.request(order_of(container)), channel.detach())
    stdio, ours, server = set_up(read_order(messages.decode(kept.order)))
    child = os.fork()
    if child == 0:
        os._exit(0)
    kept.pidfd = os.pidfd_open(child)
    born = start_time(child)
    send_with_fds(kept.theirs, f"here {child} {born}".encode(), [server.fileno(), *ours])
    kept.theirs.close()
    server.close()
    for fd in (stdio.stdin, stdio.stdout, stdio.stderr, *ours):
        os.close(fd)
    wait_for_work(kept)
    monitor = Monitor(kept)
    monitor.serve()
    for end in (engine, monitor.channel, kept.epoll):
        end.close()
    for fd in (kept.pidfd, kept.stdout, kept.stderr):
        os.close(fd)


#: Bytes of pymalloc's pools, of what heads each, the step between its size classes and the largest of
#: them (Objects/obmalloc.c).
_POOL, _HEAD, _STEP, _LARGEST = 1 << 14, 48, 16, 512
#: So many side by side from a pool's first place on: it was empty.
_ROW = 3


def fill_gaps() -> list[object]:
    """Fill the gaps between the interpreter's objects: what a fork makes then lies side by side.

    Else each new object goes where an old one was, and its page is copied. The caller keeps the result.
    """
    kept: list[object] = []
    for size in range(_STEP, _LARGEST + 1, _STEP):
        last = row = 0
        for _ in range(1 << 16):
            kept.append(_filler(size))
            place = id(kept[-1])
            follows = row and place == last + size
            last = place
            # The first place of a pool may be a gap of an old one: the next ones tell.
            row = 1 if place % _POOL == _HEAD else row + 1 if follows else 0
            if row == _ROW:
                del kept[-_ROW:]
                break
    return kept


def _filler(size: int) -> object:
    """An object of a size class."""
    if size == _STEP:
        return object()
    if size == 2 * _STEP:
        return int.from_bytes(os.urandom(7), "big") | 1 << 58
    return bytes(size - sys.getsizeof(b"") - 1) + b"x"
