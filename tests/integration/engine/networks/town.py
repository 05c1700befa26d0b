"""An engine in a network namespace of its own, and what a test does with it: containers, names, packets."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dns.message
import dns.query
import dns.rdatatype
import docker

from networking.linux import nft
from tests.bench.sides import import_image
from tests.integration.networking.lab import Site, new_namespace
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

IMAGE = "busybox:bench"


@dataclass
class Box:
    """A running container: docker-py's object, and its network namespace to act in."""

    container: Any
    site: Site

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.container.name)

    def inspect(self) -> dict[str, Any]:
        """What the engine says of it now."""
        self.container.reload()
        return dict(self.container.attrs)

    def address(self, network: str, key: str = "IPAddress") -> str:
        """A fact of its endpoint on a network."""
        return str(self.inspect()["NetworkSettings"]["Networks"][network][key])

    def query(self, name: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
        """What its name server answers."""
        query = dns.message.make_query(name, kind)
        with self.site.entered():
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        with made:
            made.settimeout(5)
            if tcp:
                made.connect(("127.0.0.11", 53))
                return dns.query.tcp(query, "127.0.0.11", sock=made, timeout=5)
            return dns.query.udp(query, "127.0.0.11", sock=made, timeout=5)

    def ask(self, name: str, kind: str = "A") -> list[str]:
        """The addresses or names of an answer, in its order; [] for an answer without."""
        answer = self.query(name, kind)
        number = dns.rdatatype.from_text(kind)
        return [str(r) for rrset in answer.answer if rrset.rdtype == number for r in rrset]


@dataclass
class Town:
    """The engine, its host, a client."""

    engine: OwnEngine
    host: Site
    client: docker.DockerClient
    boxes: list[Box] = field(default_factory=list)

    def run(self, name: str = "", *networks: str, **more: Any) -> Box:
        """A container that sleeps, on one network or several; `endpoint` are its settings there."""
        endpoint = more.pop("endpoint", {})
        ends = more.pop("endpoints", None) or dict.fromkeys(networks, endpoint)
        api = self.client.api
        body = {
            "Image": IMAGE, "Cmd": ["sleep", "100000"], "StopSignal": "SIGKILL",
            **more.pop("config", {}),
            "HostConfig": {"Init": False, **more.pop("host_config", {})},
        }  # fmt: skip
        body.update(more)
        if ends:
            body["HostConfig"].setdefault("NetworkMode", next(iter(ends)))
            body["NetworkingConfig"] = {"EndpointsConfig": ends}
        params = {"name": name} if name else {}
        made = api._result(
            api._post_json(api._url("/containers/create"), body, params=params), json=True
        )
        container = self.client.containers.get(made["Id"])
        container.start()
        return self.box(container)

    def box(self, container: Any) -> Box:
        """A container that runs, to be acted in."""
        container.reload()
        pid = container.attrs["State"]["Pid"]
        netns = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        made = Box(container, Site(netns, container.name))
        self.boxes.append(made)
        return made

    def network(self, name: str, *subnets: str, **more: Any) -> Any:
        """A network with these subnets."""
        body = {"Name": name, "CheckDuplicate": True, **more}
        if subnets:
            body["IPAM"] = {"Config": [{"Subnet": subnet} for subnet in subnets]}
            body["EnableIPv6"] = any(":" in subnet for subnet in subnets)
        api = self.client.api
        made = api._result(api._post_json(api._url("/networks/create"), body), json=True)
        found = self.client.networks.get(made["Id"])
        found.warning = made["Warning"]
        return found

    def clear(self) -> None:
        """No container and no network of a test is left."""
        for box in self.boxes:
            for one in box.site.opened:
                one.close()
            os.close(box.site.netns)
        self.boxes.clear()
        for one in self.host.opened:
            one.close()
        self.host.opened.clear()
        for container in self.client.containers.list(all=True):
            container.remove(force=True)
        self.client.networks.prune()

    def kill_engine(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """The engine dies as by the OOM killer, something happens, and another one takes over."""
        import signal

        pidfd = os.pidfd_open(self.engine.pid)
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            _wait_gone(pidfd)
        finally:
            os.close(pidfd)
        meanwhile()
        started = self.engine.command("serve", "--detach")
        assert started.returncode == 0, started.stderr


def _wait_gone(pidfd: int) -> None:
    import select

    select.select([pidfd], [], [], 10)


@contextmanager
def open_town(
    folder: Path, pool: str, host: Site | None = None, resolv_conf: str = "", **environ: str
) -> Iterator[Town]:
    """An engine in its own network namespace; at the end neither link nor rule of it is there.

    `resolv_conf` is what its host's /etc/resolv.conf says, if not the machine's.
    """
    host = host or Site(new_namespace(), "host")
    prefix: tuple[str, ...] = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{host.netns}")
    if resolv_conf:
        file = folder / "resolv.conf"
        file.write_text(resolv_conf)
        script = f'mount --bind {file} /etc/resolv.conf && exec "$@"'
        prefix = (*prefix, "unshare", "--mount", "sh", "-c", script, "sh")
    try:
        with running_engine(folder, pool, prefix=prefix, **environ) as engine:
            import_image(engine.host)
            client = docker.DockerClient(base_url=engine.host, timeout=30)
            town = Town(engine, host, client)
            try:
                yield town
            finally:
                town.clear()
                client.close()
        with host.entered():
            assert nft.tables() == []
        ours = [name for name in host.links() if name.startswith(("br-", "ve", "vx"))]
        assert ours == [], host.links()
    finally:
        for one in host.opened:
            one.close()
        os.close(host.netns)
