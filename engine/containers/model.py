"""A container as a value: what was asked, what it is, how it is doing. Frozen; stored as JSON.

Config and HostConfig (Docker's documents, field by field) are in `config`; this room adds the
request, the state, and the stored Container. A change is a new value (`dataclasses.replace`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.containers.config import Config, HostConfig
from engine.containers.docker_json import named, optional

Status = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
WaitCondition = Literal["not-running", "next-exit", "removed"]


@dataclass(frozen=True, slots=True)
class IpamConfig:
    """Addresses asked for on one network."""

    ipv4_address: str = named("IPv4Address", "", hide_empty=True)
    ipv6_address: str = named("IPv6Address", "", hide_empty=True)
    link_local_ips: tuple[str, ...] = named("LinkLocalIPs", (), hide_empty=True)


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """A container's place on one network, as asked (the engine adds what came of it)."""

    ipam_config: IpamConfig | None = named("IPAMConfig", None)
    links: tuple[str, ...] | None = None
    mac_address: str = ""
    aliases: tuple[str, ...] | None = None
    driver_opts: Mapping[str, str] | None = None
    gw_priority: int = 0


@dataclass(frozen=True, slots=True)
class NetworkingConfig:
    """The networks of a create request, by name."""

    endpoints_config: Mapping[str, EndpointSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerRequest:
    """POST /containers/create. `name` "" lets the engine choose one."""

    config: Config
    host_config: HostConfig = HostConfig()
    networking: NetworkingConfig = NetworkingConfig()
    name: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """The answer to a create."""

    id: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthLog:
    """One probe: times in nanoseconds since the epoch."""

    start_ns: int = 0
    end_ns: int = 0
    exit_code: int = 0
    output: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """`status`: "starting", "healthy", "unhealthy"; "none" where there is no check."""

    status: str = "none"
    failing_streak: int = 0
    log: tuple[HealthLog, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """How a container is doing. Times in nanoseconds since the epoch, 0 for never."""

    status: Status = "created"
    pid: int = 0
    start_time: int = 0  # of the pid, in the kernel's ticks: a pid alone is no identity
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    health: Health | None = None
    #: stopped by a person: `unless-stopped` and `always` leave it alone until it is started again
    stopped_by_user: bool = False

    @property
    def running(self) -> bool:
        """Docker's Running: it has processes; true while paused."""
        return self.status in ("running", "paused")


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A mount as decided at create: Docker's Mounts[] of an inspect."""

    type: str
    destination: str
    source: str = ""
    name: str = optional("")
    driver: str = optional("")
    mode: str = ""
    rw: bool = named("RW", True)
    propagation: str = ""
    #: further facts that the mount needs at start; not shown by inspect
    options: tuple[str, ...] = ()
    data: str = ""
    no_copy: bool = False
    subpath: str = ""
    anonymous: bool = False
    non_recursive: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """The stored document. `config` is complete (merged with the image's), `path`/`args` decided."""

    id: str
    name: str
    created_ns: int
    image: str  # the image's id
    config: Config
    host_config: HostConfig
    path: str = ""
    args: tuple[str, ...] = ()
    #: by network name, in the order they were asked for
    networks: Mapping[str, EndpointSettings] = field(default_factory=dict)
    mounts: tuple[MountPoint, ...] = ()
    state: State = State()
    restart_count: int = 0
    platform: str = "linux"
    #: container this one's network, pid or ipc namespace comes from were resolved to ids at create
    network_container: str = ""
    #: the host's id of its root, in a user namespace of its own; 0: it has none
    first_id: int = 0


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """POST /containers/{id}/exec. `env` are assignments; `user` "" is the container's own."""

    cmd: tuple[str, ...] = ()
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    tty: bool = False
    console_size: tuple[int, ...] | None = None  # rows, columns
    detach_keys: str = ""
    env: tuple[str, ...] = ()
    working_dir: str = ""
    privileged: bool = False
    user: str = ""


@dataclass(frozen=True, slots=True)
class Exec:
    """An exec that was created; `exit_code` is None until it has ended."""

    id: str
    container_id: str
    request: ExecRequest
    running: bool = False
    exit_code: int | None = None
    pid: int = 0
    started: bool = False


@dataclass(frozen=True, slots=True)
class LogRequest:
    """GET /containers/{id}/logs. Times in nanoseconds since the epoch; `tail` None for all."""

    stdout: bool = True
    stderr: bool = True
    follow: bool = False
    timestamps: bool = False
    details: bool = False
    since_ns: int | None = None
    until_ns: int | None = None
    tail: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """POST /containers/{id}/update: only what is given (not None) changes."""

    cpu_shares: int | None = None
    memory: int | None = None
    nano_cpus: int | None = None
    blkio_weight: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_realtime_period: int | None = None
    cpu_realtime_runtime: int | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    memory_reservation: int | None = None
    memory_swap: int | None = None
    pids_limit: int | None = None
    restart_policy_name: str | None = None
    restart_policy_retries: int | None = None


@dataclass(frozen=True, slots=True)
class PathStat:
    """Docker's X-Docker-Container-Path-Stat; `mode` in Go's FileMode bits, `mtime_ns` since the epoch."""

    name: str
    size: int
    mode: int
    mtime_ns: int
    link_target: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of `docker diff`: 0 modified, 1 added, 2 deleted."""

    path: str
    kind: Literal[0, 1, 2]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune removed, and how many bytes that freed."""

    deleted: tuple[str, ...] = ()
    space_reclaimed: int = 0
