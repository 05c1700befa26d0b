"""The image steps of a plan, done: a pull that may fail where a build can replace it, builds' output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import ComposeError
from compose.operations.building import build_image
from compose.operations.pulling import pull_image

if TYPE_CHECKING:
    from compose.engine_client.transport import Engine
    from compose.model.project import Project
    from compose.operations.building import BuildOptions
    from compose.operations.session import Session
    from compose.planner.steps import BuildImage, PullImage


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
    ) -> None:
        self._project = project
        self._session = session
        self._options = options
        self._quiet_pull = quiet_pull
        self._quiet_build = quiet_build
        self._several = several  # builds at once: each line says whose it is
        self.built: dict[str, str] = {}

    async def pull(self, engine: Engine, step: PullImage) -> str:
        """Pull; a failure is a warning where the image can be built. Raises ComposeError."""
        progress = None if self._quiet_pull else self._session.progress
        try:
            await pull_image(
                engine, step.image, self._session.environment, progress, platform=step.platform
            )
        except ComposeError as error:
            if not step.optional:
                raise
            return f"Warning {error}"
        return ""

    async def build(self, engine: Engine, step: BuildImage) -> str:
        """Build, its output line by line. Raises ComposeError."""
        rest = ""
        prefix = f"{step.service} | " if self._several else ""

        def write(text: str) -> None:
            nonlocal rest
            if self._quiet_build:
                return
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                self._session.progress.line(prefix + line)

        service = self._project.services[step.service]
        self.built[step.service] = await build_image(
            engine, self._project, service, self._options, self._session.environment, write
        )
        if rest:
            self._session.progress.line(prefix + rest)
        return ""
