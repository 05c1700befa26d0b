"""`alpha generate`: containers that are there -> a Compose file that makes them again.

What an image says is left out, so that the file holds what was decided for the container.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.engine_client import calls, object_calls
from compose.errors import ComposeError, EngineRefusedError, UsageError
from compose.model import labels
from compose.operations.objects import answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from compose.operations.session import Session

Row = dict[str, Any]
MODES = ("default", "bridge", "host", "none")
#: Key of HostConfig -> attribute of a service, where the value is taken as it is.
HOST = {
    "Privileged": "privileged", "ReadonlyRootfs": "read_only", "CapAdd": "cap_add",
    "CapDrop": "cap_drop", "Dns": "dns", "DnsOptions": "dns_opt", "DnsSearch": "dns_search",
    "ExtraHosts": "extra_hosts", "GroupAdd": "group_add", "SecurityOpt": "security_opt",
    "Sysctls": "sysctls", "Init": "init", "Memory": "mem_limit", "MemoryReservation": "mem_reservation",
    "CpuShares": "cpu_shares", "CpusetCpus": "cpuset", "PidsLimit": "pids_limit",
    "OomScoreAdj": "oom_score_adj", "UsernsMode": "userns_mode", "VolumesFrom": "volumes_from",
}  # fmt: skip
CONFIG = {
    "Cmd": "command", "Entrypoint": "entrypoint", "User": "user", "WorkingDir": "working_dir",
    "StopSignal": "stop_signal", "Domainname": "domainname", "Tty": "tty", "OpenStdin": "stdin_open",
}  # fmt: skip
CHECK = {
    "Interval": "interval", "Timeout": "timeout", "StartPeriod": "start_period",
    "StartInterval": "start_interval",
}  # fmt: skip


def generate(session: Session, names: Sequence[str], project: str) -> Row:
    """The file's document. Raises ComposeError for containers that are not there."""
    if not names:
        raise UsageError("at least one container must be specified")
    found: list[Row] = []
    missing: list[str] = []
    for name, answer in answers(session, names, calls.inspect_container):
        if isinstance(answer, EngineRefusedError):
            missing.append(name)
        else:
            found.append(answer.json())
    if missing:
        raise ComposeError(f"no container(s) found with the following name(s): {','.join(missing)}")
    ids = list(dict.fromkeys(one["Image"] for one in found))
    with session.client() as client:
        images = dict(zip(ids, (a.json() or {} for a in client.do_all([calls.inspect_image(i) for i in ids])), strict=True))  # fmt: skip
        networks = client.do(object_calls.list_networks({})).json() or []
    return document_of(found, images, {one["Name"]: one for one in networks}, project)


def document_of(
    containers: Iterable[Row], images: Mapping[str, Row], networks: Mapping[str, Row], project: str
) -> Row:
    """The document. Pure."""
    services: dict[str, Row] = {}
    used_networks: dict[str, Row] = {}
    used_volumes: dict[str, Row] = {}
    for one in containers:
        own = one["Config"].get("Labels") or {}
        name = own.get(labels.SERVICE) or one["Name"].lstrip("/")
        if name in services:
            services[name]["scale"] = services[name].get("scale", 1) + 1
            continue
        preset = (images.get(one["Image"]) or {}).get("Config") or {}
        services[name] = service_of(one, preset)
        for network in services[name].get("networks") or {}:
            used_networks[network] = {"name": network, "external": network in networks}
        for mount in one.get("Mounts") or []:
            if mount.get("Type") == "volume" and len(mount.get("Name", "")) != 64:
                used_volumes[mount["Name"]] = {"name": mount["Name"], "external": True}
    document: Row = {"name": project, "services": services}
    for key, value in (("networks", used_networks), ("volumes", used_volumes)):
        if value:
            document[key] = dict(sorted(value.items()))
    return document


