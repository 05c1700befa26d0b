"""What of a container is otherwise than it would be made now: attribute, old value, new value. Pure.

The old one is read off the engine's inspect, so that it makes no difference which tool has made it.
What a container takes from its image is taken away on both sides; what an engine fills in where
nothing was said counts as nothing said.
"""

from __future__ import annotations

import json

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


class Change(Record):
    """One attribute in the Compose file's words; None is "not said"."""

    field: str
    old: str | None
    new: str | None


#: Config's key -> attribute.
CONFIG = {
    "Image": "image", "Hostname": "hostname", "Domainname": "domainname", "User": "user",
    "Tty": "tty", "OpenStdin": "stdin_open", "Cmd": "command", "Entrypoint": "entrypoint",
    "WorkingDir": "working_dir", "StopSignal": "stop_signal", "StopTimeout": "stop_grace_period",
    "Healthcheck": "healthcheck", "MacAddress": "mac_address",
}  # fmt: skip
#: HostConfig's key -> attribute.
HOST = {
    "NetworkMode": "network_mode", "CapAdd": "cap_add", "CapDrop": "cap_drop", "Init": "init",
    "IpcMode": "ipc", "PidMode": "pid", "UTSMode": "uts", "UsernsMode": "userns_mode",
    "CgroupnsMode": "cgroup", "CgroupParent": "cgroup_parent", "ReadonlyRootfs": "read_only",
    "RestartPolicy": "restart", "ShmSize": "shm_size", "VolumesFrom": "volumes_from", "Dns": "dns",
    "DnsSearch": "dns_search", "DnsOptions": "dns_opt", "ExtraHosts": "extra_hosts",
    "Privileged": "privileged", "Isolation": "isolation", "Runtime": "runtime",
    "LogConfig": "logging", "GroupAdd": "group_add", "SecurityOpt": "security_opt",
    "Memory": "mem_limit", "MemorySwap": "memswap_limit", "MemoryReservation": "mem_reservation",
    "MemorySwappiness": "mem_swappiness", "OomKillDisable": "oom_kill_disable",
    "OomScoreAdj": "oom_score_adj", "NanoCpus": "cpus", "CpuPeriod": "cpu_period",
    "CpuQuota": "cpu_quota", "CpuShares": "cpu_shares", "CpusetCpus": "cpuset",
    "CpuCount": "cpu_count", "PidsLimit": "pids_limit", "Ulimits": "ulimits", "Devices": "devices",
    "DeviceCgroupRules": "device_cgroup_rules", "DeviceRequests": "gpus", "BlkioWeight": "blkio_config",
}  # fmt: skip
#: Attributes whose entries are told one by one: Config's or HostConfig's key -> attribute.
KEYED = {
    "Labels": "labels", "Sysctls": "sysctls", "Annotations": "annotations", "Tmpfs": "tmpfs",
    "StorageOpt": "storage_opt",
}  # fmt: skip
#: What engines fill in where nothing was said.
FILLED_IN: Mapping[str, tuple[Any, ...]] = {
    "IpcMode": ("private", "shareable"), "CgroupnsMode": ("private", "host"),
    "RestartPolicy": ({"Name": "no", "MaximumRetryCount": 0}, {"Name": "no"}),
    "ShmSize": (64 << 20,), "Runtime": ("runc", "pycompose", "crun"), "PidsLimit": (-1,),
    "LogConfig": ({"Type": "json-file", "Config": {}}, {"Type": "json-file"}), "MemorySwap": (-1,),
    "NetworkMode": ("default",),
}  # fmt: skip
OWN_LABELS = ("com.docker.compose.", "pycompose.")


