"""What the steps of a plan refer to, as one value."""

from __future__ import annotations

from compose.model.observed import Observed
from compose.model.record import EMPTY, Record
from compose.planner.config_hash import plain_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from compose.engine_client.transport import Engine
    from compose.model.project import Project
    from compose.planner.config_hash import Encode
    from compose.planner.steps import BuildImage, PullImage


class World(Record):
    """What steps refer to. `project` may be empty where only labels are known."""

    name: str
    project: Project | None = None
    observed: Observed = Observed()
    encode: Encode = plain_json
    image_ids: Mapping[str, str] = EMPTY
    on_hook_line: Callable[[str, str], None] | None = None
    pull: Callable[[Engine, PullImage], Awaitable[str]] | None = None
    build: Callable[[Engine, BuildImage], Awaitable[str]] | None = None
