"""The kernel's calls that Python's standard library lacks: the only ctypes in the house.

Rules: one function per call, raising OSError with the errno and what it was about; no policy here.
Sources: the man pages of section 2; numbers from the kernel's unified table (equal on x86_64 and
aarch64 from 424 on).
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

_X86 = platform.machine() == "x86_64"
_NR_RT_SIGACTION = 13 if _X86 else 134
_NR_CLONE = 56 if _X86 else 220
_NR_PIVOT_ROOT = 155 if _X86 else 41
_NR_SECCOMP = 317 if _X86 else 277
_NR_CAPSET = 126 if _X86 else 91
_NR_BPF = 321 if _X86 else 280
_NR_OPEN_TREE = 428
_NR_MOVE_MOUNT = 429
_NR_FSOPEN = 430
_NR_FSCONFIG = 431
_NR_FSMOUNT = 432
_NR_CLONE3 = 435
_NR_CLOSE_RANGE = 436
_NR_OPENAT2 = 437
_NR_MOUNT_SETATTR = 442

CLONE_PIDFD = 0x1000
CLONE_PARENT = 0x8000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_INTO_CGROUP = 0x200000000

MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_ATIME_MASK = 0x70
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100
AT_FDCWD = -100
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40
FSOPEN_CLOEXEC = 1
FSMOUNT_CLOEXEC = 1
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_SET_FD = 5
FSCONFIG_CMD_CREATE = 6

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4
SECCOMP_SET_MODE_FILTER = 1

IN_CLOEXEC = os.O_CLOEXEC
IN_NONBLOCK = os.O_NONBLOCK
IN_MODIFY = 0x2
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE_SELF = 0x400


def _fail(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{os.strerror(number)} ({what})")


def _call(what: str, number: int, *arguments: object) -> int:
    result = int(_syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise _fail(what)
    return result


def default_signal(number: int) -> None:
    """rt_sigaction(2) to SIG_DFL, past the C library, which keeps 32 and 33 to itself."""
    # struct kernel_sigaction: handler, flags, restorer, mask; all zero is SIG_DFL.
    action = bytes(32)
    _call("rt_sigaction", _NR_RT_SIGACTION, number, action, None, ctypes.c_size_t(8))


def clone3(flags: int, cgroup_fd: int | None = None) -> tuple[int, int]:
    """clone3(2) without a new stack: (pid, pidfd) in the parent, (0, -1) in the child.

    Only for single-threaded processes: the child goes on in the same interpreter.
    """
    pidfd = ctypes.c_int(-1)
    if cgroup_fd is not None:
        flags |= CLONE_INTO_CGROUP
    ends = 0 if flags & CLONE_PARENT else signal.SIGCHLD  # a sibling's end is told like ours
    arguments = (ctypes.c_uint64 * 11)(
        flags | CLONE_PIDFD, ctypes.addressof(pidfd), 0, 0, ends, 0, 0, 0, 0, 0, cgroup_fd or 0
    )
    pid = _call("clone3", _NR_CLONE3, ctypes.byref(arguments), ctypes.c_size_t(88))
    return pid, pidfd.value if pid else -1


def clone_sibling() -> tuple[int, int]:
    """clone(2) of a child of our parent: (pid, pidfd) here, (0, -1) in the child.

    The old call, which filters let through where they refuse clone3. Only for single-threaded
    processes.
    """
    pidfd = ctypes.c_int(-1)
    flags = ctypes.c_ulong(CLONE_PARENT | CLONE_PIDFD | signal.SIGCHLD)
    nothing = ctypes.c_void_p(None)
    pid = _call("clone", _NR_CLONE, flags, nothing, ctypes.byref(pidfd), nothing, nothing)
    return pid, pidfd.value if pid else -1


class Clone3:
    """clone3(2) with all its objects made beforehand: a call touches next to nothing new.

    For a process that has just been forked and wants its pages to stay shared.
    """

    def __init__(self) -> None:
        self._pidfd = ctypes.c_int(-1)
        self._arguments = (ctypes.c_uint64 * 11)()
        self._arguments[1] = ctypes.addressof(self._pidfd)
        self._arguments[4] = signal.SIGCHLD
        self._words = (
            ctypes.c_long(_NR_CLONE3), ctypes.byref(self._arguments), ctypes.c_size_t(88),
        )  # fmt: skip

    def __call__(self, flags: int, cgroup_fd: int) -> tuple[int, int]:
        """As `clone3`; `cgroup_fd` -1 for none. Raises OSError."""
        self._arguments[0] = flags | CLONE_PIDFD | (CLONE_INTO_CGROUP if cgroup_fd >= 0 else 0)
        self._arguments[10] = max(cgroup_fd, 0)
        pid: int = _syscall(*self._words)
        if pid < 0:
            raise _fail("clone3")
        return pid, self._pidfd.value


def unshare(flags: int) -> None:
    """unshare(2)."""
    if _libc.unshare(ctypes.c_int(flags)) < 0:
        raise _fail("unshare")


def setns(fd: int, flags: int = 0) -> None:
    """setns(2)."""
    if _libc.setns(fd, flags) < 0:
        raise _fail("setns")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    if (
        _libc.mount(
            source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()
        )
        < 0
    ):
        raise _fail(f"mount {kind} on {target}")


def umount2(target: str, flags: int) -> None:
    """umount2(2)."""
    if _libc.umount2(target.encode(), flags) < 0:
        raise _fail(f"umount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    _call("pivot_root", _NR_PIVOT_ROOT, new_root.encode(), put_old.encode())


def fsopen(kind: str) -> int:
    """fsopen(2): a context to configure a new file system in."""
    return _call(f"fsopen {kind}", _NR_FSOPEN, kind.encode(), FSOPEN_CLOEXEC)


def fsconfig(
    fd: int, command: int, key: str | None = None, value: str | None = None, other: int = 0
) -> None:
    """fsconfig(2); the kernel's own words are added to the error. `other` is SET_FD's descriptor."""
    try:
        _call(
            f"fsconfig {key}",
            _NR_FSCONFIG,
            fd,
            command,
            key.encode() if key else None,
            value.encode() if value is not None else None,
            other,
        )
    except OSError as error:
        try:
            words = os.read(fd, 4096).decode(errors="replace").strip().removeprefix("e ")
        except OSError:
            words = ""
        raise OSError(error.errno, words or error.strerror) from error


def fsmount(fd: int, attributes: int) -> int:
    """fsmount(2): a detached mount of a created file system."""
    return _call("fsmount", _NR_FSMOUNT, fd, FSMOUNT_CLOEXEC, attributes)


def open_tree(directory: int, path: str, flags: int) -> int:
    """open_tree(2); with OPEN_TREE_CLONE a detached copy of a mount."""
    return _call(f"open_tree {path}", _NR_OPEN_TREE, directory, path.encode(), flags)


def move_mount(mount_fd: int, directory: int, path: str = "") -> None:
    """move_mount(2) of a detached mount onto a path, or onto the descriptor itself if path is ""."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | (0 if path else MOVE_MOUNT_T_EMPTY_PATH)
    _call(f"move_mount {path}", _NR_MOVE_MOUNT, mount_fd, b"", directory, path.encode(), flags)