def container_changes(
    inspected: Mapping[str, Any],
    body: Mapping[str, Any],
    old_image: Mapping[str, Any] | None,
    new_image: Mapping[str, Any] | None,
) -> tuple[Change, ...]:
    """A container (GET .../json) beside the body it would be created with now.

    The images are theirs as inspected; None where the engine has them not.
    """
    old, old_host = inspected.get("Config") or {}, inspected.get("HostConfig") or {}
    host = body.get("HostConfig") or {}
    new = with_image(body, (new_image or old_image or {}).get("Config") or {})
    own_id = str(inspected.get("Id", ""))
    if old.get("Hostname") == own_id[:12]:
        old = {key: value for key, value in old.items() if key != "Hostname"}
    if "StopTimeout" in old and "StopTimeout" not in new:
        old = {**old, "StopTimeout": None} if old["StopTimeout"] == 10 else old
    restarts = host.get("RestartPolicy")
    if restarts:
        host = {**host, "RestartPolicy": {"MaximumRetryCount": 0, **restarts}}
    if host.get("Memory") and "MemorySwap" not in host:
        old_host = {key: value for key, value in old_host.items() if key != "MemorySwap"}
    found = list(plain_changes(CONFIG, old, new))
    found += entry_changes("environment", environment(old), environment(new))
    found += plain_changes(HOST, old_host, host)
    for key, attribute in KEYED.items():
        side, other = (old, new) if key == "Labels" else (old_host, host)
        found += entry_changes(attribute, plain_labels(side.get(key)), plain_labels(other.get(key)))
    found += entry_changes("ports", ports(old_host), ports(host))
    found += entry_changes("volumes", mounts(old_host), mounts(host))
    found += network_changes(inspected, body)
    return tuple(sorted(found, key=lambda change: change.field))


