"""A service as a value: every attribute in its long form, defaults applied, paths absolute.

Durations are nanoseconds, sizes bytes (the Engine API's units), modes ints; None is "not said".
Source: the Compose Specification, services; field names are its attributes.
"""

from __future__ import annotations

from collections.abc import Mapping

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]


class Dependency(Record):
    """One entry of depends_on."""

    condition: Condition = "service_started"
    required: bool = True
    restart: bool = False


class FileGrant(Record):
    """A config or secret given to a service or a build; `mode` None is the default 0444."""

    source: str
    target: str = ""
    uid: str = ""
    gid: str = ""
    mode: int | None = None


class Build(Record):
    """How the image is made; `context` is an absolute path or a URL."""

    context: str = ""
    dockerfile: str = ""
    dockerfile_inline: str = ""
    args: Mapping[str, str | None] = EMPTY
    additional_contexts: Mapping[str, str] = EMPTY
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    entitlements: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    isolation: str = ""
    labels: Mapping[str, str] = EMPTY
    network: str = ""
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    privileged: bool = False
    provenance: str = ""
    pull: bool = False
    sbom: str = ""
    secrets: tuple[FileGrant, ...] = ()
    shm_size: int | None = None
    ssh: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    target: str = ""
    ulimits: Mapping[str, tuple[int, int]] = EMPTY


class HealthCheck(Record):
    """`test` () inherits the image's; `disable` switches it off."""

    test: tuple[str, ...] = ()
    interval: int | None = None
    timeout: int | None = None
    retries: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    disable: bool = False


class Port(Record):
    """One published or exposed port. `published` "" is any free one, or "8000-8010" a range."""

    target: int
    published: str = ""
    protocol: str = "tcp"
    host_ip: str = ""
    mode: str = "ingress"
    name: str = ""
    app_protocol: str = ""


class Mount(Record):
    """One entry of volumes. `source` of a volume is the key in the project's volumes, "" anonymous."""

    type: Literal["volume", "bind", "tmpfs", "npipe", "cluster", "image"]
    target: str
    source: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_propagation: str = ""
    bind_create_host_path: bool = False
    bind_recursive: str = ""
    bind_selinux: str = ""
    bind_map_owner: bool = False  # x-map-owner, ours: its owner is, inside, the container's user
    volume_nocopy: bool = False
    volume_subpath: str = ""
    volume_labels: Mapping[str, str] = EMPTY
    tmpfs_size: int | None = None
    tmpfs_mode: int | None = None
    image_subpath: str = ""


class ServiceNetwork(Record):
    """A service's place on one of the project's networks."""

    aliases: tuple[str, ...] = ()
    interface_name: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac_address: str = ""
    gw_priority: int = 0
    priority: int = 0
    driver_opts: Mapping[str, str] = EMPTY


class Device(Record):
    """A host device given to the container."""

    source: str
    target: str
    permissions: str = "rwm"


class DeviceRequest(Record):
    """gpus, or deploy.resources.reservations.devices; `count` -1 is all."""

    capabilities: tuple[str, ...] = ()
    count: int | None = None
    device_ids: tuple[str, ...] = ()
    driver: str = ""
    options: Mapping[str, str] = EMPTY


class Hook(Record):
    """pre_start, post_start or pre_stop: a command run at that moment."""

    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: Mapping[str, str | None] = EMPTY
    image: str = ""  # of pre_start only: "" is the service's
    per_replica: bool = True  # of pre_start only


class BlkioConfig(Record):
    """blkio_config; per device (path, value)."""

    weight: int | None = None
    weight_device: tuple[tuple[str, int], ...] = ()
    device_read_bps: tuple[tuple[str, int], ...] = ()
    device_read_iops: tuple[tuple[str, int], ...] = ()
    device_write_bps: tuple[tuple[str, int], ...] = ()
    device_write_iops: tuple[tuple[str, int], ...] = ()


