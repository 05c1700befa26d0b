"""The image steps of a plan, done: a pull that may fail where a build can replace it, builds' output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import ComposeError
from compose.operations.build_view import BuildView
from compose.operations.building import build_image
from compose.operations.pulling import is_here, is_passing, pull_image

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
        keep_local: bool = False,
    ) -> None:
        self._project = project
        self._keep_local = keep_local  # an image that is here will do, if its registry cannot help
        self._session = session
        self._options = options
        self._quiet_pull = quiet_pull
        self._view = BuildView(session, quiet=quiet_build, several=several)
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
        service = self._project.services[step.service]
        with self._view.of(step.service) as tell:
            self.built[step.service] = await build_image(
                engine, self._project, service, self._options, self._session.environment, tell
            )
        return ""
