"""A Container in the runtime's terms: limits, namespaces, devices, log target. Reads the host's /dev only."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

from engine.containers.cdi import NOTHING
from engine.containers.checks import parse_set
from engine.containers.log_options import log_target
from engine.errors import InvalidRequestError
from engine.runtime.compile import ContainerInputs
from engine.runtime.program import DEFAULT_PATH
from engine.runtime.security_options import parse_security_options
from engine.runtime.spec import DeviceNode, DeviceRule, Limits, Rlimit, Rootfs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from engine.containers.cdi import Edits
    from engine.containers.config import Config, DeviceMapping, HostConfig, ThrottleDevice
    from engine.containers.model import Container
    from engine.host import HostFacts
    from engine.runtime.spec import Mount

CPU_PERIOD = 100_000
#: Below /dev, but a container's own (or made by whoever made the host a container).
OWN_DEVICES = {
    "/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd", "/dev/console", "/dev/ptmx", "/dev/.lxc",
    "/dev/.lxd-mounts", "/dev/.udev",
}  # fmt: skip


def container_inputs(  # noqa: PLR0913  # what the engine adds to a container's own wishes
    container: Container,
    *,
    engine_id: str,
    rootfs: Rootfs,
    folder: Path,
    run_dir: Path,
    mounts: tuple[Mount, ...],
    namespaces: dict[str, str],
    dns: bool,
    seccomp: str,
    shm: str = "private",
    edits: Edits = NOTHING,
) -> ContainerInputs:
    """All that the compiler needs to know; `edits` come with devices. Raises InvalidRequestError."""
    config, host = container.config, container.host_config
    devices, rules = _devices(host.devices)
    devices, rules = (*devices, *edits.nodes), (*rules, *edits.rules)
    if host.privileged:
        given = {node.path for node in devices}
        devices = (*(n for n in host_devices("/dev") if n.path not in given), *devices)
    return ContainerInputs(
        id=container.id,
        engine_id=engine_id,
        rootfs=rootfs,
        args=(container.path, *container.args),
        env=with_edits(environment(config), edits.env),
        run_dir=str(run_dir),
        log=log_target(container, str(folder / f"{container.id}-json.log")),
        cwd=config.working_dir or "/",
        user=config.user,
        groups=(*(host.group_add or ()), *edits.groups),
        terminal=config.tty,
        terminal_size=_size(host.console_size) if config.tty else None,
        stdin_open=config.open_stdin,
        hostname=config.hostname,
        domainname=config.domainname,
        privileged=host.privileged,
        cap_add=tuple(host.cap_add or ()),
        cap_drop=tuple(host.cap_drop or ()),
        security_opt=tuple(host.security_opt or ()),
        seccomp=seccomp,
        rlimits=tuple(
            Rlimit(u.name.lower().removeprefix("rlimit_"), u.soft, u.hard)
            for u in host.ulimits or ()
        ),
        sysctls=tuple((host.sysctls or {}).items()),
        limits=limits_of(host),
        mounts=(*mounts, *edits.mounts),
        devices=devices,
        device_rules=(*rules, *(parse_rule(text) for text in host.device_cgroup_rules or ())),
        shm_size=host.shm_size,
        shm=shm,
        namespaces=namespaces,
        cgroup_parent=host.cgroup_parent,
        oom_score_adj=host.oom_score_adj,
        init=bool(host.init),
        dns=dns,
        masked_paths=host.masked_paths,
        readonly_paths=host.readonly_paths,
        first_id=container.first_id,
    )  # fmt: skip


def environment(config: Config) -> tuple[str, ...]:
    """The variables with those that Docker adds: PATH, HOSTNAME, TERM. A name without a value is none of them."""
    have = {entry.partition("=")[0] for entry in config.env}
    extra = {"PATH": DEFAULT_PATH, "HOSTNAME": config.hostname}
    if config.tty:
        extra["TERM"] = "xterm"
    added = tuple(f"{key}={value}" for key, value in extra.items() if key not in have and value)
    return (*added, *set_ones(config.env))


def set_ones(env: Iterable[str]) -> tuple[str, ...]:
    """The entries with a value; Docker takes a name alone for a variable that is not to be."""
    return tuple(entry for entry in env if "=" in entry)


def with_edits(env: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """What devices say goes before the container's own."""
    names = {entry.partition("=")[0] for entry in more}
    return (*(entry for entry in env if entry.partition("=")[0] not in names), *more)


def limits_of(host: HostConfig) -> Limits:
    """HostConfig's limits in the kernel's units."""
    quota, period = host.cpu_quota or None, host.cpu_period or None
    if host.nano_cpus:
        quota, period = host.nano_cpus * CPU_PERIOD // 1_000_000_000, CPU_PERIOD
    swap = host.memory_swap or (host.memory * 2 if host.memory else 0)
    return Limits(
        memory=host.memory or None,
        memory_swap=swap or None,
        memory_reservation=host.memory_reservation or None,
        memory_swappiness=None if host.memory_swappiness == -1 else host.memory_swappiness,
        oom_kill_disable=bool(host.oom_kill_disable),
        cpu_shares=host.cpu_shares or None,
        cpu_quota=quota,
        cpu_period=period,
        cpuset_cpus=host.cpuset_cpus,
        cpuset_mems=host.cpuset_mems,
        pids=host.pids_limit or None,
        blkio_weight=host.blkio_weight or None,
        weight_devices=tuple(
            (*_number_of(device.path), device.weight) for device in host.blkio_weight_device or ()
        ),
        read_bps=_throttles(host.blkio_device_read_bps),
        write_bps=_throttles(host.blkio_device_write_bps),
        read_iops=_throttles(host.blkio_device_read_i_ops),
        write_iops=_throttles(host.blkio_device_write_i_ops),
    )


