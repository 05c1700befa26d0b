"""A disk that is full: refused in a line, nothing lost, and all is well again when there is room."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from typing import IO, TYPE_CHECKING

import docker
import pytest

from tests.bench.sides import import_image
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"


@pytest.fixture
def cramped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    """An engine whose root is a file system of 24 MB."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a file system")
    folder = tmp_path_factory.mktemp("engine")
    root = folder / "root"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tests", str(root)], check=True)
    try:
        with running_engine(folder, "10.103.16.0/20") as engine:
            import_image(engine.host)
            yield engine
            subprocess.run(["umount", "-l", str(root)], check=True)
    finally:
        if os.path.ismount(root):
            subprocess.run(["umount", "-l", str(root)], check=False)


def fill(stream: IO[bytes]) -> None:
    while True:
        stream.write(b"x" * 4096)


def make_many(client: docker.DockerClient) -> None:
    for _ in range(500):
        client.containers.create(IMAGE, ["true"], volumes=["/v"])


def test_a_full_disk_is_told_and_survived(cramped: OwnEngine) -> None:
    with closing(docker.DockerClient(base_url=cramped.host, timeout=60)) as client:
        script = "while :; do echo line; sleep 0.01; done"
        running = client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
        ballast = cramped.folder / "root" / "ballast"
        with ballast.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
            fill(stream)
        with pytest.raises(docker.errors.APIError) as caught:
            make_many(client)
        assert caught.value.status_code == 500
        assert "no space left on device" in str(caught.value).lower()
        assert "internal error" not in str(caught.value)
        assert client.ping()
        assert running.exec_run(["sh", "-c", "echo alive"]).output == b"alive\n"
        running.kill()
        running.reload()
        assert (running.status, running.attrs["State"]["ExitCode"]) == ("exited", 137)
        ballast.unlink()
        os.kill(cramped.pid, 0)
        running.start()
        made = client.containers.create(IMAGE, ["sh", "-c", "echo well"])
        made.start()
        assert made.wait()["StatusCode"] == 0
        assert made.logs() == b"well\n"
        before = len(running.logs())
        while len(running.logs()) <= before:
            pass
        for container in client.containers.list(all=True):
            container.remove(force=True, v=True)
        assert client.volumes.list() == []
        assert list((cramped.folder / "root" / "containers").iterdir()) == []
