"""From what was asked for and what the host is to a ContainerSpec. Pure: decides, touches nothing.

Rules: Docker's defaults or stricter ones; what the host cannot give is a warning, what makes no
sense is an InvalidRequestError; capabilities are cut to those the engine itself holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.errors import HostLimitError, InvalidRequestError
from engine.host import CAPABILITY_NAMES
from engine.runtime import defaults
from engine.runtime.cgroups.limits import missing_limits, writes_v1, writes_v2
from engine.runtime.security_options import parse_security_options
from engine.runtime.spec import (
    Capabilities,
    Cgroup,
    ContainerSpec,
    DeviceNode,
    DeviceRule,
    ExecSpec,
    IdMap,
    Limits,
    LogTarget,
    Mount,
    Namespace,
    Process,
    Rlimit,
    Rootfs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.host import HostFacts
    from engine.runtime.security_options import SecurityOptions

#: How many ids a user namespace of a container's own has.
ID_COUNT = 65536


@dataclass(frozen=True, slots=True)
class ContainerInputs:
    """What a container is to be, in plain terms; modes are "private", "host" or an nsfs path."""

    id: str
    engine_id: str
    rootfs: Rootfs
    args: tuple[str, ...]
    env: tuple[str, ...]
    run_dir: str
    log: LogTarget
    cwd: str = "/"
    user: str = ""
    groups: tuple[str, ...] = ()
    terminal: bool = False
    terminal_size: tuple[int, int] | None = None
    stdin_open: bool = False
    hostname: str = ""
    domainname: str = ""
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    seccomp: str = ""  # a compiled program's path
    rlimits: tuple[Rlimit, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    limits: Limits = Limits()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[DeviceNode, ...] = ()
    device_rules: tuple[DeviceRule, ...] = ()
    shm_size: int = defaults.SHM_SIZE
    #: "private", "none", "host", or the mount namespace whose /dev/shm is shared
    shm: str = "private"
    namespaces: dict[str, str] = field(default_factory=dict)  # kind -> mode; left out: private
    cgroup_parent: str = ""
    oom_score_adj: int = 0
    init: bool = False
    dns: bool = False
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None
    first_id: int = 0  # the host's id of root in a user namespace of its own; 0: none


@dataclass(frozen=True, slots=True)
class Compiled:
    """The spec, and what the user should know about it."""

    spec: ContainerSpec
    warnings: tuple[str, ...]


def compile_container(inputs: ContainerInputs, host: HostFacts) -> Compiled:
    """Decide everything about a container. Raises InvalidRequestError."""
    warnings: list[str] = []
    security = parse_security_options(inputs.security_opt)
    _warn_of_security(security, inputs, host, warnings)
    warnings += missing_limits(
        (writes_v2 if host.cgroup_mode == "v2" else writes_v1)(inputs.limits), host.limit_files
    )
    namespaces = _namespaces(inputs.namespaces)
    id_map = (IdMap(0, inputs.first_id, ID_COUNT),) if inputs.first_id else ()
    if id_map:
        namespaces = (*namespaces, Namespace("user"))
    private: set[str] = {namespace.kind for namespace in namespaces if not namespace.path}
    process = Process(
        args=inputs.args,
        env=inputs.env,
        cwd=inputs.cwd or "/",
        user=inputs.user,
        groups=inputs.groups,
        terminal=inputs.terminal,
        terminal_size=inputs.terminal_size,
        stdin_open=inputs.stdin_open,
        capabilities=capabilities(
            inputs.cap_add, inputs.cap_drop, host, privileged=inputs.privileged
        ),
        rlimits=_settle_rlimits(inputs.rlimits, host, warnings),
        no_new_privileges=security.no_new_privileges,
        seccomp=inputs.seccomp,
        oom_score_adj=inputs.oom_score_adj,
        apparmor=security.apparmor if host.apparmor else "",
    )
    base = defaults.mounts(inputs.shm_size, privileged=inputs.privileged, shm=inputs.shm)
    masked, readonly = inputs.masked_paths, inputs.readonly_paths
    hidden = (*defaults.MASKED_PATHS, *host.thermal_paths) if masked is None else masked
    locked = defaults.READONLY_PATHS if readonly is None else readonly
    open_paths = inputs.privileged or security.system_paths_unconfined
    writable = inputs.privileged or security.writable_cgroups
    spec = ContainerSpec(
        id=inputs.id,
        rootfs=inputs.rootfs,
        process=process,
        namespaces=namespaces,
        cgroup=_cgroup(inputs, host),
        run_dir=inputs.run_dir,
        log=inputs.log,
        hostname=inputs.hostname,
        domainname=inputs.domainname,
        mounts=tuple(
            _with_ids(mount, inputs.first_id)
            for mount in _ordered(
                (*base, *_cgroup_mounts(inputs, host, writable=writable)), inputs.mounts
            )
        ),
        devices=(*defaults.DEVICES, *inputs.devices),
        masked_paths=() if open_paths else hidden,
        readonly_paths=() if open_paths else locked,
        sysctls=_sysctls(inputs.sysctls, private),
        init=inputs.init,
        dns=inputs.dns and "net" in private,
        uid_map=id_map,
        gid_map=id_map,
    )
    return Compiled(spec, tuple(warnings))


def _with_ids(mount: Mount, first: int) -> Mount:
    """A file system's uid= and gid= as the host counts them."""
    if not first or mount.kind not in ("tmpfs", "devpts"):
        return mount
    options = [option.partition("=") for option in mount.data.split(",")]
    data = ",".join(
        f"{key}={first + int(value)}"
        if key in ("uid", "gid") and value.isdigit()
        else key + equals + value
        for key, equals, value in options
    )
    return replace(mount, data=data)


