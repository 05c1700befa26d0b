"""What a container is to the kernel: the whole of it, decided beforehand, as one frozen value.

Rules: `compile` (pure) writes a ContainerSpec, the forked side carries it out and decides nothing.
It crosses the border as JSON (`encode`/`decode`), so every field is a plain value. What can only be
known inside the root (names in passwd, a program on PATH) is resolved there, by the init side.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bumped when a field changes meaning; a monitor outlives the engine that wrote its spec.
SPEC_VERSION = 1

MountKind = Literal[
    "bind", "tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup2", "cgroup", "overlay"
]
NamespaceKind = Literal["mount", "pid", "net", "uts", "ipc", "cgroup", "user"]


@dataclass(frozen=True, slots=True)
class Rootfs:
    """An overlay: `lower` are unpacked layers, topmost first; `upper` and `work` are host folders."""

    lower: tuple[str, ...]
    upper: str
    work: str
    merged: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount below the root, made in list order, by descriptor.

    `target` is absolute inside the container; missing mount points are made. `source` is a host
    path for a bind; `namespace` is the nsfs path of another mount namespace to find it in, `subpath`
    what below it is meant (never outside of it). `options` are mount options by their mount(8) names
    ("ro", "nosuid", "rbind", "rslave" ...); `data` is what the file system itself takes
    ("size=65536k,mode=755"; of a v1 "cgroup" the hierarchy's controllers); an overlay has `layers`.
    """

    kind: MountKind
    target: str
    source: str = ""
    options: tuple[str, ...] = ()
    data: str = ""
    namespace: str = ""
    subpath: str = ""
    layers: Rootfs | None = None


@dataclass(frozen=True, slots=True)
class Namespace:
    """`path` "" makes a new one; otherwise an nsfs path (/proc/PID/ns/x) to join. Left out: host's."""

    kind: NamespaceKind
    path: str = ""


