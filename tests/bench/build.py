"""Times image builds side by side: our engine, Docker's classic builder, buildah; in turns, in one run.

`python -m tests.bench.build [--rounds N] [--megabytes N]`. Each side is given the same context over its own usual way
(POST /build with a tar; buildah with the folder). Cases: a fully cached build of 20 steps, COPY of
10,000 small files, a RUN that changes one file of a big image. Sides that are not installed are left out.
At the end our engine builds from a context of so many megabytes: its peak memory before and after.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.sides import busybox_tar, docker_side, own_side, peak_memory

if TYPE_CHECKING:
    from collections.abc import Callable

FILES, SIZE = 10_000, 1000
STEPS = "FROM busybox:bench\n" + "".join(f"RUN echo {n} > /f{n}\n" for n in range(9)) + "".join(f"ENV E{n}={n}\n" for n in range(9)) + "COPY a /a\n"  # fmt: skip
MANY = "FROM busybox:bench\nARG ROUND\nENV R=$ROUND\nCOPY . /many\n"
BIG = "FROM big:bench\nARG ROUND\nRUN echo $ROUND > /many/0/0\n"


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


def context(files: dict[str, bytes]) -> bytes:
    """A tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def build(path: str, tar: bytes, **query: str) -> None:
    """POST /build; a failure ends the benchmark."""
    connection = Connection(path, timeout=600)
    parameters = "&".join(f"{key}={value}" for key, value in query.items())
    try:
        connection.request(
            "POST",
            f"/build?{parameters}",
            tar,
            {"Content-Type": "application/x-tar", "Host": "engine"},
        )
    except BrokenPipeError:
        pass  # refused before the context's end: the answer says why
    answer = connection.getresponse().read()
    connection.close()
    if b'"aux"' not in answer:
        sys.exit(f"{path}: the build failed:\n{answer[-2000:].decode()}")


def cases(
    run: Callable[[dict[str, bytes], str, str, str], None], stamp: str
) -> dict[str, Callable[[str], None]]:
    """What is timed, by name; each is given the round's number. The first call of each warms up."""
    many = {f"{n // 100}/{n % 100}": os.urandom(8) * (SIZE // 8) for n in range(FILES)}
    run(many, MANY.replace("ARG ROUND\nENV R=$ROUND\n", ""), "big:bench", "")

    def cached(_: str) -> None:
        run({"a": b"1"}, STEPS, "cached:bench", "")

    def copied(number: str) -> None:
        # other content each time, so that no cache helps
        changed = {name: content[:-8] + number.encode().rjust(8) for name, content in many.items()}
        run(changed, MANY, "many:bench", stamp + number)

    def small_change(number: str) -> None:
        run({"a": b"1"}, BIG, "small:bench", stamp + number)

    return {"20 steps, cached": cached, f"COPY of {FILES:,} files": copied, "a small RUN on a big image": small_change}  # fmt: skip


def over_http(path: str) -> Callable[[dict[str, bytes], str, str, str], None]:
    """A side that is an engine."""

    def run(files: dict[str, bytes], dockerfile: str, tag: str, number: str) -> None:
        arguments = json.dumps({"ROUND": number}).replace('"', "%22").replace(" ", "")
        build(
            path, context({"Dockerfile": dockerfile.encode(), **files}), t=tag, buildargs=arguments
        )

    return run


def timed(action: Callable[[str], None], number: str) -> float:
    """Milliseconds, of the engine and the way to it; the context's tar is made outside."""
    start = time.perf_counter()
    action(number)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Parse arguments, run the rounds, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.build", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--own-only", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycompose-bench-")))
        own = own_side(stack, folder)
        sides = {"pycompose": over_http(f"{own.environment['PYCOMPOSE_RUN_DIR']}/engine.sock")}
        docker = None if options.own_only else docker_side(stack, folder)
        if docker is not None:
            path = docker.environment["DOCKER_HOST"].removeprefix("unix://")
            sides["docker classic"] = over_http(path)
        if shutil.which("buildah") and not options.own_only:
            sides["buildah"] = with_buildah(stack, folder)
        actions = {name: cases(run, str(time.time_ns())) for name, run in sides.items()}
        found: dict[str, dict[str, list[float]]] = {name: {} for name in sides}
        for number in range(options.rounds + 1):
            for name, all_cases in actions.items():
                for case, action in all_cases.items():
                    taken = timed(action, str(number))
                    if number:
                        found[name].setdefault(case, []).append(taken)
        print(f"{'case':30}" + "".join(f"{name + ' ms':>20}" for name in sides))
        for case in next(iter(actions.values())):
            print(
                f"{case:30}" + "".join(f"{statistics.median(found[n][case]):20.0f}" for n in sides)
            )
        before = peak_memory(own)
        large = {f"big{n}": os.urandom(1 << 20) for n in range(options.megabytes)}
        sides["pycompose"](large, "FROM busybox:bench\nCOPY . /big\n", "large:bench", "")
        print(
            f"engine's peak memory: {before:.0f} MiB, {peak_memory(own):.0f} MiB after a context of "
            f"{options.megabytes} MiB"
        )


def with_buildah(
    stack: ExitStack, folder: Path
) -> Callable[[dict[str, bytes], str, str, str], None]:
    """buildah on a store of its own, with busybox:bench in it."""
    store = ["--root", str(folder / "buildah"), "--runroot", str(folder / "buildah-run")]

    def buildah(*arguments: str) -> None:
        done = subprocess.run(
            ["buildah", *store, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"buildah {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")

    def clear() -> None:
        buildah("rmi", "--all", "--force")
        # it has mounted its store's overlay folder on itself
        subprocess.run(
            ["umount", str(folder / "buildah/overlay")], check=False, capture_output=True
        )

    def run(files: dict[str, bytes], dockerfile: str, tag: str, number: str) -> None:
        place = Path(tempfile.mkdtemp(dir=folder))
        for name, content in {**files, "Dockerfile": dockerfile.encode()}.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        number = f"ROUND={number}"
        buildah("build", "--layers", "--isolation", "chroot", "-t", tag, "--build-arg", number, str(place))  # fmt: skip
        shutil.rmtree(place)

    stack.callback(clear)
    run({"root.tar": busybox_tar()}, "FROM scratch\nADD root.tar /\n", "busybox:bench", "")
    return run


if __name__ == "__main__":
    main()