def compile_exec(  # an exec is this many facts
    exec_id: str,
    container: ContainerSpec,
    pid: int,
    start_time: int,
    process: Process,
    run_dir: str,
) -> ExecSpec:
    """A further process in a container, as confined as the container's own."""
    return ExecSpec(exec_id, container.id, pid, start_time, process, container.cgroup, run_dir)


def capabilities(
    add: Iterable[str], drop: Iterable[str], host: HostFacts, *, privileged: bool
) -> Capabilities:
    """Docker's rule: ALL added starts full, ALL dropped starts empty; then each by name."""
    added, dropped = _names(add), _names(drop)
    if privileged or "ALL" in added:
        chosen = set(CAPABILITY_NAMES)
    elif "ALL" in dropped:
        chosen = set()
    else:
        chosen = set(defaults.CAPABILITIES)
    if "ALL" in added:
        chosen -= dropped
    else:
        chosen = (chosen - dropped) | (added - {"ALL"})
    held = tuple(name for name in host.capabilities if name in chosen)
    return Capabilities(bounding=held, effective=held, permitted=held)


def _names(given: Iterable[str]) -> set[str]:
    names = {name.upper().removeprefix("CAP_") for name in given}
    for name in names:
        if name != "ALL" and name not in CAPABILITY_NAMES:
            raise InvalidRequestError(
                f'invalid capability: "CAP_{name}"', hint="see capabilities(7)"
            )
    return names


def _warn_of_security(
    security: SecurityOptions, inputs: ContainerInputs, host: HostFacts, warnings: list[str]
) -> None:
    """What is asked for and not to be had here."""
    if security.apparmor not in ("", "unconfined") and not host.apparmor:
        warnings.append(
            f"security option apparmor={security.apparmor} has no effect: this host has no AppArmor"
        )
    for label in security.labels:
        if label != "disable":
            why = "labels are not set" if host.selinux else "this host has no SELinux"
            warnings.append(f"security option label={label} has no effect: {why}")
    lacking = _names(inputs.cap_add) - {"ALL", *host.capabilities}
    if lacking:
        warnings.append(
            f"capabilities not given, because the engine lacks them itself: {', '.join(sorted(lacking))}"
        )


