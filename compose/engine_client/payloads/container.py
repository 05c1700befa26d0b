"""A service -> the body of POST /containers/create, as docker compose writes it. Pure."""

from __future__ import annotations

from compose.engine_client.payloads.mounts import volume_keys
from compose.engine_client.payloads.networking import (
    container_mac,
    exposed_ports,
    link_list,
    network_keys,
    port_bindings,
)
from compose.engine_client.payloads.resources import resources
from compose.errors import ProjectError
from compose.model import labels
from compose.model.files import GRANT_KINDS
from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from compose.model.health import HealthCheck
    from compose.model.hook import Hook
    from compose.model.observed import ObservedMount
    from compose.model.project import Project
    from compose.model.service import Service

START_INTERVAL = (1, 44)
IMAGE_MOUNTS = (1, 48)
#: deploy.restart_policy's words -> the engine's.
RESTART_NAMES = {"none": "no", "any": "always"}


class ContainerSpec(Record):
    """What a container is beyond its service. `peers`: service -> its containers (name, id)."""

    name: str
    number: int = 0
    config_hash: str = ""
    contents_hash: str = ""
    image_id: str = ""
    replaces: str = ""
    oneoff: bool = False
    slug: str = ""
    use_aliases: bool = True
    attach_stdin: bool = False
    auto_remove: bool = False
    inherited: tuple[ObservedMount, ...] = ()
    image_volumes: tuple[str, ...] = ()
    peers: Mapping[str, Sequence[tuple[str, str]]] = EMPTY
    profiles: Mapping[str, str] = EMPTY  # seccomp profile's path -> its JSON


class CreateRequest(Record):
    """The body, and the networks that an older engine connects only afterwards."""

    body: dict[str, Any]
    connect_after: tuple[tuple[str, dict[str, Any]], ...] = ()


def image_of(project: Project, service: Service) -> str:
    """The image's name: the service's own, or project-service for what is built."""
    return service.image or project.name_of(service.name)


def container_labels(project: Project, service: Service, spec: ContainerSpec) -> dict[str, str]:
    """The service's labels and those that make the container known again."""
    own = {
        labels.CONFIG_HASH: spec.config_hash,
        labels.DEPENDS_ON: ",".join(
            f"{name}:{need.condition}:{str(need.restart).lower()}"
            for name, need in service.depends_on.items()
        ),
        labels.ONEOFF: str(spec.oneoff),
        labels.PROJECT: project.name,
        labels.CONFIG_FILES: ",".join(project.files),
        labels.WORKING_DIR: project.working_dir,
        labels.SERVICE: service.name,
        labels.VERSION: labels.COMPATIBLE_VERSION,
    }
    if spec.contents_hash:
        own[labels.CONTENTS_HASH] = spec.contents_hash
    if spec.image_id:
        own[labels.IMAGE] = spec.image_id
    if spec.number > 0:
        own[labels.NUMBER] = str(spec.number)
    if spec.slug:
        own[labels.SLUG] = spec.slug
    if spec.replaces:
        own[labels.REPLACE] = spec.replaces
    return {**service.labels, **own}


