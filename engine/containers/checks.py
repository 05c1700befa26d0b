"""What of a request makes no sense, whatever the host: limits and modes, in Docker's words. Pure.

Source: the Engine API's answers to such requests (limits: 400 with these messages).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from engine.errors import InvalidRequestError, NotSupportedError
from engine.host import RLIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.containers.config import Config, HealthConfig, HostConfig
    from engine.containers.model import MountPoint

SMALLEST_MEMORY = 6 << 20
SHORTEST_NS = 1_000_000  # of a health check's durations
IPC_MODES = ("", "none", "private", "shareable", "host")
USERNS_MODES = ("", "host", "auto")


def check_environment(env: Iterable[str]) -> None:
    """Every variable has a name. Raises InvalidRequestError."""
    for entry in env:
        if not entry.partition("=")[0]:
            raise InvalidRequestError(f"invalid environment variable: {entry}")


def check_health(health: HealthConfig) -> None:
    """Durations are 0 (inherited) or at least 1ms, retries not negative. Raises InvalidRequestError."""
    for name, nanoseconds in (
        ("Interval", health.interval), ("Timeout", health.timeout),
        ("StartPeriod", health.start_period), ("StartInterval", health.start_interval),
    ):  # fmt: skip
        if nanoseconds and nanoseconds < SHORTEST_NS:
            raise InvalidRequestError(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidRequestError("Retries in Healthcheck cannot be negative")


def check_limits(host: HostConfig) -> None:
    """Raises InvalidRequestError, NotSupportedError."""
    _check_memory(host)
    _check_cpu(host)
    weights = (host.blkio_weight, *(device.weight for device in host.blkio_weight_device or ()))
    if any(weight and not 10 <= weight <= 1000 for weight in weights):
        raise InvalidRequestError("Range of blkio weight is from 10 to 1000")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidRequestError(
            f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )
    if host.shm_size < 0:
        raise InvalidRequestError("SHM size can not be less than 0")
    for limit in host.ulimits or ():
        name = limit.name.lower().removeprefix("rlimit_")
        if name not in RLIMITS:
            raise InvalidRequestError(f"invalid ulimit type: {limit.name}")
        if limit.hard != -1 and (limit.soft > limit.hard or limit.soft == -1):
            raise InvalidRequestError(
                f"ulimit {name}: soft limit must be less than or equal to hard limit: "
                f"{limit.soft} > {limit.hard}"
            )


def _check_memory(host: HostConfig) -> None:
    memory, swap, reservation = host.memory, host.memory_swap, host.memory_reservation
    words = ""
    if memory < 0 or reservation < 0 or swap < -1:
        words = "invalid memory limit: a number of bytes is not negative"
    elif 0 < memory < SMALLEST_MEMORY:
        words = "Minimum memory limit allowed is 6MB"
    elif 0 < reservation < SMALLEST_MEMORY:
        words = "Minimum memory reservation allowed is 6MB"
    elif memory and 0 < swap < memory:
        words = "Minimum memoryswap limit should be larger than memory limit, see usage"
    elif not memory and swap > 0:
        words = "You should always set the Memory limit when using Memoryswap limit, see usage"
    elif memory and reservation > memory:
        words = "Minimum memory limit can not be less than memory reservation limit, see usage"
    elif host.memory_swappiness is not None and not -1 <= host.memory_swappiness <= 100:
        words = f"Invalid value: {host.memory_swappiness}, valid memory swappiness range is 0-100"
    if words:
        raise InvalidRequestError(words)


def _check_cpu(host: HostConfig) -> None:
    words = ""
    if host.cpu_realtime_period or host.cpu_realtime_runtime:
        raise NotSupportedError(
            "cpu_rt_period and cpu_rt_runtime are not supported: there is no real-time group scheduling"
        )
    if host.nano_cpus < 0 or host.cpu_shares < 0:
        words = "invalid CPU shares or count: the value must be a positive integer"
    elif host.nano_cpus and host.cpu_period:
        words = "Conflicting options: Nano CPUs and CPU Period cannot both be set"
    elif host.nano_cpus and host.cpu_quota:
        words = "Conflicting options: Nano CPUs and CPU Quota cannot both be set"
    elif host.cpu_period and not 1000 <= host.cpu_period <= 1_000_000:
        words = (
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    elif host.cpu_quota and host.cpu_quota != -1 and host.cpu_quota < 1000:
        words = "CPU cfs quota can not be less than 1ms (i.e. 1000)"
    if words:
        raise InvalidRequestError(words)
    for what, text in (("cpus", host.cpuset_cpus), ("mems", host.cpuset_mems)):
        parse_set(text, what)


def parse_set(text: str, what: str) -> set[int]:
    """ "0-2,5" -> {0, 1, 2, 5}. Raises InvalidRequestError."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        low, dash, high = part.partition("-")
        high = high if dash else low
        numbers = low.isdecimal() and high.isdecimal() and len(low) < 6 and len(high) < 6
        if not numbers or int(low) > int(high):
            raise InvalidRequestError(f"Invalid value {text} for cpuset {what}")
        found.update(range(int(low), int(high) + 1))
    return found


