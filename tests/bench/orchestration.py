"""Projects of 1, 10, 50 and 100 services up, up again and down; a chain of health checks; deaf services;
what a person asks of ten that run.

`python -m tests.bench.orchestration`, beside docker compose where there is a Docker engine (see
tests/bench/__main__.py for how the two sides are timed). `--tables flat10,chain` runs those alone.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.__main__ import Sample, measure, report
from tests.bench.sides import Side, docker_side, own_side

Steps = list[tuple[str, list[str]]]
SLEEPING: dict[str, Any] = {"image": "busybox:bench", "command": ["sleep", "100000"], "init": True}
DEAF: dict[str, Any] = {
    "image": "busybox:bench",
    "command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
}
TABLES = ("flat1", "flat10", "flat50", "flat100", "chain", "deaf", "daily")


def flat(size: int) -> dict[str, Any]:
    """So many services that sleep."""
    return {f"s{number:03}": SLEEPING for number in range(size)}


def chain(size: int) -> dict[str, Any]:
    """Each waits for the one before it to be healthy; probes are a second apart."""
    probe = {"test": ["CMD", "true"], "interval": "1s"}
    services: dict[str, Any] = {}
    for number in range(size):
        needs = {f"s{number - 1}": {"condition": "service_healthy"}} if number else {}
        services[f"s{number}"] = {**SLEEPING, "healthcheck": probe, "depends_on": needs}
    return services


def table(name: str) -> tuple[dict[str, Any], Steps]:
    """The services of a table, and what is timed: (case, arguments); "" is not."""
    up, stop = ["up", "-d"], ["down", "-t", "0"]
    if name == "chain":
        return chain(10), [("chain of 10 healthy", up), ("", stop)]
    if name == "deaf":
        deaf = {f"s{number}": DEAF for number in range(10)}
        return deaf, [("", up), ("down of 10 that ignore SIGTERM", ["down"])]
    if name == "daily":
        asked: Steps = [
            ("ps of 10", ["ps"]),
            ("logs of 10", ["logs"]),
            ("config of 10", ["config"]),
            ("exec true", ["exec", "-T", "s000", "true"]),
            ("run --rm true", ["run", "--rm", "-T", "s000", "true"]),
            ("restart of 1", ["restart", "-t", "0", "s000"]),
        ]
        return flat(10), [("", up), *asked, ("", stop)]
    size = int(name.removeprefix("flat"))
    cases: Steps = [
        (f"up -d of {size}", up),
        (f"up -d of {size}, nothing to do", up),
        (f"down of {size}", stop),
    ]
    return flat(size), cases


def run(side: Side, folder: Path, steps: Steps, into: dict[str, Sample]) -> None:
    """One round of one project."""
    for case, arguments in steps:
        measure(side, ["--project-directory", str(folder), *arguments], into.get(case))


def main() -> None:
    """Parse arguments, run the rounds, print each table when it is done."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.orchestration")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--tables", default=",".join(TABLES), help="which of %(default)s; any flatN"
    )
    parser.add_argument("--own-only", action="store_true", help="leave docker compose out")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends it leaves no engine
    with ExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycompose-bench-")))
        sides = [own_side(stack, top)]
        docker = None if options.own_only else docker_side(stack, top)
        if docker is not None:
            sides.append(docker)
        for name in options.tables.split(","):
            services, steps = table(name)
            results = {side.name: {case: Sample() for case, _ in steps if case} for side in sides}
            folder = top / name
            folder.mkdir()
            (folder / "compose.yaml").write_text(json.dumps({"name": name, "services": services}))
            for side in sides:  # once unmeasured: page cache, byte code
                run(side, folder, steps, {})
            for _ in range(options.rounds):
                for side in sides:
                    run(side, folder, steps, results[side.name])
            report(results, sides)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
