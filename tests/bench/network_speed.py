"""What our networks cost: throughput beside a bare bridge and beside Docker, endpoints by the hundred.

`python -m tests.bench.network_speed`, as root, on an otherwise idle machine. Everything is in network
namespaces of its own. Sides take turns within a round, each round begins with another one; medians are
shown, those of the rounds' ratios, and what the fastest tenth of the rounds reaches: on a machine
where others work too, those are the rounds that nobody has disturbed. Docker is measured where a
dockerd can be started (`make peers` installs one).
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from tests.bench.sides import import_image
from tests.contract.dockerd import is_installed, running_dockerd
from tests.integration.networking.lab import Lab, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 18


@dataclass
class Way:
    """A way from one site to a listening socket of another."""

    name: str
    source: Site
    server: socket.socket
    place: tuple[str, int]


def throughput(path: Way, seconds: float) -> tuple[float, float]:
    """(gigabits a second, CPU milliseconds a gigabyte) of one TCP stream between two processes.

    Sender and receiver do what the bridge and the rules cost too: it is on their time that packets are
    carried. So the second figure holds on a busy machine, where the first one does not.
    """
    child = os.fork()
    if child == 0:
        client = path.source.connect(*path.place)
        data = bytes(CHUNK)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            client.sendall(data)
        client.close()
        os._exit(0)
    connection, _ = path.server.accept()
    received, buffer = 0, bytearray(CHUNK)
    started, own = time.perf_counter(), time.process_time()
    while count := connection.recv_into(buffer):
        received += count
    spent, own = time.perf_counter() - started, time.process_time() - own
    connection.close()
    _, _, usage = os.wait4(child, 0)
    cpu = own + usage.ru_utime + usage.ru_stime
    return received * 8 / spent / 1e9, cpu * 1e3 / (received / 1e9)


def connections(path: Way, seconds: float) -> float:
    """Connections a second, one after the other."""
    child = os.fork()
    if child == 0:
        path.server.settimeout(1)
        while True:
            try:
                path.server.accept()[0].close()
            except OSError:
                os._exit(0)
    count = 0
    end = time.perf_counter() + seconds
    with path.source.entered():
        while time.perf_counter() < end:
            with socket.create_connection(path.place, timeout=5) as one:
                one.recv(1)
            count += 1
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return count / seconds


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


def _ratio(own: list[float], other: list[float]) -> str:
    """The median of the rounds' ratios, and the quartiles around it."""
    low, middle, high = statistics.quantiles(
        [one / two for one, two in zip(own, other, strict=True)], n=4
    )
    return f"{middle:.3f} ({low:.2f}-{high:.2f})"


def _undisturbed(values: list[float]) -> float:
    return statistics.quantiles(values, n=10)[-1]


def main() -> None:
    """Run the rounds, print the medians."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.network_speed", description=__doc__
    )
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--endpoints", type=int, default=300)
    parser.add_argument("--own-only", action="store_true", help="leave Docker out")
    options = parser.parse_args()
    docker_cost: Callable[[int], float] | None = None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycompose-net-")))
        lab = Lab()
        stack.callback(lab.close)
        own, port = own_paths(lab)
        ways = [bare_bridge(lab), own, port]
        if is_installed() and not options.own_only:
            way, docker_cost = stack.enter_context(docker_path(folder / "dockerd"))
            ways.append(way)
        found: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
        rates: dict[str, list[float]] = {way.name: [] for way in ways}
        for number in range(options.rounds):
            first = number % len(ways)
            for way in (*ways[first:], *ways[:first]):
                found[way.name].append(throughput(way, options.seconds))
                rates[way.name].append(connections(way, options.seconds / 2))
        print(f"{'way':22}{'Gbit/s':>8}{'CPU ms/GB':>11}{'connections/s':>15}")
        for name, values in found.items():
            speed, cost = (statistics.median(column) for column in zip(*values, strict=True))
            print(f"{name:22}{speed:8.2f}{cost:11.0f}{statistics.median(rates[name]):15.0f}")
        pairs = [(own.name, ways[0].name)] + [(port.name, way.name) for way in ways[3:]]
        for name, other in pairs:
            speeds = _ratio([v for v, _ in found[name]], [v for v, _ in found[other]])
            price = _ratio([v for _, v in found[name]], [v for _, v in found[other]])
            rate = _ratio(rates[name], rates[other])
            print(f"{name} / {other}: speed {speeds}, CPU {price}, connections {rate}")
            best = [_undisturbed([v for v, _ in found[one]]) for one in (name, other)]
            most = [_undisturbed(rates[one]) for one in (name, other)]
            print(
                f"  undisturbed: {best[0]:.2f} / {best[1]:.2f} Gbit/s = {best[0] / best[1]:.3f}, "
                f"{most[0]:.0f} / {most[1]:.0f} connections/s = {most[0] / most[1]:.3f}"
            )
        with lab.site().entered():
            (folder / "run").mkdir()
            costs = trio.run(endpoints, folder / "run", options.endpoints)
        parts: list[tuple[str, Any]] = [
            ("first 20", costs[:20]), ("last 20", costs[-20:]), ("all", costs),
        ]  # fmt: skip
        for name, values in parts:
            print(f"endpoint, CPU ms, {name}: {statistics.median(values):.2f}")
        if docker_cost is not None:
            print(f"endpoint, CPU ms, docker network connect: {docker_cost(20):.2f}")


if __name__ == "__main__":
    main()
