"""What our networks cost: throughput beside a bare bridge and beside Docker, endpoints by the hundred.

`python -m tests.bench.network_speed`, as root, on an otherwise idle machine. Everything is in network
namespaces of its own. Two ways at a time take turns by slices of some tens of milliseconds; the medians
of the rounds' ratios are shown, with their quartiles. Docker is measured where a dockerd can be started
(`make peers` installs one). An endpoint is shown beside what the kernel alone takes for its link.
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager
from ipaddress import ip_interface
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from tests.bench.sides import import_image
from tests.bench.ways import Way, compare, dialler, spread, stream
from tests.contract.dockerd import is_installed, running_dockerd
from tests.integration.networking.lab import Lab, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def bare_bridge(lab: Lab) -> Way:
    """Two namespaces, two veth pairs, a bridge, and not a rule on the way."""
    host, one, two = lab.site(), lab.site(), lab.site()
    host.run("ip", "link", "add", "br0", "type", "bridge")
    host.run("ip", "link", "set", "br0", "up")
    for number, site in enumerate((one, two), start=1):
        holder = f"/proc/{os.getpid()}/fd/{site.netns}"
        host.run(
            "ip",
            "link",
            "add",
            f"v{number}",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            holder,
        )
        host.run("ip", "link", "set", f"v{number}", "master", "br0", "up")
        site.run("ip", "addr", "add", f"10.9.0.{number}/24", "dev", "eth0")
        site.run("ip", "link", "set", "eth0", "up")
    return Way("bare veth + bridge", one, two.listen("10.9.0.2", 80), ("10.9.0.2", 80))


def own_paths(lab: Lab) -> tuple[Way, Way]:
    """Container to container, and from outside to a published port."""
    network = lab.network("br-a", "10.1.0.1/24")
    one = lab.container(network, "10.1.0.2/24")
    two = lab.container(network, "10.1.0.3/24")
    server = two.listen("0.0.0.0", 80)
    outside = lab.site()
    lab.cable(outside, "192.0.2.1/24", "192.0.2.2/24")
    port = ["tcp", "0.0.0.0", 8080, "10.1.0.3", 80, False]
    lab.perform("ports", ports=[port], delete=False)
    return (
        Way("pycompose network", one, server, ("10.1.0.3", 80)),
        Way("pycompose port", outside, server, ("192.0.2.1", 8080)),
    )


@contextmanager
def docker_path(folder: Path) -> Iterator[tuple[Way, Callable[[int], float]]]:
    """From outside to a port that a real dockerd has published; and what an endpoint costs it."""
    import docker

    with running_dockerd(folder) as address:
        import_image(address)
        client = docker.DockerClient(base_url=address)
        box = client.containers.run(
            "busybox:bench", ["sleep", "100000"], detach=True, ports={"80/tcp": 8080}
        )
        box.reload()
        inner = box.attrs["State"]["Pid"]
        daemon = _child_of_dockerd(folder)
        host = Site(os.open(f"/proc/{daemon}/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        site = Site(
            os.open(f"/proc/{_outer_pid(daemon, inner)}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        )
        lab = Lab()
        lab.host = host
        outside = lab.site()
        lab.cable(outside, "192.0.2.1/24", "192.0.2.2/24")
        try:
            way = Way("docker port", outside, site.listen("0.0.0.0", 80), ("192.0.2.1", 8080))
            yield way, lambda count: _docker_endpoint(client, box, daemon, count)
        finally:
            for one in (host, site):
                for opened in one.opened:
                    opened.close()
                os.close(one.netns)
            lab.close()
            client.close()


def _docker_endpoint(client: Any, box: Any, daemon: int, count: int) -> float:
    """CPU milliseconds of dockerd and the programs it starts, for connecting a running container."""
    network = client.networks.create("bench")
    spent = 0.0
    for _ in range(count):
        before = _with_children_ms(daemon)
        network.connect(box)
        spent += _with_children_ms(daemon) - before
        network.disconnect(box)
    network.remove()
    return spent / count


def _with_children_ms(pid: int) -> float:
    """CPU time of a process and of its children that have ended: the scheduler's clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * 1e3 / os.sysconf("SC_CLK_TCK")


def _child_of_dockerd(folder: Path) -> int:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"dockerd") and str(folder / "data").encode() in words:
            return int(place.name)
    raise RuntimeError("dockerd is gone")


def _outer_pid(daemon: int, inner: int) -> int:
    """The pid out here of a process that dockerd knows by a pid of its own namespace."""
    space = os.readlink(f"/proc/{daemon}/ns/pid")
    for place in Path("/proc").glob("[0-9]*"):
        try:
            numbers = next(
                line.split()[1:]
                for line in (place / "status").read_text().splitlines()
                if line.startswith("NSpid:")
            )
            known = len(numbers) > 1 and int(numbers[1]) == inner
            if known and os.readlink(f"/proc/{os.getppid()}/ns/pid") != space:
                return int(place.name)
        except (OSError, StopIteration):
            continue
    raise RuntimeError("the container is gone")


