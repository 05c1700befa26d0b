"""GET /info: the engine and its host in one document, and what the host lacks as warnings."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.api.times import rfc3339
from engine.containers import cdi

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.host import HostFacts

#: The limits that need a controller, in the words of Docker's warnings.
_NEEDS = (
    ("memory", "memory limit"),
    ("cpu", "cpu shares"),
    ("cpuset", "cpuset"),
    ("pids", "pids limit"),
)
_FILE_SYSTEMS = {"ext2": "extfs", "ext3": "extfs", "ext4": "extfs"}  # what Docker calls them


@dataclass(frozen=True, slots=True)
class Counts:
    """What only the engine's loop can count."""

    containers: int
    running: int
    paused: int
    images: int
    tasks: int
    listeners: int


def info_json(engine: Engine, counts: Counts) -> dict[str, Any]:
    """The whole document. Reads the host's files: call it in a thread."""
    host = engine.host
    return {
        "ID": engine.id,
        "Name": host.hostname,
        "Containers": counts.containers,
        "ContainersRunning": counts.running,
        "ContainersPaused": counts.paused,
        "ContainersStopped": counts.containers - counts.running - counts.paused,
        "Images": counts.images,
        "Driver": "overlay2",
        "DriverStatus": _driver_status(str(engine.layout.root)),
        "SystemStatus": None,
        "DockerRootDir": str(engine.layout.root),
        "Plugins": {
            "Volume": ["local"],
            "Network": ["bridge", "host", "null"],
            "Authorization": None,
            "Log": ["journald", "json-file", "local", "none", "syslog"],
        },
        **_limits(host),
        "IPv4Forwarding": _sysctl("net/ipv4/ip_forward") == "1",
        "BridgeNfIptables": False,
        "BridgeNfIp6tables": False,
        "Debug": False,
        "NFd": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "NGoroutines": counts.tasks,
        "SystemTime": rfc3339(time.time_ns()),
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2" if host.cgroup_mode == "v2" else "1",
        "NEventsListener": counts.listeners,
        "KernelVersion": host.kernel_release,
        "OperatingSystem": host.os_name,
        "OSVersion": _os_version(),
        "OSType": "linux",
        "Architecture": host.machine,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": _registries(),
        "NCPU": host.cpus,
        "MemTotal": host.memory_total,
        "GenericResources": None,
        "HttpProxy": _proxy("http_proxy"),
        "HttpsProxy": _proxy("https_proxy"),
        "NoProxy": _proxy("no_proxy"),
        "Labels": [],
        "ExperimentalBuild": False,
        "ServerVersion": engine.version,
        "Runtimes": {"pycompose": {"path": "pycompose"}},
        "DefaultRuntime": "pycompose",
        "Swarm": {
            "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False,
            "Error": "", "RemoteManagers": None,
        },
        "LiveRestoreEnabled": True,
        "Isolation": "",
        "InitBinary": "pycompose",
        "ContainerdCommit": _no_commit(),
        "RuncCommit": _no_commit(),
        "InitCommit": _no_commit(),
        "SecurityOptions": _security(host),
        "ProductLicense": "Apache-2.0",
        "FirewallBackend": {"Driver": "nftables"},
        "CDISpecDirs": list(cdi.folders()),
        "DiscoveredDevices": [
            {"Source": "cdi", "ID": name} for name in cdi.read_catalogue(cdi.folders()).devices
        ],
        "Warnings": warnings(host) or None,
    }  # fmt: skip


def warnings(host: HostFacts) -> list[str]:
    """What a user of limits has to know about this host. Pure."""
    found = [
        f"WARNING: No {words} support" for name, words in _NEEDS if name not in _controllers(host)
    ]
    if "blkio" not in host.controllers and "io" not in host.controllers:
        found.append("WARNING: No blkio throttle support")
    return found


def _controllers(host: HostFacts) -> set[str]:
    """Controllers by name; v1 may have cpu and cpuacct in one folder."""
    return {name for entry in host.controllers for name in entry.split(",")}


def _limits(host: HostFacts) -> dict[str, bool]:
    there = _controllers(host)
    return {
        "MemoryLimit": "memory" in there,
        "SwapLimit": "memory" in there,
        "CpuCfsPeriod": "cpu" in there,
        "CpuCfsQuota": "cpu" in there,
        "CPUShares": "cpu" in there,
        "CPUSet": "cpuset" in there,
        "PidsLimit": "pids" in there,
        "OomKillDisable": host.cgroup_mode != "v2",
    }


def _driver_status(root: str) -> list[list[str]]:
    kind = _file_system(root)
    return [
        ["Backing Filesystem", _FILE_SYSTEMS.get(kind, kind)],
        ["Supports d_type", "true"],
        ["Using metacopy", "false"],
        ["Native Overlay Diff", "true"],
        ["userxattr", "false"],
    ]


def _file_system(path: str) -> str:
    """The type of the mount that a path is on."""
    best, kind = "", "unknown"
    with Path("/proc/self/mountinfo").open(errors="replace") as lines:
        for line in lines:
            left, _, right = line.partition(" - ")
            place = left.split()[4]
            if f"{path}/".startswith(f"{place.rstrip('/')}/") and len(place) >= len(best):
                best, kind = place, right.split()[0]
    return kind


def _registries() -> dict[str, Any]:
    hub = {"Mirrors": [], "Name": "docker.io", "Official": True, "Secure": True}
    local = ["::1/128", "127.0.0.0/8"]
    return {"IndexConfigs": {"docker.io": hub}, "InsecureRegistryCIDRs": local, "Mirrors": None}


def _security(host: HostFacts) -> list[str]:
    found = ["name=apparmor"] if host.apparmor else []
    return [*found, "name=seccomp,profile=builtin", "name=cgroupns"]


def _os_version() -> str:
    import platform

    try:
        return platform.freedesktop_os_release().get("VERSION_ID", "")
    except OSError:
        return ""


def _sysctl(name: str) -> str:
    try:
        return Path(f"/proc/sys/{name}").read_text().strip()
    except OSError:
        return ""


def _proxy(name: str) -> str:
    return os.environ.get(name.upper()) or os.environ.get(name) or ""


def _no_commit() -> dict[str, str]:
    return {"ID": ""}
