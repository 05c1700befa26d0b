"""A service as a value: every attribute in its long form, defaults applied, paths absolute.

Durations are nanoseconds, sizes bytes (the Engine API's units), modes ints; None is "not said". What
has attributes of its own has a room of its own beside this one.
Source: the Compose Specification, services; field names are its attributes.
"""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.model.blkio import BlkioConfig
    from compose.model.build import Build
    from compose.model.dependency import Dependency
    from compose.model.deploy import Deploy
    from compose.model.device import Device, DeviceRequest
    from compose.model.files import FileGrant
    from compose.model.health import HealthCheck
    from compose.model.hook import Hook
    from compose.model.mount import Mount
    from compose.model.network import ServiceNetwork
    from compose.model.port import Port


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
