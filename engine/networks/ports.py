"""Host ports: free ones found, taken ones held and their holders named.

A published port is held by a bound socket of ours while it is published, so that another program
gets "address already in use" instead of silence, as under Docker.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.networks.model import PortBinding

if TYPE_CHECKING:
    from engine.networks.model import PortRequest

#: Where free ports are looked for: Docker's range.
EPHEMERAL = range(32768, 61000)
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class PortTakenError(EngineError):
    """The host port is in use; the message names by whom."""


class PortHolder:
    """The sockets that hold an engine's published ports."""

    def __init__(self, publish_address: str = "0.0.0.0") -> None:  # noqa: S104  # Docker's default
        self._publish_address = publish_address
        self._held: dict[tuple[str, str, int], tuple[socket.socket | None, str]] = {}
        self._next = 0

    def take(self, request: PortRequest, owner: str) -> PortBinding:
        """Hold a port for a container (by name). Raises PortTakenError."""
        host = request.host_ip or self._publish_address
        if request.host_port and request.host_port_end <= request.host_port:
            candidates = [request.host_port]
        elif request.host_port:
            candidates = list(range(request.host_port, request.host_port_end + 1))
        else:
            start = self._next % len(EPHEMERAL)
            candidates = [*EPHEMERAL[start:], *EPHEMERAL[:start]]
        reason: str | None = ""
        for port in candidates:
            reason = self._try(request.protocol, host, port, owner)
            if reason is None:
                if not request.host_port:
                    self._next = port - EPHEMERAL.start + 1
                return PortBinding(request.container_port, request.protocol, host, port)
        raise PortTakenError(
            f"Bind for {host}:{candidates[-1]} failed: port is already allocated{reason}"
        )

    def release(self, binding: PortBinding) -> None:
        """Let a port go. Idempotent."""
        held = self._held.pop((binding.protocol, binding.host_ip, binding.host_port), None)
        if held and held[0]:
            held[0].close()

    def adopt(self, binding: PortBinding, owner: str) -> None:
        """Hold again what an earlier engine had published; if it cannot be held it is published still."""
        self._try(binding.protocol, binding.host_ip, binding.host_port, owner)

    def _try(self, protocol: str, host: str, port: int, owner: str) -> str | None:
        """None if the port is ours now, else who has it (" by ...")."""
        for (held_protocol, held_host, held_port), (_, name) in self._held.items():
            same = (held_protocol, held_port) == (protocol, port)
            if same and (held_host == host or "0.0.0.0" in (held_host, host)):  # noqa: S104  # compared
                return f" (by container {name})"
        kind = _KINDS.get(protocol)
        if kind is None:
            self._held[protocol, host, port] = (None, owner)
            return None
        holder = socket.socket(socket.AF_INET, kind)
        try:
            holder.bind((host, port))
        except OSError as error:
            holder.close()
            if error.errno == errno.EADDRINUSE:
                return who_listens(protocol, port)
            return f" ({error.strerror})"
        self._held[protocol, host, port] = (holder, owner)
        return None


def who_listens(protocol: str, port: int) -> str:
    """The process that has a local port, in words; "" if the kernel does not tell."""
    inodes = set()
    for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        try:
            with open(table) as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    if int(fields[1].rpartition(":")[2], 16) == port and fields[9] != "0":
                        inodes.add(f"socket:[{fields[9]}]")
        except OSError:
            continue
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            links = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            if inodes & links:
                with open(f"/proc/{pid}/comm") as stream:
                    return f" (by process {pid}, {stream.read().strip()})"
        except OSError:
            continue
    return ""