def create_request(
    project: Project, service: Service, spec: ContainerSpec, version: tuple[int, int]
) -> CreateRequest:
    """All of it. Raises ProjectError, naming the attribute, for what this engine cannot do."""
    check_honoured(service, version)
    links = link_list(project, service, spec.peers, spec.number)
    aliases = [spec.name, service.name] if spec.use_aliases else [spec.name]
    mode = resolve_mode(service, "network_mode", spec)
    endpoints: dict[str, Any] = {}
    later: list[tuple[str, dict[str, Any]]] = []
    if not mode:
        mode, endpoints, later = network_keys(project, service, aliases, links, version)
    host: dict[str, Any] = {
        "NetworkMode": mode,
        "AutoRemove": spec.auto_remove,
        "Annotations": dict(service.annotations),
        "CapAdd": list(service.cap_add),
        "CapDrop": list(service.cap_drop),
        "Init": service.init,
        "IpcMode": resolve_mode(service, "ipc", spec),
        "PidMode": resolve_mode(service, "pid", spec),
        "UTSMode": service.uts,
        "UsernsMode": service.userns_mode,
        "CgroupnsMode": service.cgroup,
        "ReadonlyRootfs": service.read_only,
        "RestartPolicy": restart_policy(service),
        "ShmSize": service.shm_size,
        "Sysctls": dict(service.sysctls),
        "PortBindings": port_bindings(service),
        "VolumesFrom": volumes_from(service, spec),
        "Dns": list(service.dns),
        "DnsSearch": list(service.dns_search),
        "DnsOptions": list(service.dns_opt),
        "ExtraHosts": [entry.replace("=", ":", 1) for entry in service.extra_hosts],
        "StorageOpt": dict(service.storage_opt),
        "Privileged": service.privileged,
        "Isolation": service.isolation,
        "Runtime": service.runtime,
        "LogConfig": log_config(service),
        "GroupAdd": list(service.group_add),
        "Links": links,
        **security(service, spec.profiles),
        **resources(service),
        **volume_keys(project, service, spec.inherited, spec.image_volumes),
    }
    body = config_keys(project, service, spec, version)
    # An empty Cmd or Entrypoint says "none", which differs from not saying anything.
    body = {key: value for key, value in body.items() if value not in (None, "", False, {})}
    body["HostConfig"] = {
        key: value
        for key, value in host.items()
        if value not in (None, "", False, {}, []) or key in ("MaskedPaths", "ReadonlyPaths")
    }
    if endpoints:
        body["NetworkingConfig"] = {"EndpointsConfig": endpoints}
    return CreateRequest(body, tuple(later))


def config_keys(
    project: Project, service: Service, spec: ContainerSpec, version: tuple[int, int]
) -> dict[str, Any]:
    """The portable half of the body."""
    return {
        "Hostname": service.hostname,
        "Domainname": service.domainname,
        "User": service.user,
        "ExposedPorts": exposed_ports(service),
        "Tty": service.tty,
        "OpenStdin": service.stdin_open,
        "StdinOnce": spec.attach_stdin and service.stdin_open,
        "AttachStdin": spec.attach_stdin,
        "AttachStdout": True,
        "AttachStderr": True,
        "Cmd": None if service.command is None else list(service.command),
        "Entrypoint": None if service.entrypoint is None else list(service.entrypoint) or [""],
        "Image": image_of(project, service),
        "WorkingDir": service.working_dir,
        "MacAddress": container_mac(service, version),
        "Labels": container_labels(project, service, spec),
        "StopSignal": service.stop_signal,
        "Env": environment_list(service.environment),
        "Healthcheck": health_check(service.healthcheck),
        "StopTimeout": seconds(service.stop_grace_period),
    }


def environment_list(environment: Mapping[str, str | None]) -> list[str] | None:
    """ "K=V" entries; a bare "K" takes the variable away."""
    found = [key if value is None else f"{key}={value}" for key, value in environment.items()]
    return found or None


def seconds(duration: int | None) -> int | None:
    """Nanoseconds -> whole seconds."""
    return None if duration is None else duration // 1_000_000_000


def health_check(check: HealthCheck | None) -> dict[str, Any] | None:
    """HealthConfig; what is not said is the image's or the engine's."""
    if check is None:
        return None
    body = {
        "Test": ["NONE"] if check.disable else list(check.test),
        "Interval": check.interval,
        "Timeout": check.timeout,
        "Retries": check.retries,
        "StartPeriod": check.start_period,
        "StartInterval": check.start_interval,
    }
    return {key: value for key, value in body.items() if value}


def restart_policy(service: Service) -> dict[str, Any]:
    """restart, or deploy.restart_policy, which goes before it."""
    name, _, attempts = service.restart.partition(":")
    tries = int(attempts) if attempts.isdigit() else 0
    policy = service.deploy.restart_policy if service.deploy is not None else None
    if policy is not None:
        name, tries = policy.condition, policy.max_attempts or 0
    name = RESTART_NAMES.get(name, name)
    if not name:
        return {}
    return {"Name": name, "MaximumRetryCount": tries} if tries else {"Name": name}


