"""How a plan is to be made: the flags of the commands, as values."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from compose.model.dependency import Dependency

    Recreate = Literal["diverged", "force", "never"]


class UpPolicy(Record):
    """For up, create, run and scale. `services` are those named; () is all of the project."""

    services: tuple[str, ...] = ()
    recreate: Recreate = "diverged"
    recreate_dependencies: Recreate = "diverged"
    remove_orphans: bool = False
    ignore_orphans: bool = False
    inherit_volumes: bool = True
    timeout: int | None = None
    start: bool = True
    wait: bool = False
    conditions: tuple[tuple[str, Dependency], ...] = ()  # waited for at the end, as if depended on
    beside: tuple[
        str, ...
    ] = ()  # disabled services whose networks and volumes are needed all the same
    replace_volumes: bool = False  # a volume that no longer matches is made anew, its data lost


class DownPolicy(Record):
    """For down. `images`: "" keeps them, "local" removes those without a custom tag, "all" all."""

    services: tuple[str, ...] = ()
    volumes: bool = False
    images: Literal["", "local", "all"] = ""
    remove_orphans: bool = False
    timeout: int | None = None