def cpu_ms(pid: int) -> float:
    """User and system time of a process so far, from its scheduler statistics (nanoseconds)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


async def endpoints(folder: Path, count: int) -> list[float]:
    """CPU milliseconds of engine, worker and name server for each of so many endpoints."""
    from engine.events.bus import EventBus
    from engine.networks.model import EndpointRequest, NetworkRequest, Sandbox
    from engine.networks.naming import Names
    from engine.networks.publishing import Publisher, PublishPolicy
    from engine.networks.service import Networks
    from engine.processes.spawn import spawn
    from engine.storage.database import Database
    from networking.ipam import parse_pool
    from networking.linux.client import open_worker
    from networking.relay.client import Relay
    from tests.integration.networking.lab import new_namespace

    helper = spawn("networking.linux.worker")
    database = Database.open(folder / "engine.db")
    with open_worker(f"pycompose-{secrets.token_hex(6)}", helper.channel) as worker:
        names = Names(folder)
        relay = Relay(folder)
        networks = Networks(
            database, EventBus(database), worker, names, secrets.token_hex(6),
            (parse_pool("10.104.0.0/16,22"),), Publisher(worker, relay, PublishPolicy()),
        )  # fmt: skip
        await networks.open()
        await networks.create(NetworkRequest("bench"))
        server = next(
            int(p.name)
            for p in Path("/proc").glob("[0-9]*")
            if b"networking.dns.server" in _words(p) and str(folder).encode() in _words(p)
        )
        pids = (helper.process.pid, server)
        costs, held = [], []
        for number in range(count):
            netns = new_namespace()
            sockets = tuple(_bound(netns, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM))
            held += [netns, *sockets]
            box = Sandbox(
                f"{number:064x}", f"box-{number}", f"box-{number}", netns,
                (EndpointRequest("bench", aliases=("box",)),), sockets, pid=os.getpid(),
            )  # fmt: skip
            before = sum(map(cpu_ms, pids)) + time.process_time_ns() / 1e6
            await networks.attach(box)
            costs.append(sum(map(cpu_ms, pids)) + time.process_time_ns() / 1e6 - before)
        for number in range(count):
            await networks.detach(f"{number:064x}")
        for fd in held:
            os.close(fd)
        await networks.remove("bench")
        await networks.close()
    helper.close()
    database.close()
    return costs


def _words(place: Path) -> list[bytes]:
    try:
        return (place / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _bound(netns: int, kind: int) -> int:
    from networking.linux.netlink import entered

    with entered(netns):
        made = socket.socket(type=kind)
    made.bind(("127.0.0.11", 0))
    if kind == socket.SOCK_STREAM:
        made.listen(8)
    return made.detach()


def bare_endpoints(count: int) -> list[float]:
    """CPU milliseconds of as many veth pairs into a namespace each, on a bridge, up: no engine, no rules."""
    from networking.linux import links
    from networking.linux.netlink import Route, inside
    from tests.integration.networking.lab import new_namespace

    route, costs, held = Route(), [], []
    route.send(links.new_bridge("br-bare"))
    bridge = links.index_of("br-bare")
    for number in range(count):
        netns, name = new_namespace(), f"bare{number}"
        held.append(netns)
        address = ip_interface(f"10.9.{1 + number // 250}.{1 + number % 250}/16")
        mac = b"\x02\x42" + address.ip.packed
        before = time.process_time_ns()
        route.send(links.new_veth(name, links.Peer(netns, "eth0", mac)))
        index = links.index_of(name)
        route.send(links.join_bridge(index, bridge, name))
        with inside(netns) as inner:
            index = links.index_of("eth0")
            inner.send(links.add_address(index, address, "eth0"), links.set_up(index, "eth0"))
        costs.append((time.process_time_ns() - before) / 1e6)
    route.close()
    for fd in held:
        os.close(fd)
    return costs


def main() -> None:
    """Run the rounds, print medians and quartiles."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.network_speed", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=100, help="of four slices each")
    parser.add_argument("--megabytes", type=int, default=48, help="that a slice carries")
    parser.add_argument("--connections", type=int, default=60, help="that a slice makes")
    parser.add_argument("--endpoints", type=int, default=300)
    parser.add_argument("--own-only", action="store_true", help="leave Docker out")
    options = parser.parse_args()
    docker_cost: Callable[[int], float] | None = None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycompose-net-")))
        lab = Lab()
        stack.callback(lab.close)
        own, port = own_paths(lab)
        pairs = [(own, bare_bridge(lab))]
        if is_installed() and not options.own_only:
            way, docker_cost = stack.enter_context(docker_path(folder / "dockerd"))
            pairs.append((port, way))
        for first, second in pairs:
            print(f"{first.name} / {second.name}: medians (quartiles) of {options.rounds} rounds")
            for kind, size, unit, scale in (
                (stream, options.megabytes << 20, "Gbit/s", 8 / 1e9),
                (dialler, options.connections, "connections/s", 1.0),
            ):
                found = compare(kind, first, second, size, options.rounds)
                medians = [statistics.median(v) * scale for v in (found.first, found.second)]
                print(f"  {unit:14}{medians[0]:9.2f} / {medians[1]:.2f} = {found}", flush=True)
        with lab.site().entered():
            (folder / "run").mkdir()
            costs = trio.run(endpoints, folder / "run", options.endpoints)
        with lab.site().entered():
            bare = bare_endpoints(options.endpoints)
        for name, values in (("engine", costs), ("kernel alone", bare)):
            print(
                f"endpoint, CPU ms, {name}: first 20 {statistics.median(values[:20]):.2f}, "
                f"last 20 {statistics.median(values[-20:]):.2f}, all {spread(tuple(values))}"
            )
        if docker_cost is not None:
            print(f"endpoint, CPU ms, docker network connect: {docker_cost(20):.2f}")


if __name__ == "__main__":
    main()
