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
from typing import TYPE_CHECKING, Any

from networking.linux import endpoints, leftovers, links, networks, nft, ruleset
from networking.linux.indexes import Indexes
from networking.linux.inner import redirect_names
from networking.linux.netlink import Route, inside
from networking.linux.sysctls import Sysctls

if TYPE_CHECKING:
    from collections.abc import Callable


class Worker:
    """Carries out operations; keeps no state but its sockets and the indexes of links."""

    def __init__(self) -> None:
        self.route = Route()
        self.rules = nft.Tables()
        self.name: socket.socket | None = None  # the engine's, held
        self.indexes = Indexes()
        self.sysctls = Sysctls()
        self.bridged = endpoints.BridgedFrames()
        self.operations: dict[str, Callable[[dict[str, Any], list[int]], Any]] = {
            "begin": self.begin,
            "open": self.open_table,
            "reset": self.reset,
            "close": self.close_table,
            "sweep": self.sweep,
            "add_network": self.add_network,
            "remove_network": self.remove_network,
            "attach": self.attach,
            "detach": self.detach,
            "route": self.set_routes,
            "ports": self.ports,
            "firewall": self.firewall,
        }

    def perform(self, request: dict[str, Any], fds: list[int]) -> Any:
        """Do one operation. Raises OSError, with everything undone."""
        return self.operations[request["op"]](request, fds)

    def begin(self, request: dict[str, Any], _fds: list[int]) -> list[str]:
        """The engine is there: its links and tables are its own. What dead ones have left, removed."""
        if self.name is None:
            self.name = leftovers.take_name(request["table"], leftovers.PATIENCE)
        return leftovers.sweep_dead(self.route, self.rules, request["table"])

    def open_table(self, request: dict[str, Any], _fds: list[int]) -> dict[str, bool]:
        """The engine's ruleset. One that is `found` stays in force, and is to be `reset`.

        An earlier engine's may be of another layout, in which no element of ours has a place.
        """
        networks.forward_packets(self.sysctls)
        name = request["table"]
        found = any(there == name for _, there in nft.tables())
        if not found:  # without a word of deletion, which the kernel takes its time for
            self.rules.apply(ruleset.create(name, request["veth_prefix"]))
        return {"found": found}

    def reset(self, request: dict[str, Any], fds: list[int]) -> None:
        """A fresh ruleset with all that is in the descriptor's JSON, in the old one's place at once."""
        name = request["table"]
        with open(fds[0], "rb", closefd=False) as stream:
            everything = json.load(stream)
        batch = ruleset.create(name, request["veth_prefix"])
        for network in everything["networks"]:
            if self.indexes.look_up(network["link"]):  # one that is missing is made later
                batch += self._network(name, network)
        for endpoint in everything["endpoints"]:
            if self.indexes.look_up(endpoint["veth"]):
                batch += self._endpoint(name, endpoint)
        for port in everything["ports"]:
            batch += ruleset.port(name, endpoints.port_of(port))
        self._replace(name, batch)

    def close_table(self, request: dict[str, Any], _fds: list[int]) -> None:
        """The engine goes for good: no rule stays."""
        self.rules.forget(ruleset.destroy(request["table"]))

    def sweep(self, request: dict[str, Any], _fds: list[int]) -> list[str]:
        """Remove links of this engine that it does not know (any more); their names."""
        gone = []
        present = links.all_links(self.route)
        kept = {link.index for link in present if link.name in request["keep"]}
        for link in present:
            ours = link.alias == request["table"] or link.name.startswith(request["veth_prefix"])
            carried = link.kind == "vxlan" and link.master in kept
            if ours and link.index not in kept and not carried:
                endpoints.delete_link(self.route, link.name)
                gone.append(link.name)
        return gone

    def add_network(self, request: dict[str, Any], _fds: list[int]) -> dict[str, Any]:
        """A bridge with its gateways, known to the rules. Tells whether it is ours to delete."""
        bridge = networks.make_bridge(self.route, request)
        try:
            networks.configure_bridge(self.route, self.sysctls, request)
            self.indexes.look_up(request["link"])
            self.rules.apply(self._network(request["table"], request))
        except OSError:
            if bridge.new:
                networks.delete_bridge(self.route, request)
            raise
        return {"made": bridge.ours}

    def remove_network(self, request: dict[str, Any], _fds: list[int]) -> None:
        """What the rules know of a network, and its bridge if it is ours."""
        self.rules.forget(self._network(request["table"], request, delete=True))
        self.indexes.forget(request["link"])
        if request["made"]:
            networks.delete_bridge(self.route, request)

    def attach(self, request: dict[str, Any], fds: list[int]) -> None:
        """A link between a network and a container's namespace, configured."""
        try:
            hairpin = self.bridged.meet_firewall()
            endpoints.make_link(self.route, self.sysctls, request, fds[0], hairpin=hairpin)
            if request["kind"] != "macvlan":  # until then it carries nothing
                self.indexes.look_up(request["veth"])
                self.rules.apply(self._endpoint(request["table"], request))
            with inside(fds[0]) as inner:
                endpoints.configure(inner, self.sysctls, request)
                if request.get("dns"):
                    redirect_names(*request["dns"])
            endpoints.settle(self.route, request)
        except OSError:
            self.detach(request, fds)
            raise

    def detach(self, request: dict[str, Any], fds: list[int]) -> None:
        """The rules forget an endpoint; its link goes unless its namespace takes it along."""
        if request["kind"] != "macvlan":
            self.rules.forget(self._endpoint(request["table"], request, delete=True))
            self.indexes.forget(request["veth"])
            if not request.get("dying"):
                endpoints.delete_link(self.route, request["veth"])
        elif fds and not request.get("dying"):
            with inside(fds[0]) as inner:
                endpoints.delete_link(inner, request["interface"])

    def set_routes(self, request: dict[str, Any], fds: list[int]) -> None:
        """A container's default routes: {"4": [interface, gateway] or None, "6": ...}."""
        with inside(fds[0]) as inner:
            for version in (4, 6):
                endpoints.set_default(inner, version, request["routes"].get(str(version)))

    def ports(self, request: dict[str, Any], _fds: list[int]) -> None:
        """Publish or withdraw ports, all in one batch."""
        delete = request["delete"]
        batch: list[nft.Message] = []
        for port in request["ports"]:
            batch += ruleset.port(request["table"], endpoints.port_of(port), delete=delete)
        (self.rules.forget if delete else self.rules.apply)(batch)

    def firewall(self, request: dict[str, Any], _fds: list[int]) -> list[str]:
        """Chains of others that drop what the host forwards, in words."""
        families = {nft.IPV4: "ip", nft.INET: "inet", 10: "ip6"}
        return [
            f"table {families[chain.family]} {chain.table}, chain {chain.name}"
            for chain in nft.base_chains()
            if chain.drops and chain.hook == 2 and chain.family in families
            if chain.table != request["table"]
        ]

    def _network(
        self, table: str, request: dict[str, Any], *, delete: bool = False
    ) -> list[nft.Message]:
        index = self.indexes.of(request["link"])
        return ruleset.network(table, networks.rules_of(request, index), delete=delete)

    def _endpoint(
        self, table: str, request: dict[str, Any], *, delete: bool = False
    ) -> list[nft.Message]:
        link, veth = self.indexes.of(request["link"]), self.indexes.of(request["veth"])
        return ruleset.endpoint(table, endpoints.rules_of(request, link, veth), delete=delete)

    def _replace(self, name: str, batch: list[nft.Message]) -> None:
        """One transaction: nft makes what is deleted exist first, so that it may be missing."""
        tables = [nft.table(family, name) for family in (nft.INET, nft.BRIDGE)]
        self.rules.apply([*tables, *ruleset.destroy(name), *batch])


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
