"""What every use case stands on: whose engine, which project, where reports go; opened once a command.

Rules: nothing here imports trio; a use case that needs it says so by calling `run_async`. Our own
engine is started when its socket does not answer, one that the person named is not.
"""

from __future__ import annotations

import os
import sys

from compose.engine_client.blocking import BlockingClient
from compose.errors import ComposeError, EngineUnreachableError
from compose.model.record import Record, changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TextIO

    from compose.engine_client.endpoint import Endpoint
    from compose.engine_client.transport import Engine
    from compose.loader.load import Loaded
    from compose.loader.request import LoadRequest
    from compose.model.project import Project
    from compose.operations.progress import Progress


NO_FILES = (
    "no configuration file provided: not found: create a compose.yaml, or give one with --file"
)


class ExitCodeError(ComposeError):
    """A command whose exit code is another program's, or says more than failure."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Session(Record):
    """One command's surroundings. `out` and `err` are text streams, `load` the global flags."""

    endpoint: Endpoint
    environment: Mapping[str, str]
    load: LoadRequest
    progress: Progress
    lines: Progress  # the same without a live view: for between the lines of containers
    out: TextIO
    err: TextIO
    parallel: int | None = None
    dry_run: bool = False
    ansi: str = "auto"

    def client(self, *, read_only: bool = False) -> BlockingClient:
        """A client of an engine that answers. Raises EngineUnreachableError."""
        client = BlockingClient(self.endpoint, read_only=read_only)
        try:
            client.ping()
        except EngineUnreachableError:
            if self.endpoint.explicit:
                raise
            start_engine()
            client.ping()
        return client

    def project(self, services: tuple[str, ...] = (), **changes: bool) -> Loaded:
        """Load the project; its warnings are told. Raises ProjectError."""
        from compose.loader.load import load_project

        loaded = load_project(changed(self.load, services=services, **changes))
        for warning in loaded.warnings:
            self.progress.warn(warning)
        return loaded

    def remote_file(self) -> str:
        """The Compose file named first, if it lies in a registry or a Git repository; else ""."""
        from compose.loader.paths import is_remote

        separator = self.environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        named = self.load.files or self.environment.get("COMPOSE_FILE", "").split(separator)
        return named[0] if is_remote(named[0]) else ""

    def project_or_name(self, services: tuple[str, ...] = ()) -> tuple[Project | None, str]:
        """The project, or None and its name where that is all there is. Raises ProjectError.

        -p is enough by itself, COMPOSE_PROJECT_NAME where no Compose file is found.
        """
        if self.load.project_name and not self.load.files:
            return None, self.load.project_name
        if self.environment.get("COMPOSE_PROJECT_NAME"):
            from compose.loader.load import resolve_settings

            found = resolve_settings(self.load)
            if not found.files:
                return None, found.name
        project = self.project(services).project
        return project, project.name

    def project_name(self) -> str:
        """The project's name; its files are read no further than that. Raises ProjectError."""
        return self.identity()[0]

    def identity(self) -> tuple[str, Mapping[str, str]]:
        """The project's name, and the variables of the shell and .env. Raises ProjectError."""
        # Not through loader.load: reading the name alone needs a third of its modules.
        from compose.loader.files import Files
        from compose.loader.settings import resolve
        from compose.loader.sources import Disk

        named = self.load.project_name or self.environment.get("COMPOSE_PROJECT_NAME")
        settings = resolve(
            self.load,
            Files(Disk(self.load.working_dir, self.load.fetch), self.environment),
            lambda _text: None,
        )
        if not settings.files and not named:
            raise ComposeError(NO_FILES)
        return settings.name, settings.environment

    def run_async(
        self,
        client: BlockingClient,
        main: Callable[[Engine], Awaitable[int]],
        *,
        signals: bool = True,
    ) -> int:
        """Run the part of a use case that is concurrent. Raises InterruptedByUserError.

        Without `signals` the use case listens for Ctrl-C itself.
        """
        from compose.operations.runner import run_main

        assert client.version is not None
        client.close()
        return run_main(self.endpoint, client.version, main, signals=signals)


def start_engine() -> None:
    """Start our own engine; returns when it answers. Raises EngineUnreachableError."""
    if os.geteuid() != 0:
        raise EngineUnreachableError(
            "the engine needs root: run with sudo, or name an engine with PYCOMPOSE_HOST"
        )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "engine", "serve", "--detach"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines()
        why = lines[-1] if lines else f"exit code {done.returncode}"
        raise EngineUnreachableError(f"the engine could not be started: {why}")
