"""What a build is asked to do, and what it asks of others, as values and protocols."""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from engine.errors import EngineError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import trio

#: Takes progress of a pull as Docker's JSON messages.
Report = Callable[[dict[str, Any]], Awaitable[None]]
#: Takes output of a RUN: the stream (1 or 2) and bytes; first of all, stream 0 with the container's
#: id (a runner that does not say it has the id told when the RUN has ended).
Output = Callable[[int, bytes], Awaitable[None]]
#: Fetches an image by name for a registry's credentials (X-Registry-Config) and a platform, "" for
#: this host's. Raises EngineError.
Pull = Callable[[str, Report, Mapping[str, Any], str], Awaitable[None]]


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
class Limits:
    """What each RUN may use; 0 and "" are no limit."""

    memory: int = 0
    memory_swap: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    cgroup_parent: str = ""
    shm_size: int = 0
    ulimits: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One build. `build_args` without value (None) fall back to the Dockerfile's default.

    `inline` is the Dockerfile's text where it is no file. `contexts` are named contexts: an image
    ("docker-image://x"), a folder of the context's tar ("folder:x"), or a URL. `no_cache_filter` are stages whose cache is not used.
    `cache_from` are images to take steps from; `cache_to` is what goes into the
    cache for elsewhere: "max" (every step), "min" (those of the image) or "inline" (the same, in the
    image itself), "" for none. `not_honoured` names
    parameters that no field here has; each becomes a warning. `auths` are registries' credentials.
    """

    dockerfile: str = "Dockerfile"
    inline: str | None = None
    tags: tuple[str, ...] = ()
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    pull: bool = False
    network_mode: str = ""
    extra_hosts: tuple[str, ...] = ()
    platform: str = ""
    limits: Limits = Limits()
    squash: bool = False
    remote: str = ""
    contexts: Mapping[str, str] = field(default_factory=dict)
    cache_from: tuple[str, ...] = ()
    cache_to: str = ""
    check: bool = False
    auths: Mapping[str, Any] = field(default_factory=dict)
    not_honoured: tuple[str, ...] = ()

    @property
    def shown_dockerfile(self) -> str:
        """How people are told of it: by its path in the context, or by a file of the client's."""
        return self.dockerfile if self.inline is None else posixpath.basename(self.dockerfile)


@dataclass(frozen=True, slots=True)
class Material:
    """What is built from, on this host: the context's folder, the Dockerfile, named contexts' folders.

    `ignored` are the lines of the .dockerignore that was applied, for the Dockerfile's checks.
    """

    folder: Path
    dockerfile: str
    contexts: Mapping[str, Path] = field(default_factory=dict)
    ignored: str = ""


class Giver(Protocol):
    """Whoever asked for the build, as far as it is asked during the build."""

    async def secret(self, name: str) -> bytes | None:
        """A secret's content, None if there is none of that name."""
        ...

    async def has_agent(self, name: str) -> bool:
        """Whether there is an ssh agent of that name."""
        ...

    def agent(self, name: str) -> AbstractAsyncContextManager[trio.abc.HalfCloseableStream]:
        """A new connection to an ssh agent that there is."""
        ...

    async def credentials(self, host: str) -> Mapping[str, str]:
        """What the client has for a registry (username, password); {} for nothing."""
        ...


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
    limits: Limits = Limits()
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

    async def recover(self) -> None:
        """At the engine's start: nothing of earlier builds runs any more."""
        ...

    async def discard(self, result: RunResult) -> None:
        """Remove the container; its upper folder may be gone already."""
        ...
