"""Projects of 1, 10, 50 and 100 services up, up again and down; a chain of health checks; deaf services.

`python -m tests.bench.orchestration`, beside docker compose where there is a Docker engine (see
tests/bench/__main__.py for how the two sides are timed).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.__main__ import Sample, measure, report
from tests.bench.sides import Side, docker_side, own_side

SLEEPING: dict[str, Any] = {"image": "busybox:bench", "command": ["sleep", "100000"], "init": True}
DEAF: dict[str, Any] = {
    "image": "busybox:bench",
    "command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
}


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


def cases(sizes: list[int]) -> dict[str, tuple[dict[str, Any], list[tuple[str, list[str]]]]]:
    """Name -> the services, and what is timed: (case, arguments)."""
    up, stop = ["up", "-d"], ["down", "-t", "0"]
    found = {
        f"flat{size}": (
            flat(size),
            [(f"up -d of {size}", up), (f"up -d of {size}, nothing to do", up), (f"down of {size}", stop)],
        )
        for size in sizes
    }  # fmt: skip
    found["chain"] = (chain(10), [("chain of 10 healthy", up), ("", stop)])
    deaf = {f"s{number}": DEAF for number in range(10)}
    found["deaf"] = (deaf, [("", up), ("down of 10 that ignore SIGTERM", ["down"])])
    return found


def run(side: Side, folder: Path, steps: list[tuple[str, list[str]]], into: dict[str, Sample]) -> None:  # fmt: skip
    """One round of one project."""
    for case, arguments in steps:
        measure(side, ["--project-directory", str(folder), *arguments], into.get(case))


def main() -> None:
    """Parse arguments, run the rounds, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.orchestration")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="1,10,50,100")
    parser.add_argument("--own-only", action="store_true", help="leave docker compose out")
    options = parser.parse_args()
    chosen = cases([int(size) for size in options.sizes.split(",")])
    with ExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycompose-bench-")))
        sides = [own_side(stack, top)]
        docker = None if options.own_only else docker_side(stack, top)
        if docker is not None:
            sides.append(docker)
        names = [case for _, steps in chosen.values() for case, _ in steps if case]
        results = {side.name: {case: Sample() for case in names} for side in sides}
        for name, (services, steps) in chosen.items():
            folder = top / name
            folder.mkdir()
            (folder / "compose.yaml").write_text(json.dumps({"name": name, "services": services}))
            for side in sides:  # once unmeasured: page cache, byte code
                run(side, folder, steps, {})
            for _ in range(options.rounds):
                for side in sides:
                    run(side, folder, steps, results[side.name])
        report(results, sides)


if __name__ == "__main__":
    main()
