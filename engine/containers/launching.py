"""One start: files, volumes, spec, process, network, program. All or nothing.

The way: spec (pure) -> fork server -> a process that waits in its namespaces -> network -> release.
What fails on the way is undone before the error leaves.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import trio

from engine.containers import netfiles
from engine.containers.device_requests import device_edits
from engine.containers.filters import Filters
from engine.containers.image_mounts import overlay_of
from engine.containers.inputs import container_inputs, seccomp_choice
from engine.containers.mounts import runtime_mounts
from engine.containers.secret_files import SecretFiles
from engine.containers.sharing import keeper_of, owner_of
from engine.errors import ConflictError, InvalidRequestError
from engine.networks.gateways import gateway_endpoint, gateway_of
from engine.networks.model import EndpointRequest, PortRequest, Sandbox
from engine.processes.client import StartError
from engine.processes.log_outlet import check_receiver, is_networked
from engine.runtime.compile import capabilities, compile_container
from engine.runtime.spec import ContainerSpec, Rootfs, encode
from engine.storage.spread import spread_folders_in
from networking.dns.resolvers import name_servers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.containers.graves import Graves
    from engine.containers.model import Container
    from engine.containers.registry import Registry
    from engine.containers.rooms import Rooms
    from engine.networks.model import Endpoint
    from engine.processes.client import Monitor, Prepared
    from engine.storage.paths import Layout

SPEC_NAME = "spec.json"


@dataclass(frozen=True, slots=True)
class Launched:
    """A container whose program runs."""

    monitor: Monitor
    spec: ContainerSpec
    warnings: tuple[str, ...]
    started_ns: int  # since the epoch


class Launcher:
    """Starts containers; knows every room that takes part."""

    def __init__(self, rooms: Rooms, registry: Registry) -> None:
        self.secret_files = SecretFiles(rooms.layout)
        self._layout = rooms.layout
        self._registry = registry
        self._images = rooms.images
        self._volumes = rooms.volumes
        self._networks = rooms.networks
        self._forks = rooms.forks
        self._host = rooms.host
        self._engine_id = rooms.engine_id
        self._filters = Filters(rooms.layout, rooms.host)
        _make_skeleton(rooms.layout)

    def rootfs(self, container: Container) -> Rootfs:
        """The overlay of a container. Raises NotFoundError for a missing layer."""
        folder = self._layout.container(container.id)
        lower = self._images.lower_dirs(self._images.find(container.image))
        return Rootfs(
            (*lower, str(self._layout.skeleton)),
            f"{folder}/upper",
            f"{folder}/work",
            str(self._layout.merged),
            container.host_config.readonly_rootfs,
        )

    async def spec(self, container: Container) -> tuple[ContainerSpec, tuple[str, ...]]:
        """What the kernel is to be asked for, and warnings. Raises EngineError of some kind."""
        folder = self._layout.container(container.id)
        host_config = container.host_config
        volumes = {
            p.name: self._volumes.find(p.name) for p in container.mounts if p.type == "volume"
        }
        points = tuple(
            replace(p, rw=False) if p.type == "volume" and volumes[p.name].read_only else p
            for p in container.mounts
        )
        overlays = {}
        for point in points:
            if point.type == "bind":
                check_bind(point.source, create="create" in point.options)
            elif point.type == "image":
                below = self._images.lower_dirs(self._images.find(point.data))
                overlays[point.destination] = overlay_of(point, below, folder)
        run_dir = self._layout.container_run(container.id)
        files = {f"/etc/{name}": f"{run_dir}/{name}" for name in netfiles.NAMES}
        held = capabilities(
            host_config.cap_add or (),
            host_config.cap_drop or (),
            self._host,
            privileged=host_config.privileged,
        )
        filtered, custom = seccomp_choice(host_config)
        profile = await self._filters.path(held.effective, custom) if filtered else ""
        keeper = keeper_of(container.id, self._registry.sharers(), self._registry.known())
        edits = device_edits(host_config.device_requests)
        inputs = container_inputs(
            _without_net_sysctls(container) if keeper else container,
            engine_id=self._engine_id,
            rootfs=self.rootfs(container),
            folder=folder,
            run_dir=run_dir,
            mounts=runtime_mounts(
                points, {name: v.source for name, v in volumes.items()}, files, overlays
            )
            + self.secret_files.mounts(container),
            namespaces=self._namespaces(container, keeper),
            dns=bool(container.networks),
            seccomp=profile,
            shm=self._shm(container),
            edits=edits,
        )
        compiled = compile_container(inputs, self._host)
        return compiled.spec, (*compiled.warnings, *edits.warnings)

    async def launch(
        self, container: Container, before_start: Callable[[Monitor], Awaitable[None]]
    ) -> Launched:
        """Start a container's program; `before_start` may attach to its streams and so miss nothing.

        Raises StartError and other EngineErrors.
        """
        spec, warnings = await self.spec(container)
        run_dir = self._layout.container_run(container.id)
        run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if container.first_id:
            run_dir.chmod(0o711)  # its root mounts the files in it, and is nobody here
        (run_dir / "exit.json").unlink(missing_ok=True)
        self._write_files(container)
        encoded = encode(spec)
        netfiles.write_in_place(run_dir, SPEC_NAME, encoded, 0o600)  # the environment is in it
        await _check_receiver(spec)
        prepared = await self._forks.prepare(spec, encoded)
        try:
            await self._connect(container, prepared)
            await before_start(prepared.monitor)
            started_ns = await prepared.start()
        except BaseException as error:
            with trio.CancelScope(shield=True):
                await prepared.abort()
                await self.leave_network(container)
            if isinstance(error, StartError):
                words = f"failed to create task for container: {error.message}"
                raise StartError(error.exit_code, words) from error
            raise
        finally:
            for fd in (prepared.netns_fd, *(prepared.dns_sockets or ())):
                if fd is not None:
                    os.close(fd)
        return Launched(prepared.monitor, spec, (*warnings, *prepared.warnings), started_ns)

    def bury(self, container_id: str, graves: Graves) -> None:
        """Take a container's files out of the way. Raises OSError."""
        folder, run_dir = (
            self._layout.container(container_id),
            self._layout.container_run(container_id),
        )
        graves.take(folder, self._layout.scratch / f"container-{container_id[:12]}")
        graves.take(run_dir, run_dir.with_name(f"{container_id}.gone"))
        self.secret_files.drop(container_id)

    async def _connect(self, container: Container, prepared: Prepared) -> None:
        pid = prepared.monitor.pid
        if not container.networks:
            return
        if prepared.netns_fd is not None:
            sandbox = self.sandbox(container, prepared.netns_fd, prepared.dns_sockets, pid)
            endpoints = await self._networks.attach(sandbox)
        else:  # the namespace that others have kept
            netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                endpoints = await self._networks.resume(self.sandbox(container, netns, None, pid))
            finally:
                os.close(netns)
        self.write_hosts(container, endpoints)

    async def leave_network(self, container: Container) -> None:
        """A container has ended: off its networks, unless others still use its namespace.

        The last of those who used another's takes that one's endpoints along. Idempotent.
        """
        known = self._registry.known()
        owner = owner_of(container, known)
        others = (one for one in self._registry.sharers() if one.id != container.id)
        keeper = keeper_of(owner, others, known)
        owner_runs = owner != container.id and owner in known and known[owner].state.running
        if owner == container.id and keeper is not None:
            await self._networks.suspend(owner, keeper.state.pid)
        elif keeper is None and not owner_runs:
            await self._networks.detach(owner)

    def sandbox(
        self, container: Container, netns_fd: int, dns: tuple[int, int] | None, pid: int
    ) -> Sandbox:
        """A container's wishes in the networks' terms; `pid` is in its network namespace."""
        config, host_config = container.config, container.host_config
        requests = []
        for name, settings in container.networks.items():
            ipam = settings.ipam_config
            requests.append(
                EndpointRequest(
                    network=name,
                    aliases=tuple(settings.aliases or ()),
                    links=tuple(settings.links or ()),
                    ipv4=ipam.ipv4_address if ipam else "",
                    ipv6=ipam.ipv6_address if ipam else "",
                    link_local_ips=tuple(ipam.link_local_ips or ()) if ipam else (),
                    mac=settings.mac_address or "",
                    gw_priority=settings.gw_priority,
                    driver_opts=dict(settings.driver_opts or {}),
                )
            )
        return Sandbox(
            container_id=container.id,
            name=container.name,
            hostname=config.hostname,
            netns_fd=netns_fd,
            endpoints=tuple(requests),
            dns_sockets=dns,
            ports=port_requests(container),
            dns_servers=tuple(host_config.dns),
            project=config.labels.get("com.docker.compose.project", ""),
            pid=pid,
        )

    def write_hosts(self, container: Container, endpoints: tuple[Endpoint, ...]) -> None:
        """/etc/hosts with the addresses that the container has now."""
        config = container.config
        fqdn = f"{config.hostname}.{config.domainname}" if config.domainname else config.hostname
        names = tuple(dict.fromkeys((fqdn, config.hostname)))
        own = [netfiles.HostEntry(a, names) for endpoint in endpoints for a in endpoint.addresses]
        doors = [gateway_endpoint(endpoints, version) for version in (4, 6)]
        gateways = [gateway_of(door, v) for door, v in zip(doors, (4, 6), strict=True) if door]
        gateway = next(iter(gateways), "127.0.0.1")
        text = netfiles.hosts_text(own, container.host_config.extra_hosts or (), gateway)
        netfiles.write_in_place(self._layout.container_run(container.id), "hosts", text)

    def _write_files(self, container: Container) -> None:
        place = self._layout.container_run(container.id)
        host_net = container.host_config.network_mode == "host"
        other = self._network_of(container)
        if other is not None:
            theirs = self._layout.container_run(other.id)
            for name in netfiles.NAMES:
                text = (theirs / name).read_text() if (theirs / name).exists() else ""
                netfiles.write_in_place(place, name, text)
            return
        hostname = container.config.hostname or os.uname().nodename
        netfiles.write_in_place(place, "hostname", f"{hostname}\n")
        text = netfiles.resolv_text(
            netfiles.host_resolv_conf(),
            container.host_config,
            embedded=self._has_dns(container),
        )
        netfiles.write_in_place(place, "resolv.conf", text)
        if host_net and os.path.exists("/etc/hosts"):
            with open("/etc/hosts", errors="replace") as stream:
                netfiles.write_in_place(place, "hosts", stream.read())
        elif container.networks:  # its addresses are not known yet: _connect writes it
            netfiles.write_in_place(place, "hosts", "")
        else:
            self.write_hosts(container, ())

    def _network_of(self, container: Container) -> Container | None:
        kind, _, name = container.host_config.network_mode.partition(":")
        return self._registry.find(name) if kind == "container" else None

    def _has_dns(self, container: Container) -> bool:
        """Whether 127.0.0.11 is the container's name server.

        On Docker's default bridge it is the host's servers themselves, unless only the host's
        loopback has them: then they are asked for it.
        """
        named = any(self._networks.find(n).name != "bridge" for n in container.networks)
        if named or not container.networks or container.host_config.dns:
            return named
        servers = name_servers(netfiles.host_resolv_conf())
        return bool(servers) and all(ip_address(server).is_loopback for server in servers)

    def _namespaces(self, container: Container, keeper: Container | None) -> dict[str, str]:
        host = container.host_config
        modes: dict[str, str] = {}
        if keeper is not None:
            modes["net"] = f"/proc/{keeper.state.pid}/ns/net"
        asked = {
            "net": host.network_mode,
            "pid": host.pid_mode,
            "ipc": host.ipc_mode,
            "uts": host.uts_mode,
            "cgroup": host.cgroupns_mode,
        }
        for kind, mode in asked.items():
            if mode == "host":
                modes[kind] = "host"
            elif mode.startswith("container:"):
                modes[kind] = self._join(mode.partition(":")[2], kind)
        if host.network_mode.startswith("container:"):
            modes.setdefault("uts", self._join(host.network_mode.partition(":")[2], "uts"))
        return modes

    def _shm(self, container: Container) -> str:
        """Where /dev/shm comes from; whose IPC namespace is joined shares it."""
        mode = container.host_config.ipc_mode
        if mode.startswith("container:"):
            other = self._registry.find(mode.partition(":")[2])
            if other.host_config.ipc_mode not in ("shareable", "host"):
                raise InvalidRequestError(
                    f"cannot join IPC of a non-shareable container {other.name}",
                    hint="give that container the IPC mode shareable",
                )
            return self._join(other.id, "mnt")
        return mode if mode in ("host", "none") else "private"

    def _join(self, name: str, kind: str) -> str:
        other = self._registry.find(name)
        if not other.state.running:
            raise ConflictError(
                f"cannot join the {kind} namespace of container {other.name}: it is not running"
            )
        return f"/proc/{other.state.pid}/ns/{kind}"


