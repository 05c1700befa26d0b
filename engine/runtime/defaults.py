"""What a container has when nobody asks for anything else: Docker's defaults. Data only.

Source: observed on Docker Engine and checked against its documentation (see the design's list).
"""

from __future__ import annotations

from functools import lru_cache

from engine.runtime.spec import DeviceNode, DeviceRule, Mount

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
    "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip

MASKED_PATHS = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
    "/proc/timer_stats", "/sys/firmware", "/sys/devices/virtual/powercap",
)  # fmt: skip
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

DEVICES = tuple(
    DeviceNode(f"/dev/{name}", "c", major, minor)
    for name, major, minor in (
        ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9),
        ("tty", 5, 0),
    )
)  # fmt: skip
DEVICE_RULES = (
    DeviceRule(allow=False),
    DeviceRule(allow=True, kind="c", access="m"),
    DeviceRule(allow=True, kind="b", access="m"),
    *(DeviceRule(True, "c", device.major, device.minor) for device in DEVICES),
    DeviceRule(allow=True, kind="c", major=5, minor=1),
    DeviceRule(allow=True, kind="c", major=5, minor=2),
    DeviceRule(allow=True, kind="c", major=136),
)

_LOCKED = ("nosuid", "nodev", "noexec")
CGROUP_PATH = "/sys/fs/cgroup"
SHM_SIZE = 64 << 20


@lru_cache(maxsize=16)
def mounts(shm_size: int, *, privileged: bool, shm: str) -> tuple[Mount, ...]:
    """The mounts below every root, in order; `shm_size` in bytes, `shm` as ContainerInputs has it."""
    sys_options = _LOCKED if privileged else ("ro", *_LOCKED)
    made: list[Mount] = [
        Mount("proc", "/proc", options=_LOCKED),
        Mount("tmpfs", "/dev", options=("nosuid",), data="mode=755,size=65536k"),
        Mount(
            "devpts", "/dev/pts", options=("nosuid", "noexec"),
            data="newinstance,ptmxmode=0666,mode=0620,gid=5",
        ),
        Mount("sysfs", "/sys", options=sys_options),
        Mount("mqueue", "/dev/mqueue", options=_LOCKED),
    ]  # fmt: skip
    if shm == "private":
        data = f"mode=1777,size={shm_size}"
        made.append(Mount("tmpfs", "/dev/shm", "shm", _LOCKED, data))
    elif shm != "none":
        other = "" if shm == "host" else shm
        made.append(Mount("bind", "/dev/shm", "/dev/shm", ("bind", *_LOCKED), namespace=other))
    return tuple(made)


#: Of a new network namespace: ping without privileges, low ports without privileges.
NETWORK_SYSCTLS = (
    ("net.ipv4.ping_group_range", "0 2147483647"),
    ("net.ipv4.ip_unprivileged_port_start", "0"),
)
#: Sysctls that belong to a namespace, by prefix or name, and so may be asked for.
NAMESPACED_SYSCTLS = {
    "net": ("net.",),
    "ipc": (
        "fs.mqueue.", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
        "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
    ),
    "uts": ("kernel.domainname", "kernel.hostname"),
}  # fmt: skip
