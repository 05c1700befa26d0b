"""What this host is and can do, looked at once: probes -> frozen HostFacts."""

from __future__ import annotations

import os
import platform
import resource
from dataclasses import dataclass
from typing import Literal

CGROUP_ROOT = "/sys/fs/cgroup"
#: Capability numbers by name, in the kernel's order (linux/capability.h).
CAPABILITY_NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Facts about the host that decisions depend on."""

    kernel_release: str
    machine: str
    os_name: str
    hostname: str
    cpus: int
    memory_total: int  # bytes
    cgroup_mode: Literal["v1", "hybrid", "v2"]
    controllers: tuple[str, ...]
    capabilities: tuple[str, ...]  # names without CAP_ that the engine may hand on
    nofile: tuple[int, int]
    apparmor: bool
    selinux: bool

    @property
    def architecture(self) -> str:
        """The machine in Go's words, as images have it."""
        names = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
        return names.get(self.machine, self.machine)


def probe_host() -> HostFacts:
    """Look at the host. Reads /proc and /sys; changes nothing."""
    uname = os.uname()
    mode, controllers = _cgroups()
    return HostFacts(
        kernel_release=uname.release,
        machine=uname.machine,
        os_name=_os_name(),
        hostname=uname.nodename,
        cpus=len(os.sched_getaffinity(0)),
        memory_total=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        cgroup_mode=mode,
        controllers=controllers,
        capabilities=bounding_set(),
        nofile=resource.getrlimit(resource.RLIMIT_NOFILE),
        apparmor=os.path.exists("/sys/kernel/security/apparmor"),
        selinux=os.path.exists("/sys/fs/selinux/enforce"),
    )


def bounding_set() -> tuple[str, ...]:
    """The capabilities of this process's bounding set, by name."""
    with open("/proc/self/status") as lines:
        mask = next(int(line.split()[1], 16) for line in lines if line.startswith("CapBnd:"))
    return tuple(name for number, name in enumerate(CAPABILITY_NAMES) if mask >> number & 1)


def _cgroups() -> tuple[Literal["v1", "hybrid", "v2"], tuple[str, ...]]:
    if os.path.exists(f"{CGROUP_ROOT}/cgroup.controllers"):
        with open(f"{CGROUP_ROOT}/cgroup.controllers") as stream:
            return "v2", tuple(stream.read().split())
    folders = sorted(os.listdir(CGROUP_ROOT)) if os.path.isdir(CGROUP_ROOT) else []
    hybrid = os.path.exists(f"{CGROUP_ROOT}/unified/cgroup.procs")
    controllers = tuple(name for name in folders if name not in ("unified", "systemd"))
    return ("hybrid" if hybrid else "v1"), controllers


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
