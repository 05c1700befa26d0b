"""A laboratory of network namespaces: a host of our own making, containers, an outside world.

Sockets are made inside a namespace by entering it for a moment, so one process plays all parts. Nothing
of it is ever in the machine's own namespace.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import socket
import struct
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_interface
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from networking.linux import links
from networking.linux.netlink import CLONE_NEWNET, Route, entered
from networking.linux.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 3.0


def new_namespace() -> int:
    """A descriptor of a new network namespace with its loopback up."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        made = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        with open("/proc/sys/net/ipv6/conf/default/accept_dad", "w") as stream:
            stream.write("0")
        route = Route()
        route.send(links.set_up(socket.if_nametoindex("lo"), "lo"))
        route.close()
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
    return made


@dataclass
class Site:
    """A namespace: what is done in it."""

    netns: int
    name: str = ""
    endpoint: dict[str, Any] = field(default_factory=dict)
    opened: list[socket.socket] = field(default_factory=list)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This process inside."""
        with entered(self.netns):
            yield

    def open(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket of this namespace that waits PATIENCE seconds at most; the lab closes it."""
        with self.entered():
            made = socket.socket(family, kind)
        self.opened.append(made)
        made.settimeout(PATIENCE)
        return made

    def listen(self, address: str, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A server's socket."""
        server = self.open(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in address:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind((address, port))
        if kind == socket.SOCK_STREAM:
            server.listen(16)
        return server

    def connect(self, address: str, port: int, timeout: float = PATIENCE) -> socket.socket:
        """A connection by TCP. Raises OSError."""
        client = self.open(socket.AF_INET6 if ":" in address else socket.AF_INET)
        client.settimeout(timeout)
        try:
            client.connect((address, port))
        except OSError:
            client.close()
            raise
        return client

    def reaches(self, address: str, port: int, timeout: float = 0.25) -> bool:
        """Whether a connection by TCP comes about."""
        try:
            self.connect(address, port, timeout).close()
        except OSError:
            return False
        return True

    def links(self) -> dict[str, links.Link]:
        """Its links by name."""
        with self.entered():
            route = Route()
            try:
                return {link.name: link for link in links.all_links(route)}
            finally:
                route.close()

    def run(self, *command: str) -> str:
        """A program inside; its standard output."""
        import subprocess

        with self.entered():
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def raw(self, interface: str) -> socket.socket:
        """A socket that sends and hears whole Ethernet frames."""
        with self.entered():
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            made.bind((interface, 0))
        self.opened.append(made)
        made.settimeout(0.25)
        return made

    def wait_heard(self, address: str) -> None:
        """Wait until the kernel listens for neighbours that look for an IPv6 address.

        It does so in a work queue of its own, a moment after the link is up; a program that is
        started in between takes longer.
        """
        group = f"ff0200000000000000000001ff{ip_interface(address).ip.packed[-3:].hex()}"
        deadline = time.monotonic() + PATIENCE
        while ":" in address and time.monotonic() < deadline:
            with self.entered(), open("/proc/thread-self/net/igmp6") as stream:
                if group in stream.read():
                    return
            time.sleep(0.001)

    def sysctl(self, name: str) -> str:
        """A value below net/."""
        with self.entered(), open(f"/proc/sys/net/{name}") as stream:
            return stream.read().strip()


def show_bridged_frames_to_the_firewall(host: Site, *, shown: bool) -> None:
    """Set bridge-nf-call-iptables and -ip6tables; without br_netfilter no frame is shown anyway."""
    folder = Path("/proc/sys/net/bridge")
    with host.entered():
        if not folder.exists() and shutil.which("modprobe"):
            subprocess.run(["modprobe", "--quiet", "br_netfilter"], check=False)
        if not folder.exists():
            if shown:
                pytest.skip(
                    "this kernel has no br_netfilter: a bridge shows its frames to no firewall"
                )
            return
        for name in ("iptables", "ip6tables"):
            (folder / f"bridge-nf-call-{name}").write_text(str(int(shown)))


class Lab:
    """A host with a network worker and its rules, and sites around it; several may be on one host."""

    def __init__(self, host: Site | None = None) -> None:
        self.id = secrets.token_hex(6)
        self.table = f"pycompose-{self.id}"
        self.prefix = f"ve{self.id[:4]}"
        self._sites: list[Site] = []
        self.host = host or self.site("host")
        with self.host.entered():
            self.worker = Worker()
        self.perform("begin")
        self.perform("open", veth_prefix=self.prefix)

    def site(self, name: str = "") -> Site:
        """A new namespace."""
        made = Site(new_namespace(), name)
        self._sites.append(made)
        return made

    def perform(self, op: str, *fds: int, **fields: Any) -> Any:
        """One operation of the worker, on the lab's host."""
        with self.host.entered():
            return self.worker.perform({"op": op, "table": self.table, **fields}, list(fds))

    def network(self, name: str, *gateways: str, **more: Any) -> dict[str, Any]:
        """A bridge network; what is not said is as Docker has it."""
        order = {
            "link": name, "made": True, "mtu": 0, "gateways": list(gateways),
            "ipv6": any(":" in gateway for gateway in gateways),
            "masqueraded": [str(ip_interface(gateway).network) for gateway in gateways],
            "internal": False, "icc": True, "unprotected": [], "routed": [], **more,
        }  # fmt: skip
        if order["internal"]:
            order["masqueraded"] = []
        self.perform("add_network", **order)
        return order

    def container(self, network: dict[str, Any], *addresses: str, **more: Any) -> Site:
        """A container on a network, by its addresses with prefix lengths."""
        site = self.site()
        self.attach(site, network, *addresses, **more)
        return site

    def attach(
        self, site: Site, network: dict[str, Any], *addresses: str, **more: Any
    ) -> dict[str, Any]:
        """One more endpoint of a container."""
        from networking.ipam import link_local_of, mac_for

        mac = more.pop("mac", mac_for(ip_interface(addresses[0]).ip))
        six = any(":" in address for address in addresses)
        order = {
            "kind": "veth", "link": network["link"], "veth": f"{self.prefix}{secrets.token_hex(4)}",
            "interface": "eth0", "mac": mac, "addresses": list(addresses),
            "link_local": [str(link_local_of(mac))] if six else [], "extra_link_local": [],
            "gateways": [gateway.split("/")[0] for gateway in network["gateways"]],
            "mtu": network.get("mtu", 0), "mode": "", "isolated": not network["icc"], "sysctls": {}, **more,
        }  # fmt: skip
        if network["internal"]:
            order["gateways"] = []
        self.perform("attach", site.netns, **order)
        site.endpoint = order
        for address in addresses if six else ():
            site.wait_heard(address)
        return order

    def cable(self, site: Site, inside: str, outside: str, *, name: str = "wan") -> None:
        """A wire between the host (address `inside`) and a site (address `outside`)."""
        lay_cable(self.host, site, inside, outside, name=name)

    def die(self) -> None:
        """The worker's end as others see it: nobody has the engine's name any more."""
        if self.worker.name is not None:
            self.worker.name.close()

    def close(self) -> None:
        """Everything gone: namespaces take their links and rules along."""
        self.die()
        self.worker.route.close()
        self.worker.rules.close()
        self.worker.bridged.close()
        self.worker.sysctls.close()
        for site in self._sites:
            for one in site.opened:
                one.close()
            os.close(site.netns)


def lay_cable(host: Site, site: Site, inside: str, outside: str, *, name: str = "wan") -> str:
    """A wire between a host (address `inside`) and a site (address `outside`); its end on the host."""
    near, far = f"{name}{secrets.token_hex(2)}", "wan0"
    host.run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
    with host.entered():
        route = Route()
        body = links.header(index=socket.if_nametoindex(far))
        body += struct.pack("=HHI", 8, links.IFLA_NET_NS_FD, site.netns)
        route.send(links.Message(links.RTM_SETLINK, 0, body, "move"))
        route.close()
    for where, link, address in ((host, near, inside), (site, far, outside)):
        if address:
            flags = ["nodad"] if ":" in address else []
            where.run("ip", "addr", "add", address, "dev", link, *flags)
        where.run("ip", "link", "set", link, "up")
    return near


def echo_once(server: socket.socket) -> Any:
    """Accept one connection; its address. The connection is closed."""
    connection, address = server.accept()
    connection.close()
    return address
