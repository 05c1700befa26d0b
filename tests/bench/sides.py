"""The two sides of a benchmark: our command on an engine of its own, and docker compose."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contract.dockerd import is_installed, running_dockerd

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

HOUSE = Path(__file__).resolve().parents[2]
POOL = "10.199.0.0/16"
APPLETS = (
    "cat", "chmod", "cp", "cut", "date", "df", "env", "false", "grep", "head", "hostname", "id",
    "kill", "ls", "mkdir", "mount", "nc", "nslookup", "ps", "rm", "sed", "seq", "sh",
    "sleep", "stat", "stty", "tail", "test", "touch", "true", "tty", "vi", "wc", "wget", "yes",
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """How to run one of the two: the compose command, its environment, how to stop its engine."""

    name: str
    compose: list[str]
    environment: dict[str, str]
    stop_engine: Callable[[], None] | None = None


def person(home: Path) -> dict[str, str]:
    """The environment of both sides: that of a person with a home of their own, no settings in it.

    Byte code is written as Python does by default; a machine that tests may say otherwise.
    """
    ours = ("COMPOSE_", "PYCOMPOSE_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "HOME": str(home)}


def busybox_tar() -> bytes:
    """A root file system with Debian's static busybox and its applets."""
    program = Path("/bin/busybox").read_bytes()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("bin/busybox")
        entry.mode, entry.size = 0o755, len(program)
        archive.addfile(entry, io.BytesIO(program))
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return out.getvalue()


def import_image(host: str) -> None:
    """Import busybox:bench into the engine at `host`."""
    import docker

    client = docker.DockerClient(base_url=host)
    try:
        client.api.import_image_from_data(busybox_tar(), repository="busybox", tag="bench")
    finally:
        client.close()


def own_side(stack: ExitStack, folder: Path) -> Side:
    """pycompose with an engine of its own below `folder`, stopped at the end."""
    root, run = folder / "root", folder / "run"
    environment = {
        **person(folder),
        "PYCOMPOSE_ROOT": str(root),
        "PYCOMPOSE_RUN_DIR": str(run),
        "PYCOMPOSE_ADDRESS_POOL": POOL,
    }
    command = str(Path(sys.executable).with_name("pycompose"))

    def engine(*arguments: str) -> None:
        subprocess.run(
            [command, "engine", *arguments], env=environment, check=True, capture_output=True
        )

    engine("serve", "--detach")
    stack.callback(engine, "stop")
    import_image(f"unix://{run}/engine.sock")
    return Side("pycompose", [command], environment, lambda: engine("stop"))


def peak_memory(side: Side) -> float:
    """The most memory (MiB resident) that our engine's process has had."""
    lock = Path(side.environment["PYCOMPOSE_RUN_DIR"], "engine.lock")
    status = Path("/proc", lock.read_text().split()[0], "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def docker_side(stack: ExitStack, folder: Path) -> Side | None:
    """docker compose v2.40 (`make peers` installs it) on a Docker Engine.

    The engine is the one DOCKER_HOST names, or a dockerd of our own where one is installed.
    """
    programs = (HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose")
    program = next(programs, None)
    host = os.environ.get("DOCKER_HOST")
    if program is None or (host is None and not is_installed()):
        return None
    host = host or stack.enter_context(running_dockerd(folder / "dockerd"))
    import_image(host)
    return Side("docker compose", [str(program)], {**person(folder), "DOCKER_HOST": host})