def service_of(one: Row, preset: Row) -> Row:
    """A container as a service; `preset` is its image's Config. Pure."""
    config, host = one["Config"], one["HostConfig"]
    service: Row = {"image": config["Image"]}
    for key, attribute in CONFIG.items():
        if config.get(key) and config.get(key) != preset.get(key):
            service[attribute] = config[key]
    for key, attribute in HOST.items():
        if host.get(key) not in (None, "", 0, False, [], {}):
            service[attribute] = host[key]
    own = config.get("Labels") or {}
    if labels.SERVICE not in own:
        service["container_name"] = one["Name"].lstrip("/")
    parts: Row = {
        "environment": environment_of(config, preset),
        "labels": labels_of(own, preset),
        "restart": restart_of(host),
        "cpus": host["NanoCpus"] / 10**9 if host.get("NanoCpus") else None,
        "healthcheck": check_of(config.get("Healthcheck"), preset.get("Healthcheck")),
        "ports": ports_of(host),
        "volumes": [mount_of(mount) for mount in one.get("Mounts") or []],
        "tmpfs": [f"{path}:{text}".rstrip(":") for path, text in (host.get("Tmpfs") or {}).items()],
        "devices": [
            f"{one['PathOnHost']}:{one['PathInContainer']}:{one['CgroupPermissions']}"
            for one in host.get("Devices") or []
        ],
        "ulimits": {
            one["Name"]: {"soft": one["Soft"], "hard": one["Hard"]}
            for one in host.get("Ulimits") or []
        },
        **network_of(one),
    }
    return service | {key: value for key, value in parts.items() if value}


def environment_of(config: Row, preset: Row) -> list[str]:
    """What the image does not set so."""
    return [entry for entry in config.get("Env") or [] if entry not in (preset.get("Env") or [])]


def labels_of(own: Row, preset: Row) -> Row:
    """The person's labels: not a tool's own, not the image's."""
    given = preset.get("Labels") or {}
    return {
        key: value
        for key, value in own.items()
        if not key.startswith((labels.PREFIX, "pycompose.")) and given.get(key) != value
    }


def restart_of(host: Row) -> str:
    """ "on-failure:3"."""
    policy = host.get("RestartPolicy") or {}
    name, count = policy.get("Name", ""), policy.get("MaximumRetryCount", 0)
    return "" if name in ("", "no") else f"{name}:{count}" if count else name


def check_of(check: Row | None, preset: Row | None) -> Row:
    """The health check, if it is not the image's."""
    if not check or check == preset:
        return {}
    found: Row = {"test": check.get("Test")}
    found |= {name: f"{check[key]}ns" for key, name in CHECK.items() if check.get(key)}
    if check.get("Retries"):
        found["retries"] = check["Retries"]
    return {key: value for key, value in found.items() if value}


def ports_of(host: Row) -> list[Row]:
    """Published ports in the long form."""
    found: list[Row] = []
    for key, bindings in sorted((host.get("PortBindings") or {}).items()):
        target, _, protocol = key.partition("/")
        for one in bindings or []:
            entry = {
                "host_ip": one.get("HostIp", ""), "target": int(target),
                "published": one.get("HostPort", ""), "protocol": protocol or "tcp",
            }  # fmt: skip
            found.append({name: value for name, value in entry.items() if value})
    return found


def mount_of(mount: Row) -> Row:
    """A mount in the long form; an anonymous volume has no source."""
    kind, name = mount.get("Type", "bind"), mount.get("Name", "")
    source = mount.get("Source", "") if kind != "volume" else "" if len(name) == 64 else name
    found = {"type": kind, "source": source, "target": mount["Destination"], "read_only": not mount.get("RW", True)}  # fmt: skip
    return {key: value for key, value in found.items() if value}


def network_of(one: Row) -> Row:
    """networks, or network_mode."""
    mode = one["HostConfig"].get("NetworkMode", "")
    ends = (one.get("NetworkSettings") or {}).get("Networks") or {}
    if mode in ("host", "none") or mode.startswith("container:"):
        return {"network_mode": mode}
    found: Row = {}
    for name, end in ends.items():
        if name in MODES:
            continue
        fixed = end.get("IPAMConfig") or {}
        facts = {
            "aliases": end.get("Aliases"), "ipv4_address": fixed.get("IPv4Address"),
            "ipv6_address": fixed.get("IPv6Address"),
        }  # fmt: skip
        found[name] = {key: value for key, value in facts.items() if value}
    return {"networks": found} if found else {"network_mode": "bridge"}