@dataclass(frozen=True, slots=True)
class IdMap:
    """One line of uid_map or gid_map."""

    container_id: int
    host_id: int
    size: int


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A device node below /dev. `kind` is "c" or "b"."""

    path: str
    kind: Literal["c", "b"]
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """A cgroup device rule; None is the wildcard. `access` is a subset of "rwm"."""

    allow: bool
    kind: Literal["a", "c", "b"] = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


@dataclass(frozen=True, slots=True)
class Rlimit:
    """A resource limit by its RLIMIT_ name without prefix, lower case ("nofile"); -1 is infinity."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Limits:
    """cgroup limits in the kernel's units (bytes, microseconds, counts); None leaves the default."""

    memory: int | None = None
    memory_swap: int | None = None  # memory + swap, as Docker counts; -1 unlimited
    memory_reservation: int | None = None
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    cpu_shares: int | None = None
    cpu_quota: int | None = None
    cpu_period: int | None = None
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids: int | None = None
    blkio_weight: int | None = None
    weight_devices: tuple[tuple[int, int, int], ...] = ()
    # (major, minor, value) per device: bytes or operations per second
    read_bps: tuple[tuple[int, int, int], ...] = ()
    write_bps: tuple[tuple[int, int, int], ...] = ()
    read_iops: tuple[tuple[int, int, int], ...] = ()
    write_iops: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Cgroup:
    """Where the container's processes are accounted and limited.

    `path` is relative to each hierarchy's mount ("pycompose-<engine>/<id>"). `mode` is HostFacts'.
    """

    mode: Literal["v1", "hybrid", "v2"]
    path: str
    limits: Limits = Limits()
    devices: tuple[DeviceRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Capability names without CAP_, already intersected with the engine's own bounding set."""

    bounding: tuple[str, ...]
    effective: tuple[str, ...]
    permitted: tuple[str, ...]
    inheritable: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """One program to run inside: the container's own or an exec's.

    `user` is "name|uid[:group|gid]" or "", resolved inside the root; `groups` are extra ones by
    name or number. `seccomp` is the path of a compiled BPF program on the host, "" for none.
    Capabilities are those of root; a non-root user keeps only the bounding set, as in Docker.
    """

    args: tuple[str, ...]
    env: tuple[str, ...]
    cwd: str = "/"
    user: str = ""
    groups: tuple[str, ...] = ()
    terminal: bool = False
    terminal_size: tuple[int, int] | None = None  # rows, columns
    stdin_open: bool = False
    capabilities: Capabilities = Capabilities((), (), ())
    rlimits: tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    seccomp: str = ""
    oom_score_adj: int = 0
    umask: int = 0o022
    apparmor: str = ""  # a profile that the host has loaded


@dataclass(frozen=True, slots=True)
class LogTarget:
    """Where the monitor writes output; sizes in bytes, -1 no limit.

    `path` is the file of json-file and local, and what journald and syslog are read back from; "" for
    none. `fields` are journald's, `address` is syslog's ("unixgram:///dev/log", "tcp://host:601").
    `buffer` bytes wait for a journal or syslog that is slow; 0: the container waits for it.
    """

    driver: Literal["json-file", "local", "none", "journald", "syslog"] = "json-file"
    path: str = ""
    max_size: int = 20_000_000
    max_files: int = 5
    compress: bool = False
    attributes: tuple[tuple[str, str], ...] = ()
    tag: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    address: str = ""
    facility: int = 3
    form: str = ""  # "", "rfc3164", "rfc5424", "rfc5424micro"
    buffer: int = 0


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """All that the forked side needs to make a container and run its first process."""

    id: str
    rootfs: Rootfs
    process: Process
    namespaces: tuple[Namespace, ...]
    cgroup: Cgroup
    run_dir: str  # the monitor's socket, exit record and pid file live here
    log: LogTarget = LogTarget()
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[Mount, ...] = ()
    devices: tuple[DeviceNode, ...] = ()
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    uid_map: tuple[IdMap, ...] = ()
    gid_map: tuple[IdMap, ...] = ()
    init: bool = False  # our tiny init is PID 1: reaps, forwards signals
    dns: bool = False  # bind 127.0.0.11:53 (udp, tcp) inside, hand the sockets out
    rootfs_propagation: str = "private"
    version: int = SPEC_VERSION


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """A further process inside a running container."""

    id: str
    container_id: str
    container_pid: int
    container_start_time: int  # field 22 of /proc/PID/stat: a pid alone is no identity
    process: Process
    cgroup: Cgroup
    run_dir: str
    version: int = SPEC_VERSION


def lasting(spec: ContainerSpec) -> ContainerSpec:
    """What of a spec may still be asked for once it has been carried out: an engine keeps thousands."""
    return replace(
        spec,
        rootfs=Rootfs((), "", "", ""),
        mounts=(),
        devices=(),
        masked_paths=(),
        readonly_paths=(),
    )


Spec = TypeVar("Spec", ContainerSpec, ExecSpec)


def encode(spec: ContainerSpec | ExecSpec) -> bytes:
    """A spec as compact JSON: what has its default is left out."""
    return _encoder.encode(spec).encode()


def decode(kind: type[Spec], document: bytes) -> Spec:
    """The inverse of `encode`. Raises ValueError for a version this code does not know."""
    raw = json.loads(document)
    if raw.get("version") != SPEC_VERSION:
        raise ValueError(f"spec version {raw.get('version')}, this engine speaks {SPEC_VERSION}")
    wanted: Any = kind
    spec: Spec = _makers(wanted)(raw)
    return spec


def warm_up() -> None:
    """Work out once, before any fork, how the values are made: it takes milliseconds."""
    kinds: tuple[Any, ...] = (ContainerSpec, ExecSpec)
    for kind in kinds:
        _makers(kind)


def _fields_of(value: Any) -> dict[str, Any]:
    """A value's fields without those that have their defaults; what is inside is asked for in turn."""
    names, values, defaults = _reader(type(value))  # type: ignore[arg-type]  # a type is hashable
    return {
        name: value
        for name, value, default in zip(names, values(value), defaults, strict=True)
        if value is not default
    }


_encoder = json.JSONEncoder(separators=(",", ":"), default=_fields_of, check_circular=False)


@cache
def _reader(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], tuple[Any, ...]]:
    """Names, all values at once, defaults (of the version none: it is always said)."""
    if not is_dataclass(kind):
        raise TypeError(f"not a value of a spec: {kind.__name__}")
    names = tuple(f.name for f in fields(kind))
    one = attrgetter(names[0])
    return (
        names,
        attrgetter(*names) if len(names) > 1 else lambda value: (one(value),),
        tuple(MISSING if f.name == "version" else f.default for f in fields(kind)),
    )


@cache
def _makers(kind: Any) -> Any:
    """The function that makes a value of a type from JSON's; None where JSON has it already."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        parts = {f.name: make for f in fields(kind) if (make := _makers(hints[f.name]))}
        names = {f.name for f in fields(kind)}

        def build(raw: Any) -> Any:
            known = raw
            if not names.issuperset(raw):  # fields of another engine's
                known = {name: value for name, value in raw.items() if name in names}
            for name, make in parts.items():
                if name in known:
                    known[name] = make(known[name])
            return kind(**known)  # type: ignore[operator]  # a dataclass type is callable

        return build
    if get_origin(kind) is tuple:
        part = _makers(get_args(kind)[0])
        return (lambda raw: tuple(map(part, raw))) if part else tuple
    if get_origin(kind) in (Union, UnionType):
        part = _makers(next(a for a in get_args(kind) if a is not type(None)))
        return (lambda raw: None if raw is None else part(raw)) if part else None
    return None
