"""Host ports: free ones found, taken ones held and their holders named.

A published port is held by a listening socket of ours while it is published, so that another program
gets "address already in use" instead of silence, and `ss -l` shows it. The kernel's rules carry the
packets away before they reach it, or the relay accepts from it.
"""

from __future__ import annotations

import errno
import os
import socket
from itertools import chain
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.networks.model import PortBinding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.networks.model import PortRequest

#: Where free ports are looked for: Docker's range.
EPHEMERAL = range(32768, 61000)
ANYWHERE4, ANYWHERE6 = "0.0.0.0", "::"  # noqa: S104  # Docker's default
_KINDS = {
    "tcp": (socket.SOCK_STREAM, 0),
    "udp": (socket.SOCK_DGRAM, 0),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
_NO_PROTOCOL = (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT)


class PortTakenError(EngineError):
    """The host port is in use; the message names by whom."""


class UnusableAddressError(EngineError):
    """The host address of a port is none that a program may bind here; no other port would do."""


def _unusable(host: str, port: int, error: OSError) -> UnusableAddressError:
    reason = str(error.strerror).lower()
    if error.errno == errno.EADDRNOTAVAIL:
        reason = f"{reason}: {host} is no address of this host"
    return UnusableAddressError(f"Bind for {_place(host, port)} failed: {reason}")


def key_of(binding: PortBinding) -> str:
    """A binding's name for the relay."""
    return f"{binding.protocol} {binding.host_ip} {binding.host_port}"


class PortHolder:
    """The sockets that hold an engine's published ports."""

    def __init__(self) -> None:
        #: (protocol, port) -> host -> the socket (none for SCTP if the kernel has none), in words whose
        self._held: dict[tuple[str, int], dict[str, tuple[socket.socket | None, str]]] = {}
        self._next = 0

    def take(self, request: PortRequest, hosts: list[str], owner: str) -> tuple[PortBinding, ...]:
        """Hold a port for a container (in words), the same one on each host address.

        Raises PortTakenError, UnusableAddressError.
        """
        reason: str | None = ""
        port = request.host_port
        for port in self._candidates(request):
            reason = self._try_all(request.protocol, hosts, port, owner)
            if reason is None:
                if not request.host_port:
                    self._next = port - EPHEMERAL.start + 1
                return tuple(
                    PortBinding(request.container_port, request.protocol, host, port)
                    for host in hosts
                )
        raise PortTakenError(
            f"Bind for {_place(hosts[0], port)} failed: port is already allocated{reason}"
        )

    def release(self, binding: PortBinding) -> None:
        """Let a port go. Idempotent."""
        place = binding.protocol, binding.host_port
        hosts = self._held.get(place, {})
        held = hosts.pop(binding.host_ip, None)
        if not hosts:
            self._held.pop(place, None)
        if held and held[0]:
            held[0].close()

    def adopt(self, binding: PortBinding, owner: str) -> None:
        """Hold again what an earlier engine had published; if it cannot be held it is published still."""
        try:
            reason = self._try_one(binding.protocol, binding.host_ip, binding.host_port, owner)
        except UnusableAddressError as error:  # the host has lost the address; it may come back
            reason = str(error)
        if reason is not None:  # the relay listens there
            place = binding.protocol, binding.host_port
            self._held.setdefault(place, {}).setdefault(binding.host_ip, (None, owner))

    def socket_of(self, binding: PortBinding) -> socket.socket | None:
        """The socket that holds a port, to be listened to by the relay."""
        hosts = self._held.get((binding.protocol, binding.host_port), {})
        return hosts.get(binding.host_ip, (None, ""))[0]

    def _candidates(self, request: PortRequest) -> Iterable[int]:
        if not request.host_port:
            start = self._next % len(EPHEMERAL)
            return chain(EPHEMERAL[start:], EPHEMERAL[:start])
        return range(request.host_port, max(request.host_port, request.host_port_end) + 1)

    def _try_all(self, protocol: str, hosts: list[str], port: int, owner: str) -> str | None:
        taken: list[str] = []
        for host in hosts:
            reason = self._try_one(protocol, host, port, owner)
            if reason is not None:
                for other in taken:
                    self.release(PortBinding(0, protocol, other, port))
                return reason
            taken.append(host)
        return None

    def _try_one(self, protocol: str, host: str, port: int, owner: str) -> str | None:
        """None if the port is ours now, else who has it (" by ...")."""
        for held_host, (_, name) in self._held.get((protocol, port), {}).items():
            same_family = (":" in held_host) == (":" in host)
            if same_family and (held_host == host or {ANYWHERE4, ANYWHERE6} & {held_host, host}):
                return f" (by {name})"
        try:
            holder = open_holder(protocol, host)
        except OSError as error:
            if error.errno not in _NO_PROTOCOL:
                raise
            self._held.setdefault((protocol, port), {})[host] = (None, owner)
            return None
        try:
            hold(holder, host, port)
        except OSError as error:
            holder.close()
            if error.errno == errno.EADDRINUSE:
                return who_listens(protocol, port)
            if host in (ANYWHERE4, ANYWHERE6):
                return f" ({error.strerror})"
            raise _unusable(host, port, error) from error
        self._held.setdefault((protocol, port), {})[host] = (holder, owner)
        return None


def open_holder(protocol: str, host: str) -> socket.socket:
    """A socket of a protocol and of a host address's family. Raises OSError if the kernel has none."""
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, *_KINDS[protocol])