def _settle_rlimits(
    limits: Iterable[Rlimit], host: HostFacts, warnings: list[str]
) -> tuple[Rlimit, ...]:
    """The limits as the kernel will let the engine set them: "unlimited" is as far as that goes.

    Raises HostLimitError for a number above the engine's own.
    """
    settled = []
    for limit in limits:
        own = host.hard_limits.get(limit.name, -1)
        if own == -1 or 0 <= limit.hard <= own:
            settled.append(limit)
        elif limit.hard == -1:
            settled.append(Rlimit(limit.name, own if limit.soft == -1 else limit.soft, own))
            warnings.append(
                f"the ulimit {limit.name} is {own}, not unlimited: more the engine cannot give"
            )
        else:
            raise HostLimitError(
                f"cannot raise the ulimit {limit.name} to {limit.hard}: the engine can give at most {own}",
                hint=f"ask for at most {own}, or start the engine with a higher hard limit",
            )
    return tuple(settled)


def _namespaces(modes: dict[str, str]) -> tuple[Namespace, ...]:
    out = []
    for kind in ("mount", "pid", "net", "uts", "ipc", "cgroup"):
        mode = modes.get(kind, "private")
        if mode != "host":
            out.append(Namespace(kind, "" if mode == "private" else mode))
    return tuple(out)


def _cgroup(inputs: ContainerInputs, host: HostFacts) -> Cgroup:
    parent = inputs.cgroup_parent.strip("/") or f"pycompose-{inputs.engine_id}"
    if ".." in parent.split("/"):
        raise InvalidRequestError(f"invalid cgroup parent {inputs.cgroup_parent!r}")
    rules = (*defaults.DEVICE_RULES, *inputs.device_rules)
    everything = (DeviceRule(allow=True),)
    devices = everything if inputs.privileged else rules
    if inputs.privileged and host.cgroup_mode != "v2":
        devices = ()
    return Cgroup(host.cgroup_mode, f"{parent}/{inputs.id}", inputs.limits, devices)


def _cgroup_mounts(
    inputs: ContainerInputs, host: HostFacts, *, writable: bool
) -> tuple[Mount, ...]:
    """The container's view of its cgroup: all of v2; of v1 the hierarchies that limit it.

    A v1 hierarchy that it has not joined would show the host's whole tree.
    """
    locked = ("nosuid", "nodev", "noexec")
    options = locked if writable else ("ro", *locked)
    private = inputs.namespaces.get("cgroup", "private") == "private"
    if host.cgroup_mode == "v2":
        return (Mount("cgroup2", defaults.CGROUP_PATH, options=options),)
    used = dict.fromkeys(w.controller for w in writes_v1(inputs.limits))
    there = [name for name in used if name in host.controllers]
    if not private:
        bind = ("rbind", "rprivate", *options)
        return (Mount("bind", defaults.CGROUP_PATH, defaults.CGROUP_PATH, bind),)
    if not there:
        return ()
    return (
        Mount("tmpfs", defaults.CGROUP_PATH, options=locked, data="mode=755,size=64k"),
        *(
            Mount("cgroup", f"{defaults.CGROUP_PATH}/{name}", options=options, data=name)
            for name in there
        ),
    )


def _sysctls(asked: tuple[tuple[str, str], ...], private: set[str]) -> tuple[tuple[str, str], ...]:
    for key, _ in asked:
        kind = next(
            (
                k
                for k, names in defaults.NAMESPACED_SYSCTLS.items()
                for name in names
                if key.startswith(name)
            ),
            None,
        )
        if kind is None:
            raise InvalidRequestError(
                f"sysctl '{key}' is not allowed as it is not in a separate namespace"
            )
        if kind not in private:
            raise InvalidRequestError(
                f"sysctl '{key}' is not allowed in the host's {kind} namespace"
            )
    base = defaults.NETWORK_SYSCTLS if "net" in private else ()
    return tuple((dict(base) | dict(asked)).items())


def _ordered(base: tuple[Mount, ...], asked: tuple[Mount, ...]) -> tuple[Mount, ...]:
    """The user's mounts replace defaults at the same place; parents come before what is below them."""
    places = {mount.target.rstrip("/") for mount in asked}
    kept = [mount for mount in base if mount.target not in places]
    return (*kept, *sorted(asked, key=lambda mount: mount.target.rstrip("/").count("/")))
