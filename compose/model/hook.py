"""Commands at moments of a container's life."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Hook(Record):
    """pre_start, post_start or pre_stop: a command run at that moment."""

    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: Mapping[str, str | None] = EMPTY
    image: str = ""  # of pre_start only: "" is the service's
    per_replica: bool = True  # of pre_start only
