"""From what was asked for and what the host is to a ContainerSpec. Pure: decides, touches nothing.

Rules: Docker's defaults or stricter ones; what the host cannot give is a warning, what makes no
sense is an InvalidRequestError; capabilities are cut to those the engine itself holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.errors import InvalidRequestError
from engine.host import CAPABILITY_NAMES
from engine.runtime import defaults
from engine.runtime.spec import (
    Capabilities,
    Cgroup,
    ContainerSpec,
    DeviceNode,
    DeviceRule,
    ExecSpec,
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
    namespaces: dict[str, str] = field(default_factory=dict)  # kind -> mode; left out: private
    cgroup_parent: str = ""
    oom_score_adj: int = 0
    init: bool = False
    dns: bool = False
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """The spec, and what the user should know about it."""

    spec: ContainerSpec
    warnings: tuple[str, ...]


def compile_container(inputs: ContainerInputs, host: HostFacts) -> Compiled:
    """Decide everything about a container. Raises InvalidRequestError."""
    warnings: list[str] = []
    no_new_privileges = _security(inputs.security_opt, host, warnings)
    namespaces = _namespaces(inputs.namespaces)
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
        rlimits=inputs.rlimits,
        no_new_privileges=no_new_privileges,
        seccomp="" if inputs.privileged else inputs.seccomp,
        oom_score_adj=inputs.oom_score_adj,
    )
    base = defaults.mounts(
        inputs.shm_size, privileged=inputs.privileged, ipc_private="ipc" in private
    )
    masked, readonly = inputs.masked_paths, inputs.readonly_paths
    hidden = defaults.MASKED_PATHS if masked is None else masked
    locked = defaults.READONLY_PATHS if readonly is None else readonly
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
        mounts=_ordered(base, (*_cgroup_mounts(inputs, host), *inputs.mounts)),
        devices=(*defaults.DEVICES, *inputs.devices),
        masked_paths=() if inputs.privileged else hidden,
        readonly_paths=() if inputs.privileged else locked,
        sysctls=_sysctls(inputs.sysctls, private),
        init=inputs.init,
        dns=inputs.dns and "net" in private,
    )
    return Compiled(spec, tuple(warnings))


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


def _security(options: Iterable[str], host: HostFacts, warnings: list[str]) -> bool:
    no_new_privileges = False
    for option in options:
        key, _, value = (
            option.replace(":", "=", 1).partition("=")
            if "=" not in option
            else option.partition("=")
        )
        if key == "no-new-privileges":
            no_new_privileges = value in ("", "true")
        elif key in ("apparmor", "label"):
            there = host.apparmor if key == "apparmor" else host.selinux
            if not there and value not in ("unconfined", "disable"):
                warnings.append(
                    f"security option {option} has no effect: this host has no {key} support"
                )
        elif key not in ("seccomp", "systempaths", "writable-cgroups"):
            raise InvalidRequestError(f"invalid security option {option!r}")
    return no_new_privileges


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
    for device in inputs.devices:
        rules = (*rules, DeviceRule(True, device.kind, device.major, device.minor))
    everything = (DeviceRule(allow=True),)
    devices = everything if inputs.privileged else rules
    if inputs.privileged and host.cgroup_mode != "v2":
        devices = ()
    return Cgroup(host.cgroup_mode, f"{parent}/{inputs.id}", inputs.limits, devices)


def _cgroup_mounts(inputs: ContainerInputs, host: HostFacts) -> tuple[Mount, ...]:
    options = (
        ("nosuid", "nodev", "noexec") if inputs.privileged else ("ro", "nosuid", "nodev", "noexec")
    )
    if host.cgroup_mode == "v2" and inputs.namespaces.get("cgroup", "private") == "private":
        return (Mount("cgroup", "/sys/fs/cgroup", options=options),)
    return ()


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
