"""What a build is asked to do, and what it asks of others, as values and one protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.errors import EngineError

#: Takes the messages of a build as Docker's JSON stream has them.
Report = Callable[[dict[str, Any]], Awaitable[None]]
#: Takes output of a RUN: the stream (1 or 2) and bytes; first of all, stream 0 with the container's
#: id (a runner that does not say it has the id told when the RUN has ended).
Output = Callable[[int, bytes], Awaitable[None]]
#: Fetches an image by name, reporting as `docker pull` does. Raises EngineError.
Pull = Callable[[str, Report], Awaitable[None]]


class BuildError(EngineError):
    """A RUN ended with an exit code other than 0, kept in `code`."""

    def __init__(self, command: str, code: int, line: int) -> None:
        super().__init__(
            f"The command '{command}' returned a non-zero code: {code}",
            hint=f"Dockerfile:{line}",
        )
        self.code = code
        self.line = line


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """POST /build. `build_args` without value (None) fall back to the Dockerfile's default.

    `not_honoured` names parameters of the request that the API layer saw and no field here has;
    each becomes a warning line of the stream.
    """

    dockerfile: str = "Dockerfile"
    tags: tuple[str, ...] = ()
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    no_cache: bool = False
    pull: bool = False
    network_mode: str = ""
    extra_hosts: tuple[str, ...] = ()
    platform: str = ""
    shm_size: int = 0
    squash: bool = False
    quiet: bool = False
    remote: str = ""
    not_honoured: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunMount:
    """RUN --mount: `kind` is "bind" (with a host folder or file as `source`) or "tmpfs"."""

    kind: str
    target: str
    source: str = ""
    read_only: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True)
class RunStep:
    """One RUN: a container from `image_id` (the parent) that runs `argv`.

    `env` is complete but for the engine's own defaults (HOME, HOSTNAME, PATH).
    """

    image_id: str
    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    cwd: str = "/"
    network_mode: str = ""
    extra_hosts: tuple[str, ...] = ()
    shm_size: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[RunMount, ...] = ()


@dataclass(frozen=True, slots=True)
class RunResult:
    """A RUN that has ended; `upper` is the container's overlay upper folder."""

    container_id: str
    exit_code: int
    upper: str


class StepRunner(Protocol):
    """Runs the containers of a build."""

    async def run(self, step: RunStep, output: Output) -> RunResult:
        """Run to the end; output as it comes. Cancelled: no container is left."""
        ...

    async def discard(self, result: RunResult) -> None:
        """Remove the container; its upper folder may be gone already."""
        ...
