"""A sub-command as a value, and what it is called with."""

from __future__ import annotations

import os
import sys

from compose.errors import UsageError
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

    from compose.cli.flags import Flag, Options
    from compose.operations.session import Session

MANY = 1 << 30


class Command(Record):
    """One sub-command. `run` is given its options and the invocation, and returns the exit code."""

    usage: str
    summary: str
    flags: tuple[Flag, ...]
    run: Callable[[Options, Invocation], int]
    least: int = 0
    most: int = MANY
    interspersed: bool = True

    def check_arguments(self, arguments: list[str]) -> None:
        """UsageError for too few or too many arguments."""
        words = self.usage.split()
        name = " ".join(word for at, word in enumerate(words[:3]) if word.islower() and all(map(str.islower, words[:at])))  # fmt: skip
        if len(arguments) < self.least:
            raise UsageError(
                f"{name} requires at least {self.least} argument{'s' * (self.least > 1)}: "
                f"pycompose {self.usage}"
            )
        if len(arguments) > self.most:
            raise UsageError(
                f'unexpected argument "{arguments[self.most]}" for {name}: pycompose {self.usage}'
            )


class Invocation:
    """The global flags and the environment: from them come the session and the streams.

    `of_project` is for docker compose's commands, which heed the project's .env; docker's do not.
    """

    def __init__(self, options: Options, *, of_project: bool = True) -> None:
        self.options = options
        self._of_project = of_project
        self._environment: dict[str, str] | None = None
        self._session: Session | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The shell's variables, and those COMPOSE_ ones of .env (or --env-file) that it lacks."""
        if self._environment is None:
            shell = dict(os.environ)
            self._environment = shell
            if self._of_project and self._may_have_env_file(shell):
                from compose.loader.settings import settings_in_env_files
                from compose.loader.sources import Disk

                request = self.load_request()
                found = settings_in_env_files(request, Disk(request.working_dir))
                self._environment = {**found, **shell}
        return self._environment

    def _may_have_env_file(self, shell: dict[str, str]) -> bool:
        """Whether it is worth a look: most projects have no .env, and need not pay for one."""
        options = self.options
        if options.env_file or "COMPOSE_ENV_FILES" in shell or "COMPOSE_FILE" in shell:
            return True
        named = options.project_directory or options.workdir
        if not named and options.file and options.file[0] != "-":
            named = os.path.dirname(options.file[0])  # noqa: PTH120
        folder = os.path.join(current_folder(shell), named)  # noqa: PTH118
        while not os.path.exists(f"{folder}/.env"):  # noqa: PTH110
            parent = os.path.dirname(folder)  # noqa: PTH120
            if parent == folder:
                return False
            folder = parent
        return True

    def load_request(self) -> Any:
        """What the loader is asked for."""
        from compose.loader.request import LoadRequest

        options = self.options
        return LoadRequest(
            files=options.file,
            project_directory=options.project_directory or options.workdir,
            project_name=options.project_name,
            profiles=options.profile,
            env_files=options.env_file,
            environment=self.environment,
            working_dir=current_folder(self.environment),
            all_resources=options.all_resources,
            compatibility=options.compatibility or self.is_on("COMPOSE_COMPATIBILITY"),
            fetch=self._fetch,
        )

    def _fetch(self, name: str) -> str:
        """The local path of a Compose file that lies in a registry or a Git repository."""
        from compose.operations.remote_files import fetch

        return fetch(name, self.environment)

    def session(self, *, quiet: bool = False) -> Session:
        """The session of this command. `quiet` reports no progress, only warnings."""
        if self._session is None:
            from compose.cli.progress import choose_progress
            from compose.engine_client.endpoint import find_endpoint
            from compose.operations.session import Session

            mode = "quiet" if quiet else self.progress_mode()
            dry_run = bool(self.options.dry_run)
            self._session = Session(
                endpoint=find_endpoint(self.options.host, self.environment, os.geteuid()),
                environment=self.environment,
                load=self.load_request(),
                progress=choose_progress(mode, self.status_stream(), dry_run=dry_run),
                lines=choose_progress(
                    "plain" if mode == "tty" else mode, self.status_stream(), dry_run=dry_run
                ),
                out=sys.stdout,
                err=sys.stderr,
                parallel=self.parallel(),
                dry_run=dry_run,
                ansi=self.ansi(),
            )
        return self._session

    def close(self) -> None:
        """Leave the screen tidy."""
        if self._session is not None:
            self._session.progress.close()

    def ansi(self) -> str:
        """never, auto or always."""
        options = self.options
        if "ansi" in options.given:
            if options.ansi not in ("never", "auto", "always"):
                raise UsageError(
                    f'unknown --ansi value "{options.ansi}": use never, auto or always'
                )
            return str(options.ansi)
        if self.environment.get("NO_COLOR"):
            return "never"
        return self.environment.get("COMPOSE_ANSI") or "auto"

    def status_stream(self) -> TextIO:
        """Where progress goes: standard error, or output where COMPOSE_STATUS_STDOUT says so."""
        return sys.stdout if self.is_on("COMPOSE_STATUS_STDOUT") else sys.stderr

    def progress_mode(self) -> str:
        """auto, tty, plain, json or quiet. Raises UsageError."""
        mode = self.options.progress or self.environment.get("COMPOSE_PROGRESS") or "auto"
        if mode == "none":
            mode = "quiet"
        if mode not in ("auto", "tty", "plain", "json", "quiet"):
            raise UsageError(
                f'unsupported --progress value "{mode}": use auto, tty, plain, json or quiet'
            )
        if mode == "auto":
            # A screen that must not get control characters can only be written line by line.
            return "tty" if self.status_stream().isatty() and self.ansi() != "never" else "plain"
        return str(mode)

    def parallel(self) -> int | None:
        """How many steps run at once; None is no limit. Raises UsageError."""
        number = self.options.parallel
        text = self.environment.get("COMPOSE_PARALLEL_LIMIT", "")
        if "parallel" not in self.options.given and text:
            try:
                number = int(text)
            except ValueError:
                raise UsageError(
                    f'COMPOSE_PARALLEL_LIMIT must be an integer, not "{text}"'
                ) from None
        return number if number > 0 else None

    def is_on(self, name: str) -> bool:
        """Whether an environment variable says yes."""
        return self.environment.get(name, "").lower() in ("1", "t", "true", "y", "yes", "on")

    def colours(self, *, no_color: bool = False) -> bool:
        """Whether log lines are coloured: as --ansi says, and only on a terminal for auto."""
        mode = "never" if no_color else self.ansi()
        return mode == "always" or (mode == "auto" and sys.stdout.isatty())


def current_folder(environment: dict[str, str]) -> str:
    """Where the person is, by the path they came (PWD), if it is true."""
    told = environment.get("PWD", "")
    try:
        if told and os.path.samefile(told, "."):  # noqa: PTH121  # pathlib costs more than this call
            return told
    except OSError:
        pass  # a folder that may not be looked into from above is one all the same
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        raise UsageError("the current folder is gone: change to one that exists") from None
