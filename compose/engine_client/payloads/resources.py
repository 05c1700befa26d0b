"""Limits, devices, ulimits and block I/O: a service's attributes -> HostConfig's resource keys. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from compose.model.blkio import BlkioConfig
    from compose.model.device import DeviceRequest
    from compose.model.service import Service

NANO = 1_000_000_000


def resources(service: Service) -> dict[str, Any]:
    """The resource keys of a container's HostConfig; what is not said is left out."""
    body: dict[str, Any] = {
        "CgroupParent": service.cgroup_parent,
        "Memory": service.mem_limit,
        "MemorySwap": service.memswap_limit,
        "MemorySwappiness": service.mem_swappiness,
        "MemoryReservation": service.mem_reservation,
        "OomKillDisable": service.oom_kill_disable or None,
        "CpuCount": service.cpu_count,
        "CpuPeriod": service.cpu_period,
        "CpuQuota": service.cpu_quota,
        "CpuRealtimePeriod": service.cpu_rt_period,
        "CpuRealtimeRuntime": service.cpu_rt_runtime,
        "CpuShares": service.cpu_shares,
        "NanoCpus": int(service.cpus * NANO) if service.cpus else None,
        "CpuPercent": int(service.cpu_percent * 100) if service.cpu_percent else None,
        "CpusetCpus": service.cpuset,
        "DeviceCgroupRules": list(service.device_cgroup_rules),
        "PidsLimit": service.pids_limit,
        "OomScoreAdj": service.oom_score_adj,
        "Ulimits": [
            {"Name": name, "Soft": soft, "Hard": hard}
            for name, (soft, hard) in sorted(service.ulimits.items())
        ],
        "Devices": [
            {
                "PathOnHost": device.source,
                "PathInContainer": device.target,
                "CgroupPermissions": device.permissions,
            }
            for device in service.devices
            if not is_cdi(device.source)
        ],
        "DeviceRequests": device_requests(service),
    }
    if service.blkio_config is not None:
        body |= blkio(service.blkio_config)
    if service.deploy is not None:
        body |= {key: value for key, value in deployed(service).items() if value}
    return {key: value for key, value in body.items() if value not in (None, "", [])}


def deployed(service: Service) -> dict[str, Any]:
    """What deploy.resources says, which goes before the older attributes."""
    assert service.deploy is not None
    deploy = service.deploy
    return {
        "Memory": deploy.limit_memory,
        "NanoCpus": int(deploy.limit_cpus * NANO) if deploy.limit_cpus else None,
        "PidsLimit": deploy.limit_pids,
        "MemoryReservation": deploy.reserved_memory,
    }


def is_cdi(source: str) -> bool:
    """Whether a device is a qualified CDI name (vendor/class=name) and no path."""
    return not source.startswith("/") and "/" in source and "=" in source


def device_requests(service: Service) -> list[dict[str, Any]]:
    """gpus, reserved devices and CDI names."""
    requests = [device_request(gpu, "gpu") for gpu in service.gpus]
    if service.deploy is not None:
        requests += [device_request(device) for device in service.deploy.devices]
    names = [device.source for device in service.devices if is_cdi(device.source)]
    if names:
        requests.append({"Driver": "cdi", "DeviceIDs": names})
    return requests


def device_request(request: DeviceRequest, *more: str) -> dict[str, Any]:
    """One DeviceRequest; `more` are capabilities that go without saying."""
    wanted = [*request.capabilities, *(name for name in more if name not in request.capabilities)]
    body: dict[str, Any] = {"Driver": request.driver, "Capabilities": [wanted]}
    if request.count is not None:
        body["Count"] = request.count
    if request.device_ids:
        body["DeviceIDs"] = list(request.device_ids)
    if request.options:
        body["Options"] = dict(request.options)
    return body


def blkio(config: BlkioConfig) -> dict[str, Any]:
    """blkio_config as the API has it."""

    def rates(pairs: tuple[tuple[str, int], ...]) -> list[dict[str, Any]]:
        return [{"Path": path, "Rate": rate} for path, rate in pairs]

    return {
        "BlkioWeight": config.weight,
        "BlkioWeightDevice": [
            {"Path": path, "Weight": weight} for path, weight in config.weight_device
        ],
        "BlkioDeviceReadBps": rates(config.device_read_bps),
        "BlkioDeviceReadIOps": rates(config.device_read_iops),
        "BlkioDeviceWriteBps": rates(config.device_write_bps),
        "BlkioDeviceWriteIOps": rates(config.device_write_iops),
    }
