"""The image steps of a plan, done: a pull that may fail where a build can replace it, builds' output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.errors import ComposeError
from compose.operations.build_output import BuildLog, Follower, LiveFollower, PlainFollower
from compose.operations.building import build_image
from compose.operations.pulling import is_here, is_passing, pull_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compose.engine_client.transport import Engine
    from compose.model.project import Project
    from compose.operations.building import BuildOptions
    from compose.operations.progress import Kind
    from compose.operations.session import Session
    from compose.planner.steps import BuildImage, PullImage

#: Columns of a step's title in a live view.
TITLE_WIDTH = 60


class ImageSteps:
    """Pulls and builds for one project."""

    def __init__(
        self,
        project: Project,
        session: Session,
        options: BuildOptions,
        *,
        quiet_pull: bool = False,
        quiet_build: bool = False,
        several: bool = False,
        keep_local: bool = False,
    ) -> None:
        self._project = project
        self._keep_local = keep_local  # an image that is here will do, if its registry cannot help
        self._session = session
        self._options = options
        self._quiet_pull = quiet_pull
        self._quiet_build = quiet_build
        self._several = several  # builds at once: each line says whose it is
        self._log = BuildLog(session.progress.line)
        self.built: dict[str, str] = {}

    async def pull(self, engine: Engine, step: PullImage) -> str:
        """Pull; a failure is a warning where the image can be built, or is here. Raises ComposeError."""
        progress = None if self._quiet_pull else self._session.progress
        try:
            await pull_image(
                engine, step.image, self._session.environment, progress, platform=step.platform,
                subject=step.service,
            )  # fmt: skip
        except ComposeError as error:
            if self._keep_local and is_passing(str(error)) and await is_here(engine, step):
                return f"Warning the copy of {step.image} that is here is used: {error}"
            if not step.optional:
                raise
            return f"Warning {error}"
        return ""

    async def build(self, engine: Engine, step: BuildImage) -> str:
        """Build, telling how it goes. Raises ComposeError."""
        follower = self._follower(step.service)
        rest = ""

        def tell(message: Mapping[str, Any]) -> None:
            nonlocal rest
            if message.get("id") == "pycompose.build":
                follower.feed(message["aux"])
            elif message.get("stream") and not self._quiet_build:
                *lines, rest = (rest + message["stream"]).split("\n")
                for line in lines:
                    progress.line(prefix + line)

        progress = self._session.progress
        prefix = f"{step.service} | " if self._several else ""  # another engine's lines
        service = self._project.services[step.service]
        try:
            self.built[step.service] = await build_image(
                engine, self._project, service, self._options, self._session.environment, tell
            )
        except ComposeError:
            self._show(follower.failure, failed=True)
            raise
        finally:
            for warning in follower.warnings if not self._quiet_build else ():
                self._show(warning)
            if rest:
                progress.line(prefix + rest)
        return ""

    def _follower(self, service: str) -> Follower:
        """How this build is shown."""
        progress, several = self._session.progress, self._several
        if self._quiet_build or progress.style == "quiet":
            return Follower(service, several=several)
        if progress.style == "plain":
            return PlainFollower(service, self._log, several=several)

        def report(subject: str, word: str, kind: Kind, text: str) -> None:
            progress.report(subject[:TITLE_WIDTH], word, kind, text)

        return LiveFollower(service, report, several=several)

    def _show(self, lines: Sequence[str], *, failed: bool = False) -> None:
        """Lines that stay on the screen; of a failure also where all else is quiet."""
        if failed and (self._quiet_build or self._session.progress.style == "quiet"):
            self._session.err.writelines(f"{line}\n" for line in lines)
        elif lines:
            self._log.block(["", *lines] if self._session.progress.style == "plain" else lines)
