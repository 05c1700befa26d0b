"""Times pulls and loads of a 300 MB image of 8 layers, ours beside a dockerd, in turns in one run.

    python -m tests.bench.images [--rounds N] [--megabytes N]

The registry is Debian's docker-registry on loopback; dockerd has a network of its own, so a second
one serves the same data there. The same docker command line drives both engines. Wall time is the
command's; CPU time is what the whole machine was busy: run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.__main__ import Sample, busy_ms
from tests.bench.sides import own_side, peak_memory
from tests.contract.dockerd import is_installed, running_dockerd

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYERS = 8
NAME = "bench/big:1"


def write_archive(path: Path, megabytes: int) -> None:
    """A docker archive: layers of files that compress to about a half."""
    noise = random.Random(1)
    diff_ids = []
    with tarfile.open(path, "w") as archive:
        for number in range(LAYERS):
            layer = io.BytesIO()
            with tarfile.open(fileobj=layer, mode="w") as inner:
                for file in range(20):
                    size = megabytes * (1 << 20) // LAYERS // 20
                    content = noise.randbytes(size // 2) + bytes(range(256)) * (size // 512)
                    entry = tarfile.TarInfo(f"layer{number}/file{file}")
                    entry.size = len(content)
                    inner.addfile(entry, io.BytesIO(content))
            raw = layer.getvalue()
            diff_ids.append(f"sha256:{hashlib.sha256(raw).hexdigest()}")
            add(archive, f"{number}/layer.tar", raw)
        config = {
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }  # fmt: skip
        add(archive, "config.json", json.dumps(config).encode())
        layers = [f"{number}/layer.tar" for number in range(LAYERS)]
        manifest = [{"Config": "config.json", "RepoTags": [NAME], "Layers": layers}]
        add(archive, "manifest.json", json.dumps(manifest).encode())


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """A member."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


@contextmanager
def registry(folder: Path, port: int, netns: int | None = None) -> Iterator[None]:
    """docker-registry on a port of loopback, in the network of a process if one is named."""
    config = folder / f"registry-{port}-{netns}.yml"
    config.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "error"},
                "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
                "http": {"addr": f"127.0.0.1:{port}"},
            }
        )
    )
    enter = ["nsenter", "--target", str(netns), "--net"] if netns else []
    process = subprocess.Popen(
        [*enter, "docker-registry", "serve", str(config)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(1)  # it may listen in a network that we cannot look into
        yield
    finally:
        process.terminate()
        process.wait()


def peer_pid(address: str) -> int:
    """The process behind a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address.removeprefix("unix://"))
        raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", raw)[0])


def docker(host: str, *arguments: str, check: bool = True) -> None:
    """One command of docker's own command line."""
    done = subprocess.run(
        ["docker", *arguments], env={**os.environ, "DOCKER_HOST": host}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if check and done.returncode:
        sys.exit(f"docker {' '.join(arguments)} at {host} failed: {done.stderr or done.stdout}")


def timed(host: str, *arguments: str) -> tuple[float, float]:
    """(wall, CPU) in milliseconds."""
    busy, start = busy_ms(), time.perf_counter()
    docker(host, *arguments)
    return (time.perf_counter() - start) * 1000, busy_ms() - busy


def main() -> None:
    """Parse arguments, run the rounds, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.images", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--port", type=int, default=20555)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pycompose-bench-")))
        archive = folder / "big.tar"
        write_archive(archive, options.megabytes)
        own = own_side(stack, folder)
        hosts = {"pycompose": f"unix://{own.environment['PYCOMPOSE_RUN_DIR']}/engine.sock"}
        if is_installed():
            hosts["docker"] = stack.enter_context(running_dockerd(folder / "dockerd"))
            stack.enter_context(registry(folder, options.port, peer_pid(hosts["docker"])))
        stack.enter_context(registry(folder, options.port))
        there = f"127.0.0.1:{options.port}/{NAME}"
        docker(hosts["pycompose"], "load", "-i", str(archive))
        docker(hosts["pycompose"], "tag", NAME, there)
        docker(hosts["pycompose"], "push", there)
        memory = {"load and push": peak_memory(own)}
        results = {(case, side): Sample() for case in ("pull", "load", "save") for side in hosts}
        for _ in range(options.rounds):
            for side, host in hosts.items():
                for case, arguments in (
                    ("pull", ["pull", "-q", there]),
                    ("load", ["load", "-q", "-i", str(archive)]),
                    ("save", ["save", "-o", str(folder / "saved.tar"), NAME]),
                ):
                    if case != "save":
                        docker(host, "rmi", "-f", there, NAME, check=False)
                    wall, cpu = timed(host, *arguments)
                    results[case, side].wall.append(wall)
                    results[case, side].cpu.append(cpu)
                    with suppress(FileNotFoundError):
                        (folder / "saved.tar").unlink()
        memory["all rounds"] = peak_memory(own)
        print(
            "engine's peak memory after", ", ".join(f"{k}: {v:.0f} MiB" for k, v in memory.items())
        )
        for (case, side), sample in results.items():
            wall, cpu = statistics.median(sample.wall), statistics.median(sample.cpu)
            print(f"{case:6}{side:12}{wall:8.0f} ms wall {cpu:8.0f} ms CPU   of {len(sample.wall)}")


if __name__ == "__main__":
    main()