def mount_setattr(  # the kernel's struct mount_attr has this many fields
    fd: int, *, set_: int = 0, clear: int = 0, propagation: int = 0, userns: int = 0,
    recursive: bool = False,
) -> None:  # fmt: skip
    """mount_setattr(2) on the mount behind a descriptor."""
    attributes = struct.pack("=QQQQ", set_, clear, propagation, userns)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    _call("mount_setattr", _NR_MOUNT_SETATTR, fd, b"", flags, attributes, ctypes.c_size_t(32))


def openat2(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2)."""
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, resolve)
    return _call(
        f"open {path}", _NR_OPENAT2, directory, os.fsencode(path), how, ctypes.c_size_t(24)
    )


def close_range(first: int, last: int = 0xFFFFFFFF) -> None:
    """close_range(2)."""
    _call("close_range", _NR_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), 0)


def close_all_but(fd: int) -> None:
    """Close every descriptor but stdio and one other."""
    if fd > 3:
        close_range(3, fd - 1)
    close_range(fd + 1)


_prctl = _libc["prctl"]  # one of our own: the types are for integers only
_prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)


def prctl(option: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
    """prctl(2) with integer arguments."""
    result = int(_prctl(option, a, b, c, d))
    if result < 0:
        raise _fail(f"prctl {option}")
    return result


def set_name(name: str) -> None:
    """prctl(PR_SET_NAME): the thread's name, 15 bytes."""
    _libc.prctl(PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) of this thread, 64-bit masks."""
    low = 0xFFFFFFFF
    header = struct.pack("=Ii", 0x20080522, 0)
    data = struct.pack(
        "=6I",
        effective & low, permitted & low, inheritable & low,
        effective >> 32, permitted >> 32, inheritable >> 32,
    )  # fmt: skip
    _call("capset", _NR_CAPSET, header, data)


def seccomp_load(program: bytes) -> None:
    """seccomp(2), SECCOMP_SET_MODE_FILTER: `program` is an array of struct sock_filter."""
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    _call("seccomp", _NR_SECCOMP, SECCOMP_SET_MODE_FILTER, 0, fprog)


def set_file_ids(uid: int, gid: int) -> None:
    """setfsuid(2) and setfsgid(2): who this thread is to file systems."""
    _libc.setfsgid(ctypes.c_uint32(gid))
    _libc.setfsuid(ctypes.c_uint32(uid))


def sethostname(name: str) -> None:
    """sethostname(2)."""
    raw = name.encode()
    if _libc.sethostname(raw, ctypes.c_size_t(len(raw))) < 0:
        raise _fail("sethostname")


def setdomainname(name: str) -> None:
    """setdomainname(2)."""
    raw = name.encode()
    if _libc.setdomainname(raw, ctypes.c_size_t(len(raw))) < 0:
        raise _fail("setdomainname")


def inotify_init() -> int:
    """inotify_init1(2), non-blocking, closed on exec."""
    fd = int(_libc.inotify_init1(IN_CLOEXEC | IN_NONBLOCK))
    if fd < 0:
        raise _fail("inotify_init1")
    return fd


def inotify_add_watch(fd: int, path: str, mask: int) -> int:
    """inotify_add_watch(2): the watch descriptor."""
    watch = int(_libc.inotify_add_watch(fd, os.fsencode(path), ctypes.c_uint32(mask)))
    if watch < 0:
        raise _fail(f"watch {path}")
    return watch


def inotify_rm_watch(fd: int, watch: int) -> None:
    """inotify_rm_watch(2); a watch that is gone already is no error."""
    _libc.inotify_rm_watch(fd, watch)


def bpf_load_device_filter(program: bytes) -> int:
    """bpf(2) BPF_PROG_LOAD of a BPF_PROG_TYPE_CGROUP_DEVICE program: its descriptor."""
    code = ctypes.create_string_buffer(program, len(program))
    words = ctypes.create_string_buffer(b"Apache-2.0")
    attributes = struct.pack(
        "=IIQQIIQ", 15, len(program) // 8, ctypes.addressof(code), ctypes.addressof(words), 0, 0, 0
    )
    attributes += bytes(128 - len(attributes))
    return _call("bpf load", _NR_BPF, 5, attributes, len(attributes))


def bpf_attach_device_filter(cgroup: int, program: int) -> None:
    """bpf(2) BPF_PROG_ATTACH of a device filter to a v2 cgroup, more than one allowed."""
    attributes = struct.pack("=IIIII", cgroup, program, 6, 2, 0)
    attributes += bytes(128 - len(attributes))
    _call("bpf attach", _NR_BPF, 8, attributes, len(attributes))
