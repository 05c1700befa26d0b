"""The network worker: one single-threaded process on netlink; operations in, results out.

Each request is a datagram of JSON with descriptors beside it; it is done wholly or undone, and
answered by one datagram, {"ok": ...} or {"error": ...}. Run as `python -m networking.linux.worker FD`.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import sys
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

from networking.linux import netlink, nft, ruleset


class Worker:
    """Carries out operations; keeps no state but its socket and the table's name."""

    def __init__(self) -> None:
        self.route = netlink.Route()

    def perform(self, request: dict[str, Any], fds: list[int]) -> Any:
        """Do one operation. Raises OSError, with everything undone."""
        operations = {
            "open": self.open_table,
            "close": self.close_table,
            "add_network": self.add_network,
            "remove_network": self.remove_network,
            "attach": self.attach,
            "detach": self.detach,
            "readmit": self.readmit,
            "ports": self.ports,
        }
        return operations[request["op"]](request, fds)

    def open_table(self, request: dict[str, Any], _fds: list[int]) -> None:
        """A fresh ruleset for the engine; whatever an earlier engine of its id left is replaced."""
        table = request["table"]
        try:
            nft.apply_batch(ruleset.destroy(table))
        except nft.NftError:
            pass  # there was none
        nft.apply_batch(ruleset.create(table, request["veth_prefix"]))
        for name, value in (("ip_forward", "1"),):
            Path(f"/proc/sys/net/ipv4/{name}").write_text(value)

    def close_table(self, request: dict[str, Any], _fds: list[int]) -> None:
        """The engine goes for good: no rule stays."""
        nft.apply_batch(ruleset.destroy(request["table"]))

    def add_network(self, request: dict[str, Any], _fds: list[int]) -> None:
        """A bridge with its gateway, known to the rules. A bridge of that name is adopted."""
        link = request["link"]
        gateway = IPv4Interface(request["gateway"])
        if not Path(f"/sys/class/net/{link}").exists():
            self.route.add_bridge(link, gateway, request["mtu"], request["table"])
        try:
            # Published ports on 127.0.0.1 are routed to the bridge; bridged frames skip the firewall.
            Path(f"/proc/sys/net/ipv4/conf/{link}/route_localnet").write_text("1")
            nft.apply_batch(self._network(request, delete=False))
        except OSError:
            self.route.delete(link)
            raise

    def remove_network(self, request: dict[str, Any], _fds: list[int]) -> None:
        """The bridge and what the rules know of it."""
        try:
            nft.apply_batch(self._network(request, delete=True))
        except nft.NftError:
            pass  # the rules did not know it
        self.route.delete(request["link"])

    def attach(self, request: dict[str, Any], fds: list[int]) -> None:
        """A veth pair between a bridge and a container's namespace, configured."""
        veth, mac = request["veth"], bytes.fromhex(request["mac"].replace(":", ""))
        address = IPv4Interface(request["address"])
        gateway = IPv4Address(request["gateway"]) if request["gateway"] else None
        member = ruleset.endpoint(request["table"], veth, mac, address.ip)
        nft.apply_batch([member])
        try:
            self.route.add_veth(
                veth, request["link"], fds[0], request["interface"], mac, request["mtu"]
            )
            with netlink.inside(fds[0]) as inner:
                inner.configure(request["interface"], address, gateway)
        except OSError:
            self.detach(request, fds)
            raise

    def readmit(self, request: dict[str, Any], _fds: list[int]) -> None:
        """The rules know an endpoint of an earlier engine again."""
        mac = bytes.fromhex(request["mac"].replace(":", ""))
        address = IPv4Interface(request["address"])
        nft.apply_batch([ruleset.endpoint(request["table"], request["veth"], mac, address.ip)])

    def detach(self, request: dict[str, Any], _fds: list[int]) -> None:
        """The rules forget an endpoint; its veth goes unless its namespace has taken it along."""
        mac = bytes.fromhex(request["mac"].replace(":", ""))
        address = IPv4Interface(request["address"])
        try:
            nft.apply_batch(
                [ruleset.endpoint(request["table"], request["veth"], mac, address.ip, delete=True)]
            )
        except nft.NftError:
            pass  # forgotten already
        if not request.get("dying"):
            self.route.delete(request["veth"])

    def ports(self, request: dict[str, Any], _fds: list[int]) -> None:
        """Publish or withdraw ports, all in one batch."""
        delete = request["delete"]
        batch = [
            ruleset.port(request["table"], proto, host, host_port, address, inner, delete=delete)
            for proto, host, host_port, address, inner in request["ports"]
        ]
        try:
            nft.apply_batch(batch)
        except nft.NftError:
            if not delete:
                raise

    def _network(self, request: dict[str, Any], *, delete: bool) -> list[nft.Message]:
        return ruleset.network(
            request["table"],
            request["link"],
            IPv4Interface(request["gateway"]).network,
            internal=request["internal"],
            masquerade=request["masquerade"],
            icc=request["icc"],
            delete=delete,
        )


def serve(channel: socket.socket) -> None:
    """Answer requests until the engine closes its end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    worker = Worker()
    while True:
        fds = array.array("i")
        try:
            message, ancillary, _, _ = channel.recvmsg(1 << 18, socket.CMSG_LEN(4 * fds.itemsize))
        except ConnectionResetError:
            return  # the engine was killed with an answer of ours unread
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not message:
            return
        try:
            answer = {"ok": worker.perform(json.loads(message), list(fds))}
        except OSError as error:
            answer = {"error": error.strerror or str(error), "errno": error.errno}
        finally:
            for fd in fds:
                os.close(fd)
        try:
            channel.send(json.dumps(answer).encode())
        except (BrokenPipeError, ConnectionResetError):
            return  # the engine was killed meanwhile


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
