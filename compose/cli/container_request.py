"""docker run's flags -> the body of POST /containers/create. Pure: files are read by the reader given.

Source: Docker Engine API 1.51, ContainerCreate; docker's documentation of `docker container run`.
"""

from __future__ import annotations

from compose.cli.container_mounts import mount_keys
from compose.cli.container_network import network_keys
from compose.cli.key_values import pairs, read_lines
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from compose.cli.flags import Options

    #: A file's text. Raises UsageError.
    Reader = Callable[[str], str]

HEALTH = {
    "health_interval": "Interval", "health_timeout": "Timeout", "health_retries": "Retries",
    "health_start_period": "StartPeriod", "health_start_interval": "StartInterval",
}  # fmt: skip
RESTART = ("no", "always", "on-failure", "unless-stopped")
STREAMS = ("stdin", "stdout", "stderr")
#: Flag -> key of HostConfig, where the value is taken as it is.
PLAIN = {
    "cgroup_parent": "CgroupParent",
    "cgroupns": "CgroupnsMode", "cidfile": "ContainerIDFile",
    "device_cgroup_rule": "DeviceCgroupRules", "group_add": "GroupAdd", "ipc": "IpcMode",
    "isolation": "Isolation", "oom_score_adj": "OomScoreAdj", "pid": "PidMode",
    "privileged": "Privileged", "read_only": "ReadonlyRootfs", "rm": "AutoRemove",
    "runtime": "Runtime", "shm_size": "ShmSize", "userns": "UsernsMode", "uts": "UTSMode",
    "volume_driver": "VolumeDriver", "volumes_from": "VolumesFrom",
}  # fmt: skip
LIMITS = {
    "blkio_weight": "BlkioWeight", "cpu_period": "CpuPeriod", "cpu_quota": "CpuQuota",
    "cpu_rt_period": "CpuRealtimePeriod", "cpu_rt_runtime": "CpuRealtimeRuntime",
    "cpu_shares": "CpuShares", "cpuset_cpus": "CpusetCpus", "cpuset_mems": "CpusetMems",
    "memory": "Memory", "memory_reservation": "MemoryReservation", "memory_swap": "MemorySwap",
    "pids_limit": "PidsLimit",
}  # fmt: skip
RATES = {
    "device_read_bps": "BlkioDeviceReadBps", "device_write_bps": "BlkioDeviceWriteBps",
    "device_read_iops": "BlkioDeviceReadIOps", "device_write_iops": "BlkioDeviceWriteIOps",
}  # fmt: skip


def create_body(
    options: Options, environment: Mapping[str, str], read: Reader, folder: str
) -> dict[str, Any]:
    """The request. `folder` is what relative paths of binds are below. Raises UsageError."""
    image, *command = options.arguments
    attached = streams(options)
    host = {key: options[name] for name, key in PLAIN.items() if options[name]}
    host |= limits(options)
    host |= mount_keys(options, folder)
    host |= devices(options)
    host |= security(options, read)
    host |= others(options)
    body: dict[str, Any] = {
        "Image": image,
        "Cmd": command or None,
        "Hostname": options.hostname,
        "Domainname": options.domainname,
        "User": options.user,
        "WorkingDir": options.workdir,
        "Tty": options.tty,
        "OpenStdin": options.interactive,
        "StdinOnce": options.interactive and "stdin" in attached,
        "AttachStdin": "stdin" in attached,
        "AttachStdout": "stdout" in attached,
        "AttachStderr": "stderr" in attached,
        "Env": environment_list(options, environment, read),
        "Labels": labels(options, read),
        "Healthcheck": health(options),
        "StopSignal": options.stop_signal,
        "StopTimeout": options.stop_timeout,
        "Volumes": host.pop("anonymous", None),
    }
    if "entrypoint" in options.given:
        body["Entrypoint"] = [options.entrypoint]
    more, networking, exposed = network_keys(options)
    body = {key: value for key, value in body.items() if value not in (None, "", False, [], {})}
    if exposed:
        body["ExposedPorts"] = exposed
    if networking:
        body["NetworkingConfig"] = {"EndpointsConfig": networking}
    return {**body, "HostConfig": {**host, **more}}


def streams(options: Options) -> set[str]:
    """The streams that `container run` joins. Raises UsageError."""
    given = {name.lower() for name in options.attach}
    if given - set(STREAMS):
        wrong = min(given - set(STREAMS))
        raise UsageError(f'invalid --attach "{wrong}": use stdin, stdout or stderr')
    if options.get("detach"):
        if given:
            raise UsageError("conflicting options: cannot attach streams in detached mode")
        return set()
    if given:
        return given
    return {"stdout", "stderr", *(["stdin"] if options.interactive else [])}


