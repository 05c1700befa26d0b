"""What a container is asked to be: Docker's Config and HostConfig, field by field (API 1.51).

Values only: no defaults are applied here but the JSON's own (absent means empty). `docker_json`
turns Docker's documents into these and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.containers.docker_json import named, optional


@dataclass(frozen=True, slots=True)
class HealthConfig:
    """HEALTHCHECK: durations in nanoseconds, 0 inherits; `test` () inherits, ("NONE",) disables."""

    test: tuple[str, ...] = ()
    interval: int = optional(0)
    timeout: int = optional(0)
    start_period: int = optional(0)
    start_interval: int = optional(0)
    retries: int = optional(0)


@dataclass(frozen=True, slots=True)
class Config:
    """The part of a container that an image may preset. `cmd`, `entrypoint`: None is "not given"."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: Mapping[str, Mapping[str, Any]] = named("ExposedPorts", None, hide_empty=True)
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] | None = None
    healthcheck: HealthConfig | None = optional()
    args_escaped: bool = optional(False)
    image: str = ""
    volumes: Mapping[str, Mapping[str, Any]] = named("Volumes", None)
    working_dir: str = ""
    entrypoint: tuple[str, ...] | None = None
    network_disabled: bool = optional(False)
    mac_address: str = optional("")
    on_build: tuple[str, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = optional("")
    stop_timeout: int | None = optional()
    shell: tuple[str, ...] | None = optional()


@dataclass(frozen=True, slots=True)
class LogConfig:
    """The log driver and its options."""

    type: str = ""
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """`name`: "", "no", "always", "on-failure", "unless-stopped"."""

    name: str = ""
    maximum_retry_count: int = 0


@dataclass(frozen=True, slots=True)
class PortBinding:
    """One published place of a port; `host_port` "" for a free one, or a range "8000-8010"."""

    host_ip: str = ""
    host_port: str = ""


@dataclass(frozen=True, slots=True)
class DeviceMapping:
    """A host device given to the container."""

    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """Devices asked for by a driver (GPUs, CDI)."""

    driver: str = ""
    count: int = 0
    device_i_ds: tuple[str, ...] = named("DeviceIDs", ())
    capabilities: tuple[tuple[str, ...], ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ulimit:
    """One resource limit."""

    name: str = ""
    soft: int = 0
    hard: int = 0


@dataclass(frozen=True, slots=True)
class WeightDevice:
    """blkio weight of one device."""

    path: str = ""
    weight: int = 0


@dataclass(frozen=True, slots=True)
class ThrottleDevice:
    """blkio rate of one device."""

    path: str = ""
    rate: int = 0


@dataclass(frozen=True, slots=True)
class BindOptions:
    """Options of a bind in the long form."""

    propagation: str = optional("")
    non_recursive: bool = optional(False)
    create_mountpoint: bool = optional(False)
    read_only_non_recursive: bool = optional(False)
    read_only_force_recursive: bool = optional(False)
    map_owner: bool = optional(False)  # ours: the folder's owner is, inside, the container's user


@dataclass(frozen=True, slots=True)
class DriverConfig:
    """A volume driver and its options."""

    name: str = optional("")
    options: Mapping[str, str] = named("Options", None, hide_empty=True)


@dataclass(frozen=True, slots=True)
class VolumeOptions:
    """Options of a volume in the long form."""

    no_copy: bool = optional(False)
    labels: Mapping[str, str] = named("Labels", None, hide_empty=True)
    subpath: str = optional("")
    driver_config: DriverConfig | None = optional()


@dataclass(frozen=True, slots=True)
class TmpfsOptions:
    """Options of a tmpfs in the long form: bytes, permission bits, mount options."""

    size_bytes: int = optional(0)
    mode: int = optional(0)
    options: tuple[tuple[str, ...], ...] = optional(())


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """Options of an image mount."""

    subpath: str = optional("")


@dataclass(frozen=True, slots=True)
class MountRequest:
    """HostConfig.Mounts[]: `type` bind, volume, tmpfs, image, npipe or cluster."""

    type: str = ""
    source: str = optional("")
    target: str = ""
    read_only: bool = optional(False)
    consistency: str = optional("")
    bind_options: BindOptions | None = optional()
    volume_options: VolumeOptions | None = optional()
    tmpfs_options: TmpfsOptions | None = optional()
    image_options: ImageOptions | None = optional()


@dataclass(frozen=True, slots=True)
class HostConfig:
    """The part of a container that belongs to the host."""

    binds: tuple[str, ...] | None = None
    container_id_file: str = named("ContainerIDFile", "")
    log_config: LogConfig = LogConfig()
    network_mode: str = ""
    port_bindings: Mapping[str, tuple[PortBinding, ...]] = field(default_factory=dict)
    restart_policy: RestartPolicy = RestartPolicy()
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: tuple[str, ...] | None = None
    console_size: tuple[int, ...] = (0, 0)
    annotations: Mapping[str, str] = named("Annotations", None, hide_empty=True)
    cap_add: tuple[str, ...] | None = None
    cap_drop: tuple[str, ...] | None = None
    cgroupns_mode: str = ""
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] | None = None
    group_add: tuple[str, ...] | None = None
    ipc_mode: str = ""
    cgroup: str = ""
    links: tuple[str, ...] | None = None
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: tuple[str, ...] | None = None
    storage_opt: Mapping[str, str] = named("StorageOpt", None, hide_empty=True)
    tmpfs: Mapping[str, str] = named("Tmpfs", None, hide_empty=True)
    uts_mode: str = named("UTSMode", "")
    userns_mode: str = ""
    shm_size: int = 0
    sysctls: Mapping[str, str] = named("Sysctls", None, hide_empty=True)
    runtime: str = ""
    isolation: str = ""
    cpu_shares: int = 0
    memory: int = 0
    nano_cpus: int = 0
    cgroup_parent: str = ""
    blkio_weight: int = 0
    blkio_weight_device: tuple[WeightDevice, ...] = ()
    blkio_device_read_bps: tuple[ThrottleDevice, ...] = ()
    blkio_device_write_bps: tuple[ThrottleDevice, ...] = ()
    blkio_device_read_i_ops: tuple[ThrottleDevice, ...] = named("BlkioDeviceReadIOps", ())
    blkio_device_write_i_ops: tuple[ThrottleDevice, ...] = named("BlkioDeviceWriteIOps", ())
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: tuple[DeviceMapping, ...] = ()
    device_cgroup_rules: tuple[str, ...] | None = None
    device_requests: tuple[DeviceRequest, ...] | None = None
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool | None = None
    pids_limit: int | None = None
    ulimits: tuple[Ulimit, ...] | None = None
    cpu_count: int = 0
    cpu_percent: int = 0
    io_maximum_iops: int = named("IOMaximumIOps", 0)
    io_maximum_bandwidth: int = named("IOMaximumBandwidth", 0)
    mounts: tuple[MountRequest, ...] = optional(())
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None
    init: bool | None = optional()