class RestartPolicy(Record):
    """deploy.restart_policy."""

    condition: str = ""
    delay: int | None = None
    max_attempts: int | None = None
    window: int | None = None


class Deploy(Record):
    """The part of deploy that means something on one host; `document` is all of it."""

    mode: str = ""
    replicas: int | None = None
    labels: Mapping[str, str] = EMPTY
    restart_policy: RestartPolicy | None = None
    limit_cpus: float | None = None
    limit_memory: int | None = None
    limit_pids: int | None = None
    reserved_cpus: float | None = None
    reserved_memory: int | None = None
    devices: tuple[DeviceRequest, ...] = ()
    document: Mapping[str, Any] = EMPTY


class Service(Record):
    """One service. `command`, `entrypoint`: None is the image's, () is none at all.

    `document` is the canonical mapping that `config` prints for it, and what the config hash is of.
    """

    name: str
    image: str = ""
    build: Build | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    container_name: str = ""
    depends_on: Mapping[str, Dependency] = EMPTY
    deploy: Deploy | None = None
    scale: int | None = None
    profiles: tuple[str, ...] = ()
    pull_policy: str = ""
    platform: str = ""
    attach: bool = True
    environment: Mapping[str, str | None] = EMPTY
    labels: Mapping[str, str] = EMPTY
    annotations: Mapping[str, str] = EMPTY
    healthcheck: HealthCheck | None = None
    restart: str = ""
    stop_signal: str = ""
    stop_grace_period: int | None = None
    logging_driver: str = ""
    logging_options: Mapping[str, str] = EMPTY
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()
    networks: Mapping[str, ServiceNetwork] = EMPTY
    network_mode: str = ""
    hostname: str = ""
    domainname: str = ""
    mac_address: str = ""
    dns: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()  # "host=address"
    links: tuple[str, ...] = ()
    external_links: tuple[str, ...] = ()
    volumes: tuple[Mount, ...] = ()
    volumes_from: tuple[str, ...] = ()
    tmpfs: tuple[str, ...] = ()
    configs: tuple[FileGrant, ...] = ()
    secrets: tuple[FileGrant, ...] = ()
    user: str = ""
    group_add: tuple[str, ...] = ()
    working_dir: str = ""
    tty: bool = False
    stdin_open: bool = False
    init: bool | None = None
    read_only: bool = False
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    userns_mode: str = ""
    pid: str = ""
    ipc: str = ""
    uts: str = ""
    cgroup: str = ""
    cgroup_parent: str = ""
    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    gpus: tuple[DeviceRequest, ...] = ()
    sysctls: Mapping[str, str] = EMPTY
    ulimits: Mapping[str, tuple[int, int]] = EMPTY  # soft, hard
    shm_size: int | None = None
    runtime: str = ""
    isolation: str = ""
    storage_opt: Mapping[str, str] = EMPTY
    cpus: float | None = None
    cpu_count: int | None = None
    cpu_percent: float | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_rt_period: int | None = None
    cpu_rt_runtime: int | None = None
    cpu_shares: int | None = None
    cpuset: str = ""
    mem_limit: int | None = None
    mem_reservation: int | None = None
    mem_swappiness: int | None = None
    memswap_limit: int | None = None
    oom_kill_disable: bool = False
    oom_score_adj: int | None = None
    pids_limit: int | None = None
    blkio_config: BlkioConfig | None = None
    post_start: tuple[Hook, ...] = ()
    pre_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    use_api_socket: bool = False
    models: Mapping[str, Any] = EMPTY
    develop: Mapping[str, Any] = EMPTY
    provider: Mapping[str, Any] = EMPTY
    credential_spec: Mapping[str, Any] = EMPTY
    document: Mapping[str, Any] = EMPTY

    @property
    def replicas(self) -> int:
        """How many containers there are to be."""
        if self.scale is not None:
            return self.scale
        if self.deploy is not None and self.deploy.replicas is not None:
            return self.deploy.replicas
        return 1
