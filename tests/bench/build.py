"""Times image builds side by side: our engine, Docker's classic builder, buildah; in turns, in one run.

`python -m tests.bench.build [--rounds N] [--megabytes N]`. Each side is given the same context over its own usual way
(POST /build with a tar; buildah with the folder), made before the clock starts. Cases: a fully cached build of 20 steps, COPY of
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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

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


class Side(Protocol):
    """One of those that are timed."""

    def prepare(self, files: dict[str, bytes], dockerfile: str) -> Path:
        """A context as this side takes it; making it is not timed."""
        ...

    def build(self, context: Path, tag: str, number: str) -> None:
        """Build from a context. A failure ends the benchmark."""
        ...


@dataclass(frozen=True)
class Case:
    """What is timed: `files` of a round, by its number, from a Dockerfile."""

    name: str
    tag: str
    dockerfile: str
    files: Callable[[str], dict[str, bytes]]


def cases() -> list[Case]:
    """All of them; the first call of each warms up."""
    many = {f"{n // 100}/{n % 100}": os.urandom(8) * (SIZE // 8) for n in range(FILES)}

    def changed(number: str) -> dict[str, bytes]:
        # other content each time, so that no cache helps
        return {
            name: content[:-8] + number[-8:].encode().rjust(8) for name, content in many.items()
        }

    def small(_: str) -> dict[str, bytes]:
        return {"a": b"1"}

    return [
        Case(f"COPY of {FILES:,} files", "big:bench", MANY, changed),
        Case("20 steps, cached", "cached:bench", STEPS, small),
        Case("a small RUN on a big image", "small:bench", BIG, small),
    ]


@dataclass(frozen=True)
class OverHttp:
    """A side that is an engine, at a socket; `folder` is for contexts."""

    path: str
    folder: Path

    def prepare(self, files: dict[str, bytes], dockerfile: str) -> Path:
        """A tar."""
        place = self.folder / f"context-{time.time_ns()}.tar"
        place.write_bytes(context({"Dockerfile": dockerfile.encode(), **files}))
        return place

    def build(self, context: Path, tag: str, number: str) -> None:
        """POST /build."""
        arguments = json.dumps({"ROUND": number}).replace('"', "%22").replace(" ", "")
        build(self.path, context.read_bytes(), t=tag, buildargs=arguments)


def timed(side: Side, case: Case, number: str) -> float:
    """Milliseconds, of the side and the way to it; the context is made outside."""
    context = side.prepare(case.files(number), case.dockerfile)
    start = time.perf_counter()
    side.build(context, case.tag, number)
    taken = (time.perf_counter() - start) * 1000
    if context.is_dir():
        shutil.rmtree(context)
    else:
        context.unlink()
    return taken


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
        path = f"{own.environment['PYCOMPOSE_RUN_DIR']}/engine.sock"
        ours = OverHttp(path, folder)
        sides: dict[str, Side] = {"pycompose": ours}
        docker = None if options.own_only else docker_side(stack, folder)
        if docker is not None:
            path = docker.environment["DOCKER_HOST"].removeprefix("unix://")
            sides["docker classic"] = OverHttp(path, folder)
        if shutil.which("buildah") and not options.own_only:
            sides["buildah"] = buildah_side(stack, folder)
        stamp = str(time.time_ns())
        print(f"{'case':30}" + "".join(f"{name + ' ms':>20}" for name in sides), flush=True)
        for case in cases():
            found: dict[str, list[float]] = {name: [] for name in sides}
            for number in range(options.rounds + 1):
                for name, side in sides.items():
                    taken = timed(side, case, f"{stamp}{number}")
                    if number:
                        found[name].append(taken)
            shown = "".join(f"{statistics.median(one):20.0f}" for one in found.values())
            print(f"{case.name:30}{shown}", flush=True)
        before = peak_memory(own)
        large = {f"big{n}": os.urandom(1 << 20) for n in range(options.megabytes)}
        ours.build(ours.prepare(large, "FROM busybox:bench\nCOPY . /big\n"), "large:bench", "")
        print(
            f"engine's peak memory: {before:.0f} MiB, {peak_memory(own):.0f} MiB after a context of "
            f"{options.megabytes} MiB"
        )


@dataclass(frozen=True)
class Buildah:
    """buildah on a store of its own below `folder`."""

    folder: Path

    def command(self, *arguments: str) -> None:
        """One command; a failure ends the benchmark."""
        store = ["--root", str(self.folder / "buildah"), "--runroot", str(self.folder / "buildah-run")]  # fmt: skip
        done = subprocess.run(
            ["buildah", *store, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"buildah {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")

    def clear(self) -> None:
        """Remove its images, and what it has mounted."""
        self.command("rmi", "--all", "--force")
        # it has mounted its store's overlay folder on itself
        overlay = str(self.folder / "buildah/overlay")
        subprocess.run(["umount", overlay], check=False, capture_output=True)

    def prepare(self, files: dict[str, bytes], dockerfile: str) -> Path:
        """A folder."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        for name, content in {**files, "Dockerfile": dockerfile.encode()}.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return place

    def build(self, context: Path, tag: str, number: str) -> None:
        """buildah build, with its cache of layers."""
        self.command(
            "build", "--layers", "--isolation", "chroot", "-t", tag,
            "--build-arg", f"ROUND={number}", str(context),
        )  # fmt: skip


def buildah_side(stack: ExitStack, folder: Path) -> Buildah:
    """buildah with busybox:bench in its store."""
    buildah = Buildah(folder)
    stack.callback(buildah.clear)
    base = buildah.prepare({"root.tar": busybox_tar()}, "FROM scratch\nADD root.tar /\n")
    buildah.build(base, "busybox:bench", "")
    return buildah


if __name__ == "__main__":
    main()
