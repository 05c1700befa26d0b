"""Times `config -q` beside docker compose's: a file of five services, and one of a thousand.

    python -m tests.bench.config [--rounds 15]

CPU time is the process's own (user and system, with its children); wall time counts the wait. Both
sides run in turns. No engine is needed.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.sides import person
from tests.contract import reference

Figures = dict[str, list[tuple[float, float]]]


def project(services: int, *, anchors: bool) -> str:
    """A project of services that use what is usual; with `anchors`, what they share is said once.

    That one has folded text too, which only a YAML reader reads.
    """
    shared = ["restart: unless-stopped", "labels: {tier: web}"]
    said_once = ["x-why: >-", "  One place", "  for all", "x-shared: &shared"]
    lines = [*said_once, *(f"  {line}" for line in shared)] if anchors else []
    lines.append("services:")
    for number in range(services):
        lines += [
            f"  s{number}:",
            f"    image: registry.example.org/shop/s{number}:1.{number}",
            "    environment: [LEVEL=info, 'TOKEN=${TOKEN:-none}']",
            f"    ports: ['{8000 + number}:80']",
            "    volumes: ['data:/data', './conf:/etc/conf:ro']",
            "    networks: [front, back]",
            "    healthcheck: {test: [CMD, 'true'], interval: 10s}",
            *(f"    {line}" for line in (["<<: *shared"] if anchors else shared)),
        ]
        if number % 10:
            lines.append(f"    depends_on: [s{number - 1}]")
    return "\n".join([*lines, "networks: {front: , back: }", "volumes: {data: }", ""])


def once(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """(wall, CPU) in milliseconds of one run; a failure ends the benchmark, for it would look fast."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.decode()}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall * 1000, cpu * 1000


def measure(services: int, rounds: int, *, anchors: bool) -> Figures:
    """side -> its runs. "first" is ours in an empty home: nothing is known of the file."""
    found: Figures = {}
    with tempfile.TemporaryDirectory(prefix="pycompose-bench-") as name:
        folder = Path(name)
        (folder / "compose.yaml").write_text(project(services, anchors=anchors))
        environment = person(folder)
        own = [str(Path(sys.executable).with_name("pycompose")), "config", "-q"]
        sides = {"pycompose": own, "first": own}
        program = reference.program()
        if program is not None:
            sides["docker compose"] = [str(program), "config", "-q"]
        for turn in range(rounds + 1):
            for side, command in sides.items():
                variables = environment
                if side == "first":
                    home = folder / f"home-{turn}"
                    home.mkdir()
                    variables = person(home)
                figures = once(command, folder, variables)
                if turn:  # the first is not counted: page cache, byte code
                    found.setdefault(side, []).append(figures)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Parse arguments, run the rounds, print a line for each file and side."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.config", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    print(
        f"{'config -q, services':36}{'wall ms, median':>18}{'CPU ms, median':>18}{'CPU ms, least':>18}"
    )
    for services, anchors in ((5, False), (5, True), (1000, False), (1000, True)):
        runs_of = measure(services, options.rounds if services < 100 else 5, anchors=anchors)
        for side, runs in runs_of.items():
            walls, cpus = zip(*runs, strict=True)
            figures = (statistics.median(walls), statistics.median(cpus), min(cpus))
            label = f"{services:5}{', not plain' if anchors else '':15} {side}"
            print(f"{label:36}" + "".join(f"{figure:18.1f}" for figure in figures))


if __name__ == "__main__":
    main()
