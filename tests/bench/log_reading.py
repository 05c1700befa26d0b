"""A million lines of 100 bytes, read back by `logs`: CPU of the client a line, and its memory.

    python -m tests.bench.log_reading [--lines N] [--own-only]

The budget is 1.5 us a line for engine and client; the client must keep up, and hold none of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench.sides import Side, docker_side, own_side

LINE = "x" * 99


def write_project(folder: Path, lines: int, services: int) -> None:
    """Services that write so many lines each and end."""
    script = f"busybox yes {LINE} | busybox head -n {lines}"
    writer = {
        "image": "busybox:bench", "command": ["sh", "-c", script],
        "logging": {"driver": "json-file", "options": {"max-size": "2g", "max-file": "1"}},
    }  # fmt: skip
    document = {
        "name": "benchlogs",
        "services": {f"s{number}": writer for number in range(services)},
    }
    (folder / "compose.yaml").write_text(json.dumps(document))


def command(side: Side, folder: Path, *words: str) -> list[str]:
    """A command of a side for the project."""
    return [*side.compose, "--project-directory", str(folder), *words]


def read_back(side: Side, folder: Path, *words: str) -> tuple[float, float, int, int]:
    """Wall and CPU seconds, KiB at most, and how many lines came."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        process = subprocess.Popen(
            command(side, folder, "logs", *words), stdout=out, env=side.environment
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        out.seek(0)
        lines = sum(piece.count(b"\n") for piece in iter(lambda: out.read(1 << 20), b""))
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss, lines


def main() -> None:
    """Write, read back one service's log and that of all, print a line each."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.log_reading", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--own-only", action="store_true", help="leave docker compose out")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycompose-bench-")))
        sides = [own_side(stack, folder)]
        docker = None if options.own_only else docker_side(stack, folder)
        sides += [docker] if docker is not None else []
        write_project(folder, options.lines, 2)
        for side in sides:
            for words in (("up", "-d"), ("wait", "s0", "s1")):
                subprocess.run(
                    command(side, folder, *words), check=True, capture_output=True, env=side.environment
                )  # fmt: skip
            for title, words in (("one log", ("s0",)), ("two, merged", ()), ("followed", ("-f", "s0"))):  # fmt: skip
                wall, cpu, most, lines = read_back(side, folder, *words)
                print(
                    f"{side.name:16}{title:14}{lines:9} lines  {wall:6.2f} s wall  "
                    f"{cpu / lines * 1e6:6.2f} us CPU a line  {most // 1024:5} MiB"
                )
            subprocess.run(
                command(side, folder, "down"), check=True, capture_output=True, env=side.environment
            )


if __name__ == "__main__":
    main()