def _throttles(devices: Iterable[ThrottleDevice]) -> tuple[tuple[int, int, int], ...]:
    return tuple((*_number_of(device.path), device.rate) for device in devices or ())


def _number_of(path: str) -> tuple[int, int]:
    number = _stat(path).st_rdev
    return os.major(number), os.minor(number)


def _devices(
    asked: Iterable[DeviceMapping],
) -> tuple[tuple[DeviceNode, ...], tuple[DeviceRule, ...]]:
    """The nodes, and what may be done with each. Raises InvalidRequestError."""
    nodes: list[DeviceNode] = []
    rules: list[DeviceRule] = []
    for device in asked or ():
        target = device.path_in_container or device.path_on_host
        status = _stat(device.path_on_host)
        if stat.S_ISDIR(status.st_mode):
            found = host_devices(device.path_on_host, target)
        elif _kind(status):
            found = [_node(target, status)]
        else:
            raise InvalidRequestError(
                f'error gathering device information while adding custom device "{device.path_on_host}": not a device node'
            )
        nodes += found
        access = device.cgroup_permissions or "rwm"
        rules += [DeviceRule(True, n.kind, n.major, n.minor, access) for n in found]
    return tuple(nodes), tuple(rules)


def host_devices(folder: str, target: str = "") -> list[DeviceNode]:
    """Every device node in a folder of the host and below, but for what is a container's own."""
    found: list[DeviceNode] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        place = f"{target or folder}/{entry.name}"
        if entry.is_symlink() or place in OWN_DEVICES:
            continue
        if entry.is_dir():
            found += host_devices(entry.path, place)
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # gone meanwhile
            continue
        if _kind(status):
            found.append(_node(place, status))
    return found


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise InvalidRequestError(
            f'error gathering device information while adding custom device "{path}": {error.strerror}'
        ) from error


def _kind(status: os.stat_result) -> str:
    return "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""


def _node(path: str, status: os.stat_result) -> DeviceNode:
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b"
    number = status.st_rdev
    return DeviceNode(
        path, kind, os.major(number), os.minor(number), stat.S_IMODE(status.st_mode),  # type: ignore[arg-type]  # one of two letters
        status.st_uid, status.st_gid,
    )  # fmt: skip


def parse_rule(text: str) -> DeviceRule:
    """ "c 1:3 rwm" -> a rule. Raises InvalidRequestError."""
    try:
        kind, numbers, access = text.split()
        major, _, minor = numbers.partition(":")
        if kind not in ("a", "b", "c") or not access or set(access) - set("rwm"):
            raise ValueError(text)  # noqa: TRY301  # said below, in one place
        return DeviceRule(
            True, kind, None if major == "*" else int(major), None if minor == "*" else int(minor),  # type: ignore[arg-type]  # one of three letters
            access,
        )  # fmt: skip
    except ValueError as error:
        raise InvalidRequestError(
            f'invalid device cgroup rule format: "{text}"', hint='write "c 1:3 rwm"'
        ) from error


def seccomp_choice(host: HostConfig) -> tuple[bool, dict[str, object] | None]:
    """(whether to filter, a profile of the user's own). Raises InvalidRequestError."""
    asked = parse_security_options(host.security_opt or ()).seccomp
    if asked in ("", "builtin", "unconfined"):
        return asked == "builtin" or (asked == "" and not host.privileged), None
    try:
        document = json.loads(asked)
    except ValueError as error:
        raise InvalidRequestError(
            f"invalid seccomp profile: {error}",
            hint="the client sends the profile's content, not its path",
        ) from error
    if not isinstance(document, dict):
        raise InvalidRequestError("invalid seccomp profile: it is no JSON object")
    return True, document


def _size(size: tuple[int, ...]) -> tuple[int, int] | None:
    return (size[0], size[1]) if len(size) == 2 and all(size) else None


def check_against_host(host_config: HostConfig, host: HostFacts) -> None:
    """Refuse what this host can never give. Raises InvalidRequestError."""
    if host_config.nano_cpus and host_config.nano_cpus > host.cpus * 1_000_000_000:
        raise InvalidRequestError(
            f"range of CPUs is from 0.01 to {host.cpus}.00, as there are only {host.cpus} CPUs available"
        )
    for what, words, asked, there in (
        ("cpus", "CPUs", host_config.cpuset_cpus, host.cpu_list),
        ("mems", "memory nodes", host_config.cpuset_mems, host.memory_nodes),
    ):
        if asked and there and parse_set(asked, what) - parse_set(there, what):
            raise InvalidRequestError(
                f"Requested {words} are not available - requested {asked}, available: {there}"
            )
