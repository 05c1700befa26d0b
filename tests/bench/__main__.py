"""Times pycompose and docker compose in turns, on one machine in one run, and prints the ratios.

Each case runs `--rounds` times for each side, interleaved, so that both meet the same load. Wall
time is the command's; CPU time is what the whole machine was busy (/proc/stat), since daemons,
monitors and kernel threads do most of the work: run it on an otherwise idle machine.
Docker is the engine of DOCKER_HOST, or one that is started for the run where dockerd is installed;
without either, or without the reference of `make peers`, only our own figures are shown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.config import main as bench_config
from tests.bench.sides import Side, docker_side, own_side

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


@dataclass
class Sample:
    """What one side took for one case, a figure a round: milliseconds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def busy_ms() -> float:
    """CPU time the machine has spent on anything but idling, in milliseconds since boot."""
    with open("/proc/stat") as stat:
        values = [int(value) for value in stat.readline().split()[1:]]
    idle, waiting = values[3], values[4]
    return (sum(values[:8]) - idle - waiting) * TICK_MS


def measure(side: Side, arguments: list[str], sample: Sample | None) -> None:
    """Run one command; a failure ends the benchmark, for it would look fast."""
    busy, start = busy_ms(), time.perf_counter()
    done = subprocess.run(
        [*side.compose, *arguments],
        env=side.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = (time.perf_counter() - start) * 1000
    if done.returncode:
        sys.exit(f"{side.name}: {' '.join(arguments)} failed ({done.returncode}):\n{done.stderr}")
    if sample is not None:
        sample.wall.append(wall)
        sample.cpu.append(busy_ms() - busy)


def write_project(folder: Path, services: int) -> None:
    """A project of sleeping busybox services."""
    sleeping = {"image": "busybox:bench", "command": ["sleep", "100000"], "init": True}
    document = {
        "name": f"bench{services}",
        "services": {f"s{number:03}": sleeping for number in range(services)},
    }
    (folder / "compose.yaml").write_text(json.dumps(document))


def bench_life(side: Side, folder: Path, results: dict[str, Sample]) -> None:
    """up -d, up -d again, ps, down of one project, engine warm."""
    at = ["--project-directory", str(folder)]
    size = len(json.loads((folder / "compose.yaml").read_text())["services"])
    measure(side, [*at, "up", "-d"], results[f"up -d of {size}, warm"])
    measure(side, [*at, "up", "-d"], results[f"up -d of {size}, nothing to do"])
    measure(side, [*at, "ps"], results["ps"])
    measure(side, [*at, "config", "-q"], results["config -q"])
    measure(side, [*at, "exec", "-T", "s000", "true"], results["exec true"])
    measure(side, [*at, "run", "--rm", "-T", "s000", "true"], results["run --rm true"])
    measure(side, [*at, "down", "-t", "0"], results[f"down of {size}"])


def bench_cold(side: Side, folder: Path, sample: Sample) -> None:
    """up -d with the engine not yet started: only where the side can stop and start its engine."""
    if side.stop_engine is None:
        return
    side.stop_engine()
    at = ["--project-directory", str(folder)]
    measure(side, [*at, "up", "-d"], sample)
    measure(side, [*at, "down", "-t", "0"], None)


def report(results: dict[str, dict[str, Sample]], sides: list[Side]) -> None:
    """A line a case: medians of both sides, and how many times faster ours is."""
    print(
        f"{'case':32}" + "".join(f"{side.name + ' wall/CPU ms':>30}" for side in sides) + "   ratio"
    )
    cases = list(next(iter(results.values())))
    for case in cases:
        line, walls = f"{case:32}", []
        for side in sides:
            sample = results[side.name][case]
            if sample.wall:
                walls.append(statistics.median(sample.wall))
                line += f"{walls[-1]:17.0f} / {statistics.median(sample.cpu):10.0f}"
            else:
                line += f"{'-':>30}"
        print(line + (f"{walls[1] / walls[0]:7.1f}x" if len(walls) == 2 else ""))


def main() -> None:
    """Parse arguments, run the rounds, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--services", type=int, default=10)
    parser.add_argument("--own-only", action="store_true", help="leave docker compose out")
    options = parser.parse_args()
    bench_config([])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycompose-bench-")))
        sides = [own_side(stack, folder)]
        docker = None if options.own_only else docker_side(stack, folder)
        if docker is not None:
            sides.append(docker)
        write_project(folder, options.services)
        size = options.services
        cases = [
            f"up -d of {size}, warm", f"up -d of {size}, nothing to do", "ps", "config -q",
            "exec true", "run --rm true", f"down of {size}", f"up -d of {size}, cold engine",
        ]  # fmt: skip
        results = {side.name: {case: Sample() for case in cases} for side in sides}
        for side in sides:  # once unmeasured: page cache, byte code
            bench_life(side, folder, {case: Sample() for case in cases})
        for _ in range(options.rounds):
            for side in sides:
                bench_life(side, folder, results[side.name])
        for _ in range(options.rounds):
            for side in sides:
                bench_cold(side, folder, results[side.name][f"up -d of {size}, cold engine"])
        report(results, sides)


if __name__ == "__main__":
    main()