def with_image(body: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    """The body with what the container takes from its image."""
    whole = dict(body)
    for key in ("User", "WorkingDir", "StopSignal", "Healthcheck"):
        if not whole.get(key) and image.get(key):
            whole[key] = image[key]
    if body.get("Healthcheck") and image.get("Healthcheck"):
        whole["Healthcheck"] = {**image["Healthcheck"], **body["Healthcheck"]}
    if "Cmd" not in whole and "Entrypoint" not in whole:
        whole["Cmd"] = image.get("Cmd")
    if "Entrypoint" not in whole:
        whole["Entrypoint"] = image.get("Entrypoint")
    elif whole["Entrypoint"] == [""]:
        whole["Entrypoint"] = None
    inherited = [entry for entry in image.get("Env") or [] if entry.partition("=")[0] not in environment(body)]  # fmt: skip
    whole["Env"] = [*inherited, *(entry for entry in body.get("Env") or [] if "=" in entry)]
    whole["Labels"] = {**(image.get("Labels") or {}), **(body.get("Labels") or {})}
    return whole


def plain_changes(
    table: Mapping[str, str], old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterable[Change]:
    """The keys of the table whose values differ."""
    for key, attribute in table.items():
        before, after = said(key, old.get(key)), said(key, new.get(key))
        if before != after:
            yield Change(attribute, shown(before), shown(after))


def said(key: str, value: Any) -> Any:
    """The value; None for what is as good as nothing said."""
    if value in (None, "", 0, False, [], {}) or value in FILLED_IN.get(key, ()):
        return None
    if key == "LogConfig" and value.get("Type") == "json-file":
        value = {"Config": value.get("Config")}
    if isinstance(value, dict):
        return {name: one for name, one in value.items() if one not in (None, "", 0, [], {})}
    return value


def entry_changes(
    attribute: str, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterable[Change]:
    """Entry by entry: environment.LOG_LEVEL."""
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            yield Change(f"{attribute}.{name}", old.get(name), new.get(name))


def environment(config: Mapping[str, Any]) -> dict[str, str]:
    """Env as a mapping."""
    pairs = (entry.partition("=") for entry in config.get("Env") or [])
    return {name: value for name, _, value in pairs}


def plain_labels(entries: Mapping[str, Any] | None) -> dict[str, str]:
    """What is not compose's own."""
    return {
        name: str(value)
        for name, value in (entries or {}).items()
        if not name.startswith(OWN_LABELS)
    }


def ports(host: Mapping[str, Any]) -> dict[str, str]:
    """ "80/tcp" -> where it is published."""
    return {
        port: ", ".join(
            f"{one.get('HostIp', '')}:{one.get('HostPort', '')}".lstrip(":") or "any"
            for one in bindings or [{}]
        )
        for port, bindings in (host.get("PortBindings") or {}).items()
    }


def mounts(host: Mapping[str, Any]) -> dict[str, str]:
    """Target -> what is mounted there."""
    found: dict[str, str] = {}
    for bind in host.get("Binds") or []:
        source, _, rest = bind.partition(":")
        target, _, options = rest.partition(":")
        found[target] = f"{source} ({options or 'rw'})"
    for mount in host.get("Mounts") or []:
        more = {key: one for key, one in mount.items() if key.endswith("Options") and one}
        # An anonymous volume has its name only once it is there.
        source = "" if mount.get("Type") == "volume" and len(mount.get("Source", "")) in (0, 64) else mount.get("Source", "")  # fmt: skip
        mode = "ro" if mount.get("ReadOnly") else "rw"
        text = f"{mount.get('Type')} {source} ({mode})".replace("  ", " ")
        found[mount["Target"]] = text + (f" {shown(more)}" if more else "")
    return found


def network_changes(inspected: Mapping[str, Any], body: Mapping[str, Any]) -> Iterable[Change]:
    """Networks joined and left, and the aliases and addresses asked for there."""
    ends = ((body.get("NetworkingConfig") or {}).get("EndpointsConfig")) or {}
    there = (inspected.get("NetworkSettings") or {}).get("Networks") or {}
    if not ends:
        there = {}
    own_id = str(inspected.get("Id", ""))[:12]
    old = {name: endpoint(end or {}, own_id) for name, end in there.items()}
    new = {name: endpoint(end, own_id) for name, end in ends.items()}
    return entry_changes("networks", old, new)


def endpoint(end: Mapping[str, Any], own_id: str) -> str:
    """What was asked for of an endpoint, as text."""
    aliases = sorted(one for one in end.get("Aliases") or [] if one != own_id)
    asked = {key: one for key, one in (end.get("IPAMConfig") or {}).items() if one}
    return " ".join(aliases) + (f" {shown(asked)}" if asked else "")


def shown(value: Any) -> str | None:
    """A value as a person reads it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict) and set(value) <= {"Name", "MaximumRetryCount"}:
        tries = value.get("MaximumRetryCount")
        return f"{value.get('Name', '')}:{tries}" if tries else str(value.get("Name", ""))
    return json.dumps(value, separators=(", ", ": "))


def resource_changes(
    table: Mapping[str, tuple[str, Callable[[Any], Any]]],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
) -> tuple[Change, ...]:
    """A network or volume (inspected) beside the body it would be created with now."""
    found: list[Change] = []
    if not (new.get("IPAM") or {}).get("Config"):
        old = {**old, "IPAM": None}  # the engine has chosen the addresses itself
    for key, (attribute, plain) in table.items():
        before, after = plain(old.get(key)), plain(new.get(key))
        if isinstance(before, dict) and isinstance(after, dict):
            found += entry_changes(attribute, before, after)
        elif before != after:
            found.append(Change(attribute, shown(before), shown(after)))
    return tuple(sorted(found, key=lambda change: change.field))


def _or_none(value: Any) -> Any:
    return value or None


def _driver(value: Any) -> Any:
    return None if value in ("", "bridge", "local") else value


def _pools(value: Any) -> Any:
    pools = (value or {}).get("Config") or []
    return {f"config.{at}": " ".join(f"{k}={v}" for k, v in sorted(pool.items()) if v) for at, pool in enumerate(pools)}  # fmt: skip


NETWORK: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "Driver": ("driver", _driver), "Internal": ("internal", _or_none),
    "Attachable": ("attachable", _or_none), "EnableIPv6": ("enable_ipv6", _or_none),
    "Options": ("driver_opts", lambda value: dict(value or {})),
    "Labels": ("labels", plain_labels), "IPAM": ("ipam", _pools),
}  # fmt: skip
VOLUME: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "Driver": ("driver", _driver), "Labels": ("labels", plain_labels),
    "Options": ("driver_opts", lambda value: dict(value or {})),
    "DriverOpts": ("driver_opts", lambda value: dict(value or {})),
}  # fmt: skip