def protocol_warnings(requests: Iterable[PortRequest]) -> tuple[str, ...]:
    """Ports of a protocol that this kernel lacks: no program can listen at them, in a container or not."""
    missing = []
    for request in requests:
        try:
            open_holder(request.protocol, ANYWHERE4).close()
        except OSError as error:
            if error.errno in _NO_PROTOCOL:
                missing.append(f"{request.container_port}/{request.protocol}")
    return tuple(
        f"port {port} is published, but this kernel has no {port.partition('/')[2].upper()}: "
        "no program can listen at it"
        for port in missing
    )


def hold(holder: socket.socket, host: str, port: int) -> None:
    """Bind, and for TCP listen, as Docker's proxy does: connections that have just ended are no bar."""
    if holder.family == socket.AF_INET6:
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if holder.type == socket.SOCK_STREAM:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((host, port))
    if holder.type == socket.SOCK_STREAM:
        holder.listen(1024)


def host_addresses(asked: str, usual: str) -> list[str]:
    """Where a port is published: both families' every address unless one was named.

    A host without IPv6 is served by IPv4 alone.
    """
    asked = asked.strip("[]")
    if asked:
        return [asked]
    if usual == ANYWHERE4 and os.path.exists("/proc/net/if_inet6"):
        return [ANYWHERE4, ANYWHERE6]
    return [usual]


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def who_listens(protocol: str, port: int) -> str:
    """The process that has a local port, in words; "" if the kernel does not tell."""
    inodes = set()
    for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        try:
            with open(table) as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    local = int(fields[1].rpartition(":")[2], 16)
                    connected = protocol == "tcp" and fields[3] != "0A"
                    if local == port and fields[9] != "0" and not connected:
                        inodes.add(f"socket:[{fields[9]}]")
        except OSError:
            continue
    for pid in filter(str.isdigit, os.listdir("/proc")) if inodes else ():
        try:
            links = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            if inodes & links:
                return f" (by process {pid}, {_words_of(pid)})"
        except OSError:
            continue
    return ""


def _words_of(pid: str) -> str:
    """A process's name; of another engine also where it lives."""
    with open(f"/proc/{pid}/comm") as stream:
        name = stream.read().strip()
    with open(f"/proc/{pid}/cmdline", "rb") as raw:
        words = raw.read().decode(errors="replace").split("\0")
    if "engine" in words and "serve" in words:
        run = words[words.index("--run-dir") + 1] if "--run-dir" in words else ""
        return f"another pycompose engine {run}".strip()
    return name
