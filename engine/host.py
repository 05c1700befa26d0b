"""What this host is and can do, looked at once: probes -> frozen HostFacts."""

from __future__ import annotations

import os
import platform
import resource
from dataclasses import dataclass, field
from glob import glob
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

CGROUP_ROOT = "/sys/fs/cgroup"
CPU_FOLDER = "/sys/devices/system/cpu"
#: Docker's names of resource limits, and the kernel's numbers (getrlimit(2)).
RLIMITS = {
    "cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "nproc": 6, "nofile": 7,
    "memlock": 8, "as": 9, "locks": 10, "sigpending": 11, "msgqueue": 12, "nice": 13, "rtprio": 14,
    "rttime": 15,
}  # fmt: skip
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
    apparmor: bool
    selinux: bool
    #: how far the engine can raise resource limits, by name ("nofile"); -1 for any
    hard_limits: Mapping[str, int] = field(default_factory=dict)
    #: cgroup files that take a limit here ("memory.max"); empty where that cannot be known
    limit_files: frozenset[str] = frozenset()
    cpu_list: str = ""  # the CPUs and memory nodes there are: "0-3"
    memory_nodes: str = ""
    thermal_paths: tuple[str, ...] = ()  # /sys/.../cpuN/thermal_throttle, which are masked

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
        apparmor=os.path.exists("/sys/kernel/security/apparmor"),
        selinux=os.path.exists("/sys/fs/selinux/enforce"),
        hard_limits=_hard_limits(),
        limit_files=_limit_files(mode, controllers),
        cpu_list=_line("/sys/devices/system/cpu/online"),
        memory_nodes=_line("/sys/devices/system/node/online") or "0",
        thermal_paths=tuple(sorted(glob(f"{CPU_FOLDER}/cpu[0-9]*/thermal_throttle"))),
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


def _hard_limits() -> dict[str, int]:
    """With CAP_SYS_RESOURCE nothing is too high but for open files, which a sysctl bounds."""
    if "SYS_RESOURCE" in bounding_set():
        return {"nofile": int(_line("/proc/sys/fs/nr_open") or -1)}
    hard = {name: resource.getrlimit(number)[1] for name, number in RLIMITS.items()}
    return {name: -1 if value == resource.RLIM_INFINITY else value for name, value in hard.items()}


def _limit_files(mode: str, controllers: tuple[str, ...]) -> frozenset[str]:
    """The names of the files in the hierarchies; v2's root has none of them, its children do."""
    names: set[str] = set()
    if mode == "v2":
        for entry in os.scandir(CGROUP_ROOT):
            if entry.is_dir():
                names.update(os.listdir(entry.path))
        return frozenset(names)
    for controller in controllers:
        names.update(
            name
            for name in os.listdir(f"{CGROUP_ROOT}/{controller}")
            if name.startswith(controller)
        )
    if "pids" in controllers:  # these, too, are not on the root
        names.add("pids.max")
    if "blkio.bfq.io_serviced" in names:
        names.update(("blkio.bfq.weight", "blkio.bfq.weight_device"))
    return frozenset(names)


def _line(path: str) -> str:
    try:
        with open(path) as stream:
            return stream.read().strip()
    except OSError:
        return ""


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
