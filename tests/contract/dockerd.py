"""A real Docker Engine for the time of a test: in namespaces of its own, gone without a trace after.

dockerd rewrites the firewall and keeps daemons beside itself; in own network, mount and pid
namespaces neither touches the machine, and the end of its PID 1 is the end of all it started.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Run as PID 1 of the namespaces: an own /proc and /run, loopback, then the daemon.
FIRST_PROCESS = """
set -e
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
ip link set lo up
exec dockerd --host "unix://$1/docker.sock" --data-root "$1/data" --exec-root /run/docker \
    --pidfile /run/docker.pid --cgroup-parent "$2" --bip 172.31.255.1/24 --storage-driver overlay2
"""


def is_installed() -> bool:
    """Whether a Docker Engine can be started here."""
    return os.geteuid() == 0 and all(
        map(shutil.which, ("dockerd", "containerd", "runc", "unshare", "ip"))
    )


@contextmanager
def running_dockerd(folder: Path) -> Iterator[str]:
    """Start dockerd below `folder`; yields its address ("unix://...") once it answers.

    Raises RuntimeError with the last lines of its log if it does not come up in 30 seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"pycompose-peer-{os.getpid()}"
    socket_path = folder / "docker.sock"
    with (folder / "dockerd.log").open("w") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", FIRST_PROCESS,
             "sh", str(folder), f"/{name}"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_it_answers(process, socket_path, folder / "dockerd.log")
        yield f"unix://{socket_path}"
    finally:
        first = first_process(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until_all_are_gone(first)
        remove_cgroups(name)
        shutil.rmtree(folder / "data", ignore_errors=True)


def wait_until_it_answers(process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    """Connects until somebody accepts and answers a ping."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(path))
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            if b"200" in client.recv(64):
                return
        time.sleep(0.05)  # another program's start has no event to wait for
    raise RuntimeError(f"dockerd did not come up:\n{log.read_text()[-2000:]}")


def first_process(unshare: int) -> list[int]:
    """A pidfd of the namespaces' PID 1, the one child of who made them; none if there never was one."""
    try:
        children = Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()
        return [os.pidfd_open(int(child)) for child in children]
    except OSError:
        return []  # it has ended


def wait_until_all_are_gone(first: list[int]) -> None:
    """PID 1 ends after all others of its namespace: then nobody makes a cgroup any more (runc would)."""
    for pidfd in first:
        select.select([pidfd], [], [], 20)
        os.close(pidfd)


def remove_cgroups(name: str) -> None:
    """The daemon's cgroup parents, once the last process of its pid namespace has left them.

    Other engines' cgroups come and go while we look. Raises RuntimeError if some stay for 10 seconds.
    """
    deadline = time.monotonic() + 10
    while left := cgroups_of(name):
        for folder in left:
            with suppress(OSError):
                os.rmdir(folder)
        if time.monotonic() > deadline:
            raise RuntimeError(f"cgroups of dockerd stay: {left}")
        time.sleep(0.01)  # cgroup v1 has no event for the end of the last process


def cgroups_of(name: str) -> list[str]:
    """All folders below those named `name`, in every hierarchy, the deepest first."""
    walked = os.walk("/sys/fs/cgroup", topdown=False)
    return [folder for folder, _, _ in walked if name in folder.split("/")]