async def _check_receiver(spec: ContainerSpec) -> None:
    """A log receiver beyond the network must be there. Raises StartError."""
    if spec.log and is_networked(spec.log):
        try:
            await trio.to_thread.run_sync(check_receiver, spec.log)
        except OSError as error:
            words = f"failed to create task for container: {error.strerror}"
            raise StartError(125, words) from error


def _make_skeleton(layout: Layout) -> None:
    """The lowest layer of every container. Idempotent.

    Without it the mount points that an image lacks would be made anew in every container's own layer.
    """
    for folder in (layout.container(""), layout.container_run("")):
        spread_folders_in(folder)
    layout.merged.mkdir(parents=True, mode=0o711, exist_ok=True)
    for name in ("dev", "etc", "proc", "sys"):
        (layout.skeleton / name).mkdir(parents=True, exist_ok=True)
    for name in netfiles.NAMES:
        (layout.skeleton / "etc" / name).touch(exist_ok=True)
    mounts = layout.skeleton / "etc/mtab"
    if not mounts.is_symlink():
        mounts.symlink_to("/proc/mounts")
    for path in (layout.skeleton, *layout.skeleton.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    mark = (
        layout.skeleton / ".dockerenv"
    )  # programs look for it, to know that they are in a container
    mark.touch(exist_ok=True)
    mark.chmod(0o755)


def port_requests(container: Container) -> tuple[PortRequest, ...]:
    """HostConfig.PortBindings, and with PublishAllPorts every exposed port. Raises InvalidRequestError."""
    found: list[PortRequest] = []
    bindings = container.host_config.port_bindings or {}
    for name, places in bindings.items():
        port, protocol = parse_port(name)
        for place in places or ():
            low, _, high = place.host_port.partition("-")
            if not all((text or "0").isdigit() and int(text or 0) < 65536 for text in (low, high)):
                raise InvalidRequestError(f"invalid port specification: {place.host_port!r}")
            found.append(PortRequest(port, protocol, place.host_ip, int(low or 0), int(high or 0)))
    if container.host_config.publish_all_ports:
        for name in container.config.exposed_ports or {}:
            if name not in bindings:
                port, protocol = parse_port(name)
                found.append(PortRequest(port, protocol))
    return tuple(found)


def parse_port(name: str) -> tuple[int, str]:
    """ "80/tcp" -> (80, "tcp"). Raises InvalidRequestError."""
    number, _, protocol = name.partition("/")
    if not number.isdigit() or not 0 < int(number) < 65536:
        raise InvalidRequestError(f"invalid port specification: {name!r}")
    if protocol not in ("", "tcp", "udp", "sctp"):
        raise InvalidRequestError(f"invalid protocol in port specification: {name!r}")
    return int(number), protocol or "tcp"


def _without_net_sysctls(container: Container) -> Container:
    """They are set already in a namespace that is joined again."""
    sysctls = container.host_config.sysctls or {}
    others = {key: value for key, value in sysctls.items() if not key.startswith("net.")}
    return replace(container, host_config=replace(container.host_config, sysctls=others))


def check_bind(source: str, *, create: bool) -> None:
    """What is to be bound must be there, or is made. Raises InvalidRequestError."""
    if os.path.exists(source):
        return
    if not create:
        raise InvalidRequestError(
            f'invalid mount config for type "bind": bind source path does not exist: {source}'
        )
    try:
        os.makedirs(source, 0o755)
    except OSError as error:
        raise InvalidRequestError(
            f"error while creating mount source path '{source}': {error.strerror}"
        ) from error
