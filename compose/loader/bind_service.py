"""The end of phase 10 for one service: its part of the document -> Service. Pure.

Each type is imported where it is made: most projects need few of them.
"""

from __future__ import annotations

from compose.loader.mounts import MAP_OWNER
from compose.loader.units import parse_duration
from compose.model.service import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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

    Full = Mapping[str, Any]

#: Attributes that the document and the type hold alike.
_SAME = (
    "image", "container_name", "scale", "pull_policy", "platform", "attach", "environment", "labels",
    "annotations", "restart", "stop_signal", "network_mode", "hostname", "domainname", "mac_address",
    "user", "working_dir", "tty", "stdin_open", "init", "read_only", "privileged", "userns_mode", "pid",
    "ipc", "uts", "cgroup", "cgroup_parent", "sysctls", "runtime", "isolation", "cpus", "cpu_count",
    "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime", "cpu_shares", "cpuset",
    "oom_kill_disable", "oom_score_adj", "pids_limit", "develop", "provider", "credential_spec",
    "use_api_socket", "models",
)  # fmt: skip
#: Lists that become tuples.
_TUPLES = (
    "profiles", "expose", "dns", "dns_opt", "dns_search", "extra_hosts", "links", "external_links",
    "volumes_from", "tmpfs", "group_add", "cap_add", "cap_drop", "security_opt", "device_cgroup_rules",
)  # fmt: skip
_SIZES = ("shm_size", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit")


def bind_service(name: str, full: Full, document: Full) -> Service:
    """The service of a full document's part; `document` is what is printed of it."""
    found: dict[str, Any] = {key: full[key] for key in _SAME if key in full}
    found |= {key: tuple(full[key]) for key in _TUPLES if key in full}
    found |= {key: int(full[key]) for key in _SIZES if key in full}
    found |= {
        key: None if full[key] is None else tuple(full[key]) for key in ("command", "entrypoint")
    }
    found |= {key: tuple(map(bind, full[key])) for key, bind in _LISTS.items() if key in full}
    found |= {key: bind(full[key]) for key, bind in _PARTS.items() if full.get(key) is not None}
    if "logging" in full:
        found["logging_driver"] = full["logging"].get("driver", "")
        found["logging_options"] = full["logging"].get("options", {})
    if found.get("pull_policy") == "refresh" and "pull_refresh_after" in full:
        # The same in the words that version 2.40 has.
        seconds = parse_duration(full["pull_refresh_after"]) // 1_000_000_000
        found["pull_policy"] = f"every_{seconds}s"
    return Service(name=name, document=document, **found)


def _nanoseconds(part: Full, name: str) -> int | None:
    return parse_duration(part[name]) if name in part else None


def _bytes(part: Full, name: str) -> int | None:
    return int(part[name]) if name in part else None


def _limits(limits: Full) -> dict[str, tuple[int, int]]:
    return {
        name: (limit, limit)
        if isinstance(limit, int)
        else (limit.get("soft", 0), limit.get("hard", 0))
        for name, limit in limits.items()
    }


def _taken(part: Full, *names: str) -> dict[str, Any]:
    return {name: part[name] for name in names if name in part}


def _tuples(part: Full, *names: str) -> dict[str, Any]:
    return {name: tuple(part[name]) for name in names if name in part}


def _grant(part: Full) -> FileGrant:
    from compose.model.files import FileGrant

    mode = int(part["mode"][1:], 8) if "mode" in part else None
    return FileGrant(**_taken(part, "source", "target", "uid", "gid"), mode=mode)


def _build(part: Full) -> Build:
    from compose.model.build import Build

    return Build(
        **_taken(
            part, "context", "dockerfile", "dockerfile_inline", "args", "additional_contexts", "isolation",
            "labels", "network", "no_cache", "privileged", "provenance", "pull", "sbom", "target",
        ),
        **_tuples(
            part, "cache_from", "cache_to", "entitlements", "extra_hosts", "no_cache_filter", "platforms", "tags",
        ),
        secrets=tuple(map(_grant, part.get("secrets", ()))),
        shm_size=_bytes(part, "shm_size"),
        ssh=tuple(
            key if isinstance(key, str) else "=".join(next(iter(key.items()))) for key in part.get("ssh", ())
        ),
        ulimits=_limits(part.get("ulimits", {})),
    )  # fmt: skip


def _healthcheck(part: Full) -> HealthCheck:
    from compose.model.health import HealthCheck

    times = {
        name: _nanoseconds(part, name)
        for name in ("interval", "timeout", "start_period", "start_interval")
    }
    return HealthCheck(
        test=tuple(part.get("test", ())),
        retries=part.get("retries"),
        disable=part.get("disable", False),
        **times,
    )


def _port(part: Full) -> Port:
    from compose.model.port import Port

    return Port(
        target=part.get("target", 0),
        **_taken(part, "published", "protocol", "host_ip", "mode", "name", "app_protocol"),
    )


def _mount(part: Full) -> Mount:
    from compose.model.mount import Mount

    bind, volume, tmpfs = (part.get(name) or {} for name in ("bind", "volume", "tmpfs"))
    return Mount(
        type=part.get("type", "volume"),
        target=part.get("target", ""),
        **_taken(part, "source", "read_only", "consistency"),
        bind_propagation=bind.get("propagation", ""),
        bind_create_host_path=bind.get("create_host_path", False),
        bind_recursive=bind.get("recursive", ""),
        bind_selinux=bind.get("selinux", ""),
        bind_map_owner=bind.get(MAP_OWNER) is True,
        volume_nocopy=volume.get("nocopy", False),
        volume_subpath=volume.get("subpath", ""),
        volume_labels=volume.get("labels", {}),
        tmpfs_size=_bytes(tmpfs, "size"),
        tmpfs_mode=tmpfs.get("mode"),
        image_subpath=(part.get("image") or {}).get("subpath", ""),
    )


def _networks(networks: Full) -> dict[str, ServiceNetwork]:
    from compose.model.network import ServiceNetwork

    return {
        name: ServiceNetwork(
            **_tuples(part or {}, "aliases", "link_local_ips"),
            **_taken(
                part or {}, "interface_name", "ipv4_address", "ipv6_address", "mac_address", "gw_priority",
                "priority", "driver_opts",
            ),
        )
        for name, part in networks.items()
    }  # fmt: skip


def _depends_on(dependencies: Full) -> dict[str, Dependency]:
    from compose.model.dependency import Dependency

    return {
        name: Dependency(**_taken(part, "condition", "restart", "required"))
        for name, part in dependencies.items()
    }


def _device(part: Full) -> Device:
    from compose.model.device import Device

    source = part.get("source", "")
    return Device(source, part.get("target") or source, part.get("permissions") or "rwm")


def _device_request(part: Full) -> DeviceRequest:
    from compose.model.device import DeviceRequest

    return DeviceRequest(
        **_tuples(part, "capabilities", "device_ids"), **_taken(part, "count", "driver", "options")
    )


def _hook(part: Full) -> Hook:
    from compose.model.hook import Hook

    return Hook(
        command=tuple(part["command"] or ()),
        **_taken(part, "user", "privileged", "working_dir", "environment", "image", "per_replica"),
    )


def _blkio(part: Full) -> BlkioConfig:
    from compose.model.blkio import BlkioConfig

    rates = {
        name: tuple((device["Path"], int(device["Rate"])) for device in part.get(name, ()))
        for name in ("device_read_bps", "device_read_iops", "device_write_bps", "device_write_iops")
    }
    weights = tuple((device["Path"], device["Weight"]) for device in part.get("weight_device", ()))
    return BlkioConfig(weight=part.get("weight"), weight_device=weights, **rates)


def _deploy(part: Full) -> Deploy:
    from compose.model.deploy import Deploy, RestartPolicy

    limits = part["resources"].get("limits") or {}
    reserved = part["resources"].get("reservations") or {}
    policy = part.get("restart_policy")
    return Deploy(
        **_taken(part, "mode", "replicas", "labels"),
        restart_policy=policy and RestartPolicy(
            condition=policy.get("condition", ""),
            delay=_nanoseconds(policy, "delay"),
            max_attempts=policy.get("max_attempts"),
            window=_nanoseconds(policy, "window"),
        ),
        limit_cpus=limits.get("cpus"),
        limit_memory=_bytes(limits, "memory"),
        limit_pids=limits.get("pids"),
        reserved_cpus=reserved.get("cpus"),
        reserved_memory=_bytes(reserved, "memory"),
        devices=tuple(map(_device_request, reserved.get("devices", ()))),
        document=part,
    )  # fmt: skip


_LISTS: dict[str, Callable[[Any], Any]] = {
    "ports": _port, "volumes": _mount, "configs": _grant, "secrets": _grant, "devices": _device,
    "gpus": _device_request, "pre_start": _hook, "post_start": _hook, "pre_stop": _hook,
}  # fmt: skip
_PARTS: dict[str, Callable[[Any], Any]] = {
    "build": _build, "healthcheck": _healthcheck, "deploy": _deploy, "depends_on": _depends_on,
    "networks": _networks, "blkio_config": _blkio, "ulimits": _limits, "storage_opt": dict,
    "stop_grace_period": parse_duration,
}  # fmt: skip