def environment_list(options: Options, environment: Mapping[str, str], read: Reader) -> list[str]:
    """Files first, then --env; a bare name has our value, or takes the image's away."""
    found: list[str] = []
    for path in options.env_file:
        for line in read_lines(read(path)):
            name, equals, _ = line.partition("=")
            if equals or name in environment:
                found.append(line if equals else f"{name}={environment[name]}")
    for entry in options.env:
        name, equals, _ = entry.partition("=")
        if not name:
            raise UsageError(f'invalid environment variable: "{entry}": give K=V')
        known = not equals and name in environment
        found.append(f"{name}={environment[name]}" if known else entry)
    return found


def labels(options: Options, read: Reader) -> dict[str, str]:
    """Files first, then --label."""
    lines = [line for path in options.label_file for line in read_lines(read(path))]
    return pairs((*lines, *options.label), "--label", bare=True)


def health(options: Options) -> dict[str, Any] | None:
    """--health-*. Raises UsageError."""
    given = {key: options[name] for name, key in HEALTH.items() if options[name] is not None}
    if options.no_healthcheck:
        if given or options.health_cmd:
            raise UsageError("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    wrong = [name for name, key in HEALTH.items() if (options[name] or 0) < 0]
    if wrong:
        raise UsageError(f"--{wrong[0].replace('_', '-')} cannot be negative")
    if options.health_cmd:
        given["Test"] = ["CMD-SHELL", options.health_cmd]
    return given or None


def limits(options: Options) -> dict[str, Any]:
    """The limits that `update` can change too."""
    found = {key: options[name] for name, key in LIMITS.items() if options[name] not in (None, "")}
    if options.cpus is not None:
        found["NanoCpus"] = round(options.cpus * 10**9)
    return found


def restart_policy(text: str) -> dict[str, Any]:
    """ "on-failure:3". Raises UsageError."""
    name, colon, count = text.partition(":")
    if name not in RESTART:
        raise UsageError(f'invalid restart policy "{text}": use {", ".join(RESTART)}')
    if colon and (name != "on-failure" or not count.isdigit()):
        raise UsageError(f'invalid restart policy "{text}": a count is for on-failure alone')
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def devices(options: Options) -> dict[str, Any]:
    """--device, --gpus and the rates of block devices. Raises UsageError."""
    plain = [one for one in options.device if one.startswith("/")]
    named = [one for one in options.device if not one.startswith("/")]
    if any("=" not in one for one in named):
        raise UsageError(f'invalid device "{named[0]}": give a path, as in /dev/fuse')
    found: dict[str, Any] = {"Devices": [device(one) for one in plain]}
    requests = [{"Driver": "cdi", "DeviceIDs": named}] if named else []
    if options.gpus:
        requests.append(gpu_request(options.gpus))
    found["DeviceRequests"] = requests
    for name, key in RATES.items():
        found[key] = [rate(text, bytes_=name.endswith("bps")) for text in options[name]]
    found["BlkioWeightDevice"] = [weight(text) for text in options.blkio_weight_device]
    return {key: value for key, value in found.items() if value}


def device(text: str) -> dict[str, str]:
    """ "/dev/x:/dev/y:rw". Raises UsageError."""
    source, *rest = text.split(":")
    permissions = "rwm"
    if rest and rest[-1] and not set(rest[-1]) - set("rwm"):
        permissions = rest.pop()
    if len(rest) > 1:
        raise UsageError(f'invalid device "{text}": give HOST[:CONTAINER[:rwm]]')
    return {
        "PathOnHost": source, "PathInContainer": rest[0] if rest else source,
        "CgroupPermissions": permissions,
    }  # fmt: skip


def split_rate(text: str) -> tuple[str, int]:
    """ "/dev/x:10". Raises UsageError."""
    path, colon, value = text.rpartition(":")
    if not colon or not path.startswith("/dev/") or not value.isdigit():
        raise UsageError(f'bad format "{text}": give a device and a number, as in /dev/sda:100')
    return path, int(value)


def weight(text: str) -> dict[str, Any]:
    """ "/dev/x:100". Raises UsageError."""
    path, value = split_rate(text)
    if value and not 10 <= value <= 1000:
        raise UsageError(f'invalid weight for device "{text}": give 10 to 1000')
    return {"Path": path, "Weight": value}


def rate(text: str, *, bytes_: bool) -> dict[str, Any]:
    """ "/dev/x:1mb". Raises UsageError."""
    from compose.cli.quantities import size

    path, _, value = text.rpartition(":")
    if not bytes_:
        return dict(zip(("Path", "Rate"), split_rate(text), strict=True))
    try:
        return {"Path": split_rate(f"{path}:1")[0], "Rate": size(value)}
    except ValueError:
        raise UsageError(f'bad format "{text}": give a device and a rate, as in /dev/sda:1mb') from None  # fmt: skip


def gpu_request(text: str) -> dict[str, Any]:
    """ "all", "2", "device=0,1" or "count=2,capabilities=compute". Raises UsageError."""
    import csv

    request: dict[str, Any] = {"Count": 0, "Capabilities": [["gpu"]], "DeviceIDs": []}
    (fields,) = csv.reader([text])
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            key, value = "count", key
        if key == "count" and (value == "all" or value.isdigit()):
            request["Count"] = -1 if value == "all" else int(value)
        elif key == "device":
            request["DeviceIDs"] += value.split(",")
        elif key == "capabilities":
            request["Capabilities"] = [[*value.split(","), *([] if "gpu" in value.split(",") else ["gpu"])]]  # fmt: skip
        elif key == "driver":
            request["Driver"] = value
        elif key == "options":
            request["Options"] = pairs(tuple(value.split(",")), "--gpus")
        else:
            raise UsageError(f'invalid --gpus "{text}": use all, a number, or device=ID')
    return {key: value for key, value in request.items() if value not in ([], 0)}


def security(options: Options, read: Reader) -> dict[str, Any]:
    """Capabilities; --security-opt: a seccomp profile is read here, for the engine may be elsewhere."""
    found: dict[str, Any] = {}
    capabilities = {"CapAdd": options.cap_add, "CapDrop": options.cap_drop}
    caps = {key: [capability(one) for one in names] for key, names in capabilities.items() if names}
    wanted: list[str] = []
    for option in options.security_opt:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if name == "systempaths" and value == "unconfined":
            found = {"MaskedPaths": [], "ReadonlyPaths": []}
        elif name == "seccomp" and value not in ("unconfined", "builtin"):
            wanted.append(f"seccomp={read(value)}")
        elif not value and name != "no-new-privileges":
            raise UsageError(f'invalid --security-opt: "{option}"')
        else:
            wanted.append(option)
    return {**caps, **found, **({"SecurityOpt": wanted} if wanted else {})}


def capability(name: str) -> str:
    """ "net_admin" -> "CAP_NET_ADMIN"."""
    plain = name.strip().upper().removeprefix("CAP_")
    return plain if plain == "ALL" else f"CAP_{plain}"


def others(options: Options) -> dict[str, Any]:
    """Restart policy, log, ulimits and what is a mapping. Raises UsageError."""
    if options.rm and options.restart not in ("no", ""):
        raise UsageError("conflicting options: cannot specify both --restart and --rm")
    found: dict[str, Any] = {
        "RestartPolicy": restart_policy(options.restart or "no"),
        "Ulimits": [ulimit(text) for text in options.ulimit],
        "Sysctls": pairs(options.sysctl, "--sysctl"),
        "StorageOpt": pairs(options.storage_opt, "--storage-opt"),
        "Annotations": pairs(options.annotation, "--annotation"),
    }
    log = {"Type": options.log_driver, "Config": pairs(options.log_opt, "--log-opt")}
    found["LogConfig"] = {key: value for key, value in log.items() if value}
    if "init" in options.given:
        found["Init"] = options.init
    if options.memory_swappiness != -1:
        found["MemorySwappiness"] = options.memory_swappiness
    if options.oom_kill_disable:
        found["OomKillDisable"] = True
    return {key: value for key, value in found.items() if value not in ({}, [])}


def ulimit(text: str) -> dict[str, Any]:
    """ "nofile=1024:2048". Raises UsageError."""
    name, equals, value = text.partition("=")
    soft, colon, hard = value.partition(":")
    numbers = [soft, hard if colon else soft]
    if not equals or not all(one.lstrip("-").isdigit() for one in numbers):
        raise UsageError(f'invalid ulimit argument "{text}": give NAME=SOFT[:HARD]')
    if int(numbers[1]) != -1 and int(numbers[0]) > int(numbers[1]):
        raise UsageError(f'ulimit soft limit must be less than or equal to hard limit: "{text}"')
    return {"Name": name, "Soft": int(numbers[0]), "Hard": int(numbers[1])}