def log_config(service: Service) -> dict[str, Any]:
    """Where the container's lines go, if the project says so."""
    body = {"Type": service.logging_driver, "Config": dict(service.logging_options)}
    return {key: value for key, value in body.items() if value}


def security(service: Service, profiles: Mapping[str, str]) -> dict[str, Any]:
    """SecurityOpt, with seccomp profiles as JSON; "systempaths=unconfined" is two other keys."""
    options: list[str] = []
    more: dict[str, Any] = {}
    for option in service.security_opt:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if option == "systempaths=unconfined":
            more = {"MaskedPaths": [], "ReadonlyPaths": []}
        elif name == "seccomp" and value in profiles:
            options.append(f"seccomp={profiles[value]}")
        elif not value and name != "no-new-privileges":
            raise ProjectError(
                f'services.{service.name}.security_opt: invalid security-opt: "{option}"'
            )
        else:
            options.append(option)
    return {"SecurityOpt": options, **more}


def resolve_mode(service: Service, attribute: str, spec: ContainerSpec) -> str:
    """ "service:x" -> "container:ID of x's first container". Raises ProjectError if there is none."""
    mode = str(getattr(service, attribute))
    if not mode.startswith("service:"):
        return mode
    name = mode.removeprefix("service:")
    peers = spec.peers.get(name)
    if not peers:
        raise ProjectError(
            f"services.{service.name}.{attribute}: service {name} has no container to share with: "
            f"start it too"
        )
    return f"container:{peers[0][1]}"


def volumes_from(service: Service, spec: ContainerSpec) -> list[str]:
    """volumes_from with services replaced by their first containers."""
    found: list[str] = []
    for entry in service.volumes_from:
        if entry.startswith("container:"):
            found.append(entry.removeprefix("container:"))
            continue
        name, _, mode = entry.partition(":")
        peers = spec.peers.get(name)
        if not peers:
            raise ProjectError(
                f"services.{service.name}.volumes_from: service {name} has no container to share with"
            )
        found.append(f"{peers[0][1]}:{mode}" if mode else peers[0][1])
    return found


def hook_body(hook: Hook, *, attach: bool) -> dict[str, Any]:
    """The body of POST /containers/{id}/exec for post_start and pre_stop."""
    return {
        "Cmd": list(hook.command),
        "User": hook.user,
        "Privileged": hook.privileged,
        "WorkingDir": hook.working_dir,
        "Env": environment_list(hook.environment) or [],
        "AttachStdout": attach,
        "AttachStderr": attach,
    }


def check_honoured(service: Service, version: tuple[int, int]) -> None:
    """ProjectError for attributes that this engine is too old for."""
    check = service.healthcheck
    where = f"services.{service.name}"
    if check is not None and check.start_interval is not None and version < START_INTERVAL:
        raise ProjectError(
            f"{where}.healthcheck.start_interval: can't set healthcheck.start_interval as feature "
            "require Docker Engine v25 or later"
        )
    if version < IMAGE_MOUNTS and any(mount.type == "image" for mount in service.volumes):
        raise ProjectError(
            f"{where}.volumes: volume with type=image require Docker Engine v28 or later"
        )


def ignored_attributes(project: Project, service: Service) -> list[str]:
    """What is read and has no effect here, one line an attribute."""
    found: list[str] = []
    for kind in GRANT_KINDS if service.read_only else ():
        grants, sources = project.granted(service, kind)
        found += [
            f"services.{service.name}.{kind}s.{grant.source}: `uid`, `gid` and `mode` are not "
            "supported for a file of the host in a read-only service, they will be ignored"
            for grant in grants
            if grant.is_owned and sources[grant.source].file and not sources[grant.source].in_memory
        ]
    rollback = (service.deploy.document if service.deploy else {}).get("rollback_config") or {}
    found += [
        f"services.{service.name}.deploy.rollback_config.{name} is for a swarm, it will be ignored: all "
        "containers are rolled back at once"
        for name in rollback
    ]
    if service.credential_spec:
        found.append(f"services.{service.name}.credential_spec is for Windows, it will be ignored")
    return found


def container_name_of(project: Project, service: Service, number: int) -> str:
    """What a replaced container is called in the label of its successor."""
    return service.container_name or f"{service.name}{project.separator}{number}"