def check_modes(config: Config, host: HostConfig) -> None:
    """The namespace modes, alone and together. Raises InvalidRequestError."""
    for what, mode, plain in (
        ("PID", host.pid_mode, ("", "private", "host")),
        ("IPC", host.ipc_mode, IPC_MODES),
        ("UTS", host.uts_mode, ("", "private", "host")),
        ("cgroup namespace", host.cgroupns_mode, ("", "private", "host")),
        ("user namespace", host.userns_mode, USERNS_MODES),
    ):
        joins = what in ("PID", "IPC") and len(mode) > 10 and mode.startswith("container:")
        if mode not in plain and not joins:
            raise InvalidRequestError(f"invalid {what} mode: {mode}")
    shared = host.network_mode.startswith("container:")
    conflicts = (
        (host.uts_mode == "host" and config.hostname, "hostname and the UTS mode"),
        (host.uts_mode == "host" and config.domainname, "domainname and the UTS mode"),
        (shared and config.hostname, "hostname and the network mode"),
        (shared and host.dns, "dns and the network mode"),
        (shared and host.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (shared and config.mac_address, "mac-address and the network mode"),
        (shared and host.links, "links and the network mode"),
        (shared and host.port_bindings, "port publishing and the container type network mode"),
    )
    for there, words in conflicts:
        if there:
            raise InvalidRequestError(f"conflicting options: {words}")


def check_own_ids(host: HostConfig) -> None:
    """What cannot go with a user namespace of the container's own. Raises InvalidRequestError."""
    hint = "give it userns_mode: host"
    if host.privileged:
        raise InvalidRequestError("privileged mode is incompatible with user namespaces", hint=hint)
    for what, mode in (
        ("network", host.network_mode), ("pid", host.pid_mode), ("ipc", host.ipc_mode),
        ("uts", host.uts_mode), ("cgroup", host.cgroupns_mode),
    ):  # fmt: skip
        if mode == "host" or mode.startswith("container:"):
            whose = "the host's" if mode == "host" else "another container's"
            raise InvalidRequestError(
                f"cannot share {whose} {what} namespace when user namespaces are enabled", hint=hint
            )


def check_own_mounts(points: Iterable[MountPoint]) -> None:
    """The same of its mounts. Raises InvalidRequestError."""
    for point in points:
        if point.propagation in ("shared", "rshared"):
            raise InvalidRequestError(
                f"the mount propagation {point.propagation} of {point.destination} is not possible "
                "when user namespaces are enabled",
                hint="give the container userns_mode: host",
            )


def check_names(host: HostConfig) -> None:
    """Name servers and further hosts. Raises InvalidRequestError."""
    for server in host.dns:
        if not _is_address(server):
            raise InvalidRequestError(f"invalid DNS server {server!r}: it must be an IP address")
    for entry in host.extra_hosts or ():
        name, mark, address = entry.partition("=" if "=" in entry else ":")
        plain = address.removeprefix("[").removesuffix("]")
        if not (name and mark and (address == "host-gateway" or _is_address(plain))):
            raise InvalidRequestError(f"bad format for add-host: {entry!r}: write NAME:ADDRESS")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_devices(host: HostConfig) -> None:
    """Raises InvalidRequestError."""
    for device in host.devices or ():
        access = device.cgroup_permissions
        if access and set(access) - set("rwm"):
            raise InvalidRequestError(f"invalid device mode: {access}")
        if not device.path_on_host.startswith("/"):
            raise InvalidRequestError(
                f"bad device path: {device.path_on_host!r} must be absolute",
                hint="a device by name (CDI) is a device request of the driver cdi",
            )
