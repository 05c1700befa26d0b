"""From a create request and its image to a Container. Pure: merges, checks, decides. I/O is elsewhere.

Source: Docker's rules for what a request inherits from its image (Config of the Engine API).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.containers import checks, docker_json, restart
from engine.containers.config import Config, HealthConfig
from engine.containers.device_requests import check_requests
from engine.containers.log_options import check_log_driver
from engine.containers.model import Container, EndpointSettings
from engine.containers.mounts import decide_mounts
from engine.containers.signals import parse_signal
from engine.errors import InvalidRequestError, NotFoundError, NotSupportedError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from engine.containers.config import HostConfig
    from engine.containers.model import ContainerRequest
    from engine.images.model import Image

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_ADJECTIVES = (
    "amber", "bold", "calm", "deft", "eager", "fond", "glad", "keen", "lucid", "merry", "noble",
    "quick", "sunny", "tidy", "vivid", "witty",
)  # fmt: skip
_ANIMALS = (
    "badger", "crane", "dolphin", "ermine", "falcon", "gecko", "heron", "ibis", "jackal", "koala",
    "lynx", "marten", "otter", "puffin", "raven", "stoat",
)  # fmt: skip


def plan_container(
    request: ContainerRequest,
    image: Image,
    container_id: str,
    now_ns: int,
    find: Callable[[str], Container],
    host_name: str = "",
    choose_ids: Callable[[str], int] = lambda _: 0,
) -> Container:
    """The container that a request asks for; `host_name` is for those that use the host's.

    `choose_ids` gives the first id of a range for a user namespace mode, 0 for none.

    Raises InvalidRequestError, NotSupportedError.
    """
    if request.name and not NAME.fullmatch(request.name.removeprefix("/")):
        raise InvalidRequestError(
            f"Invalid container name ({request.name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )
    config = merge_config(request.config, docker_json.decode(Config, image.config))
    host_config = _settle_host_config(request.host_config)
    checks.check_environment(request.config.env)
    _check(config, host_config)
    _check_links(host_config, find)
    mounts = decide_mounts(config, host_config, find)
    first_id = choose_ids(host_config.userns_mode)
    if first_id:
        checks.check_own_ids(host_config)
        checks.check_own_mounts(mounts)
    command = (*(config.entrypoint or ()), *(config.cmd or ()))
    if not command:
        raise InvalidRequestError("no command specified")
    if not config.hostname:
        shared = host_config.uts_mode == "host" or host_config.network_mode == "host"
        config = replace(config, hostname=host_name if shared else container_id[:12])
    return Container(
        id=container_id,
        name=request.name.removeprefix("/"),
        created_ns=now_ns,
        image=image.id,
        config=config,
        host_config=host_config,
        path=command[0],
        args=command[1:],
        networks=_networks(request, host_config),
        mounts=mounts,
        first_id=first_id,
    )


def merge_config(asked: Config, image: Config) -> Config:
    """What the request leaves open comes from the image."""
    entrypoint, cmd = asked.entrypoint, asked.cmd
    if entrypoint is None:
        entrypoint = image.entrypoint
        if not cmd:
            cmd = image.cmd
    elif entrypoint == ("",):
        entrypoint = None
    have = {entry.partition("=")[0] for entry in asked.env}
    env = (*(e for e in image.env if e.partition("=")[0] not in have), *asked.env)
    return replace(
        asked,
        user=asked.user or image.user,
        exposed_ports={**(image.exposed_ports or {}), **(asked.exposed_ports or {})},
        env=tuple(entry for entry in env if "=" in entry),
        cmd=cmd,
        entrypoint=entrypoint,
        healthcheck=_merge_health(asked.healthcheck, image.healthcheck),
        volumes={**(image.volumes or {}), **(asked.volumes or {})},
        working_dir=asked.working_dir or image.working_dir,
        labels={**image.labels, **asked.labels},
        stop_signal=asked.stop_signal or image.stop_signal,
        shell=asked.shell or image.shell,
    )


def _merge_health(asked: HealthConfig | None, image: HealthConfig | None) -> HealthConfig | None:
    if asked is None or image is None:
        return asked or image
    return HealthConfig(
        test=asked.test or image.test,
        interval=asked.interval or image.interval,
        timeout=asked.timeout or image.timeout,
        start_period=asked.start_period or image.start_period,
        start_interval=asked.start_interval or image.start_interval,
        retries=asked.retries or image.retries,
    )


def _settle_host_config(host_config: HostConfig) -> HostConfig:
    log = host_config.log_config
    policy = host_config.restart_policy
    return replace(
        host_config,
        network_mode=_settle_network_mode(host_config.network_mode),
        log_config=replace(log, type=log.type or "json-file"),
        ipc_mode=host_config.ipc_mode or "private",
        cgroupns_mode=host_config.cgroupns_mode or "private",
        restart_policy=replace(policy, name=policy.name or "no"),
        shm_size=host_config.shm_size or 64 << 20,
        runtime=host_config.runtime or "pycompose",
        memory_swap=host_config.memory_swap or max(host_config.memory, 0) * 2,
    )


def _settle_network_mode(mode: str) -> str:
    return "bridge" if mode in ("", "default") else mode


def _check(config: Config, host_config: HostConfig) -> None:
    restart.check(host_config.restart_policy, auto_remove=host_config.auto_remove)
    checks.check_limits(host_config)
    checks.check_modes(config, host_config)
    checks.check_devices(host_config)
    checks.check_names(host_config)
    check_requests(host_config.device_requests)
    if config.healthcheck:
        checks.check_health(config.healthcheck)
    if config.stop_signal:
        parse_signal(config.stop_signal)
    check_log_driver(host_config.log_config.type)
    if host_config.storage_opt:
        raise NotSupportedError(
            f"storage_opt {', '.join(host_config.storage_opt)} is not supported: overlay has no quota here"
        )
    for what, asked in (
        ("cpu_count", host_config.cpu_count), ("cpu_percent", host_config.cpu_percent),
        ("io_maximum_iops", host_config.io_maximum_iops),
        ("io_maximum_bandwidth", host_config.io_maximum_bandwidth),
    ):  # fmt: skip
        if asked:
            raise NotSupportedError(f"{what} is for Windows containers, and not supported here")
    if host_config.runtime not in ("", "pycompose", "runc", "io.containerd.runc.v2"):
        raise InvalidRequestError(f"unknown or invalid runtime name: {host_config.runtime}")
    if host_config.isolation not in ("", "default"):
        raise InvalidRequestError(f"invalid isolation {host_config.isolation!r} on linux")
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidRequestError(
            f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path"
        )


def _check_links(host_config: HostConfig, find: Callable[[str], Container]) -> None:
    """Links of the default bridge name containers that are there. Raises InvalidRequestError."""
    if host_config.network_mode != "bridge":
        return
    for link in host_config.links or ():
        name = link.partition(":")[0]
        try:
            find(name)
        except NotFoundError as error:
            raise InvalidRequestError(f"could not get container for {name}: {error}") from error


def _networks(request: ContainerRequest, host_config: HostConfig) -> Mapping[str, EndpointSettings]:
    asked = request.networking.endpoints_config or {}
    mode = "none" if request.config.network_disabled else host_config.network_mode
    if mode in ("host", "none") or mode.startswith("container:"):
        others = [name for name in asked if name != mode]
        if others:
            raise InvalidRequestError(
                f"conflicting options: network mode {mode} and the networks {', '.join(others)}"
            )
        return {}
    chosen: dict[str, EndpointSettings] = {}
    renamed = {("bridge" if name == "default" else name): e for name, e in asked.items()}
    if mode not in renamed:
        chosen[mode] = EndpointSettings(mac_address=request.config.mac_address)
    for name in sorted(renamed, key=lambda name: name != mode):
        chosen[name] = renamed[name] or EndpointSettings()
    return chosen


def choose_name(taken: Callable[[str], bool], chance: random.Random) -> str:
    """A free name of two words, with a number where the words are all taken."""
    for attempt in range(1000):
        name = f"{chance.choice(_ADJECTIVES)}_{chance.choice(_ANIMALS)}"
        name += str(chance.randrange(10 ** (attempt // 50 + 1))) if attempt > 3 else ""
        if not taken(name):
            return name
    raise InvalidRequestError("no free name was found: give the container one")
