"""What comes before the engine proper: privileges, the lock, the helper processes.

Rules: nothing heavy is imported here; the helpers boot while the engine's own modules are read, and
before any thread exists.
"""

from __future__ import annotations

import fcntl
import os
import resource
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import HostLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.processes.spawn import Helper
    from engine.storage.paths import Layout


@dataclass(frozen=True, slots=True)
class Helpers:
    """The processes around the engine that live as long as it does."""

    fork_server: Helper
    network_worker: Helper


def require_privileges() -> None:
    """Raises HostLimitError where the kernel would refuse everything."""
    if os.geteuid() != 0:
        raise HostLimitError(
            "the engine needs root, for namespaces, mounts and networks", hint="run it with sudo"
        )


@contextmanager
def engine_lock(layout: Layout) -> Iterator[None]:
    """One engine for a run folder and a root. Raises HostLimitError if there is one already."""
    layout.run.mkdir(parents=True, exist_ok=True, mode=0o711)
    layout.root.mkdir(parents=True, exist_ok=True, mode=0o711)
    with layout.lock.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            raise HostLimitError(
                f"an engine runs already for {layout.run} (process {stream.read().strip()})"
            ) from error
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield
        stream.truncate(0)


def raise_descriptor_limit() -> None:
    """As many descriptors as the host admits: a client's connection takes one (getrlimit(2)).

    For after the fork server's start: what containers may is what the engine was given.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def open_helpers() -> Iterator[Helpers]:
    """Start them; at the end all have ended."""
    from engine.processes.spawn import spawn

    fork_server = spawn("engine.processes.fork_server", seen_inside=True)
    try:
        network_worker = spawn("networking.linux.worker")
        try:
            yield Helpers(fork_server, network_worker)
        finally:
            network_worker.close()
    finally:
        fork_server.close()
