"""Times the engine's own budgets: CPU of a start, up and down of many, a monitor's memory, log lines.

CPU is what the cgroup of the engine and of all it starts has used (cpuacct, or cpu.stat), so that a
busy machine does not count; run it as root: `python -m tests.bench.engine [--containers N]`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import docker

from tests.bench.sides import import_image
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "busybox:bench"
LINES = 500_000


class Meter:
    """CPU milliseconds of a cgroup that this process, and so all it starts, is in.

    Containers leave it under cgroup v2, and theirs is added.
    """

    def __init__(self) -> None:
        v1 = Path("/sys/fs/cgroup/cpuacct")
        self._top = v1 if v1.exists() else Path("/sys/fs/cgroup")
        self._v1 = v1.exists()
        self.folder = self._top / f"pycompose-bench-{os.getpid()}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, this process is in the cgroup; afterwards it is gone."""
        home = self._top / self._home()
        self.folder.mkdir()
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (home / "cgroup.procs").write_text(str(os.getpid()))
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    self.folder.rmdir()
                except OSError:
                    time.sleep(0.05)  # processes on their way out: no event tells
                else:
                    break

    def _home(self) -> str:
        wanted = "cpuacct" if self._v1 else ""
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            if wanted in names.split(",") if wanted else not names:
                return path.lstrip("/")
        return ""

    def cpu_ms(self) -> float:
        """All so far."""
        if self._v1:
            return int((self.folder / "cpuacct.usage").read_text()) / 1e6
        folders = [self.folder, *self._top.glob("pycompose-*")]
        return sum(self._usage(folder) for folder in set(folders)) / 1e3

    def _usage(self, folder: Path) -> int:
        lines = (folder / "cpu.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["usage_usec"])


def monitors(containers: list[str], client: docker.DockerClient) -> list[int]:
    """The monitors' pids."""
    found = []
    for container in containers:
        pid = client.api.inspect_container(container)["State"]["Pid"]
        stat = Path(f"/proc/{pid}/stat").read_text()
        found.append(int(stat.rpartition(")")[2].split()[1]))
    return found


def engine_processes(meter: Meter) -> dict[str, int]:
    """The engine and its helpers among what was started, by module: no monitors, no containers."""
    found = {}
    for pid in map(int, (meter.folder / "cgroup.procs").read_text().split()):
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if "-m" not in words or Path(f"/proc/{pid}/comm").read_text().startswith("pyc-"):
            continue
        module = words[words.index("-m") + 1]
        if module.startswith(("engine", "networking")):
            found[module] = pid
    return found


def memory_kib(pid: int, field: str) -> int:
    """One line of smaps_rollup."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0


def started(
    client: docker.DockerClient, meter: Meter, count: int, subnet: str
) -> tuple[list[str], list[float], list[float]]:
    """Create and start one after the other, on a network of their own ("many").

    Their ids, the meter before the first start and after each, and each start's milliseconds.
    """
    pool = docker.types.IPAMPool(subnet=subnet)  # the default bridge has 253 addresses
    client.networks.create("many", ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    here = client.api.create_host_config(network_mode="many")
    command = ["sleep", "100000"]
    made = [
        client.api.create_container(IMAGE, command, host_config=here)["Id"] for _ in range(count)
    ]
    walls, cpu = [], [meter.cpu_ms()]
    for container in made:
        began = time.perf_counter()
        client.api.start(container)
        walls.append((time.perf_counter() - began) * 1000)
        cpu.append(meter.cpu_ms())
    return made, cpu, walls


def cpu_ms(pid: int) -> float:
    """What a process's threads have run so far (sched-stats.rst)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6


def start_costs(client: docker.DockerClient, meter: Meter, count: int) -> dict[str, list[float]]:
    """CPU milliseconds of so many starts, from the request to the answer, by who spent them.

    The answer comes when the program has been executed; its own first steps are in "first process".
    """
    client.networks.create("single")
    here = client.api.create_host_config(network_mode="single")
    helpers = engine_processes(meter)
    costs: dict[str, list[float]] = {name: [] for name in (*helpers, "monitor", "first process")}
    for _ in range(count):
        container = client.api.create_container(IMAGE, ["sleep", "100000"], host_config=here)["Id"]
        before = {name: cpu_ms(pid) for name, pid in helpers.items()}
        client.api.start(container)
        for name, pid in helpers.items():
            costs[name].append(cpu_ms(pid) - before[name])
        first = client.api.inspect_container(container)["State"]["Pid"]
        costs["first process"].append(cpu_ms(first))
        costs["monitor"].append(cpu_ms(monitors([container], client)[0]))
        client.api.remove_container(container, force=True)
    client.networks.get("single").remove()
    return costs


def bench_one_start(client: docker.DockerClient, meter: Meter) -> None:
    """A start inside the engine."""
    costs = start_costs(client, meter, 100)
    each = [sum(parts) for parts in zip(*costs.values(), strict=True)]
    print(f"start, CPU from request to execve   {statistics.median(each):8.1f} ms")
    for name, parts in costs.items():
        print(f"    {name:32}{statistics.median(parts):8.1f} ms")


def bench_starts(client: docker.DockerClient, meter: Meter, count: int) -> list[str]:
    """CPU of a start, the last beside the first, memory."""
    made, cpu, walls = started(client, meter, count, "10.199.128.0/17")
    tenth = max(count // 10, 1)
    print(f"start, CPU each (client included)   {(cpu[-1] - cpu[0]) / count:8.1f} ms")
    print(f"start, wall: median                 {statistics.median(walls):8.1f} ms")
    first, last = statistics.median(walls[:tenth]), statistics.median(walls[-tenth:])
    print(f"start, wall: first tenth, last      {first:8.1f} ms {last:8.1f} ms")
    first, last = (cpu[tenth] - cpu[0]) / tenth, (cpu[-1] - cpu[-1 - tenth]) / tenth
    print(f"start, CPU: first tenth, last       {first:8.1f} ms {last:8.1f} ms")
    helpers = engine_processes(meter)
    total = sum(memory_kib(pid, "Pss") for pid in helpers.values())
    print(f"engine processes, Pss ({len(helpers)} of them)    {total / 1024:8.1f} MiB")
    for name, pid in helpers.items():
        print(f"    {name:32}{memory_kib(pid, 'Pss') / 1024:8.1f} MiB")
    pids = monitors(made, client)
    for field in ("Pss", "Private_Dirty"):
        mean = statistics.mean(memory_kib(pid, field) for pid in pids)
        print(f"monitor, {field:26} {mean:8.0f} KiB")
    return made


def bench_removal(client: docker.DockerClient, meter: Meter, made: list[str]) -> None:
    """Kill and remove."""
    before = meter.cpu_ms()
    for container in made:
        client.api.remove_container(container, force=True)
    print(f"remove, CPU each                    {(meter.cpu_ms() - before) / len(made):8.1f} ms")
    client.networks.get("many").remove()


def bench_logs(client: docker.DockerClient, meter: Meter) -> None:
    """A flood of lines of 100 bytes written, and read back whole."""
    line = "x" * 99
    command = ["sh", "-c", f"yes {line} | head -n {LINES}"]
    made = client.api.create_container(
        IMAGE, command, host_config=client.api.create_host_config(
            log_config={"Type": "json-file", "Config": {"max-size": "1g"}}
        ),
    )["Id"]  # fmt: skip
    before = meter.cpu_ms()
    client.api.start(made)
    client.api.wait(made)
    print(f"log line written (with its program) {(meter.cpu_ms() - before) * 1000 / LINES:8.2f} us")
    before = meter.cpu_ms()
    url = client.api.base_url.replace("http+docker://localhost", "http://localhost")
    done = subprocess.run(
        ["curl", "-s", "--unix-socket", os.environ["BENCH_SOCKET"], "-o", "/dev/null", "-w",
         "%{size_download}", f"{url}/v1.45/containers/{made}/logs?stdout=1"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) >= LINES * 100, done.stdout
    print(f"log line read back (with curl)      {(meter.cpu_ms() - before) * 1000 / LINES:8.2f} us")
    client.api.remove_container(made)


def run(engine: OwnEngine, meter: Meter, count: int) -> None:
    """All of it on one engine."""
    import_image(engine.host)
    os.environ["BENCH_SOCKET"] = engine.host.removeprefix("unix://")
    with closing(docker.DockerClient(base_url=engine.host, timeout=60)) as client:
        bench_one_start(client, meter)
        bench_removal(client, meter, bench_starts(client, meter, count))
        bench_logs(client, meter)


def main() -> None:
    """Parse arguments, start an engine, measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--containers", type=int, default=100)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("needs root: it starts an engine and containers")
    meter = Meter()
    with (
        meter.running(),
        tempfile.TemporaryDirectory(prefix="pycompose-bench-") as folder,
        running_engine(Path(folder), "10.199.0.0/16") as engine,
    ):
        run(engine, meter, options.containers)


if __name__ == "__main__":
    main()
