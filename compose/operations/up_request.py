"""The flags of `up`, `create` and `scale`, as one value."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from compose.planner.policy import Recreate


class UpRequest(Record):
    """The flags. `build` None builds what is missing, False never, True always."""

    services: tuple[str, ...] = ()
    build: bool | None = None
    pull: Literal["", "always", "missing", "never", "build"] = ""
    quiet_pull: bool = False
    quiet_build: bool = False
    detach: bool = False
    locked: bool = False
    recreate: Recreate = "diverged"
    recreate_dependencies: Recreate = "diverged"
    no_deps: bool = False
    start: bool = True
    scale: Mapping[str, int] = EMPTY
    remove_orphans: bool = False
    ignore_orphans: bool = False
    timeout: int | None = None
    renew_volumes: bool = False
    wait: bool = False
    wait_timeout: int = 0
    confirm: Callable[[str], bool] = lambda _question: False
    check_trust: bool = False  # of a project from elsewhere; `ask` None says yes to all
    ask: Callable[[str, bool], bool] | None = None
    exit_code_from: str = ""
    abort_on: Literal["", "exit", "failure"] = ""
    attach: tuple[str, ...] = ()
    no_attach: tuple[str, ...] = ()
    attach_dependencies: bool = False
    prefix: bool = True
    timestamps: bool = False
    colours: bool = False
    menu: bool = False
    watch: bool = False
    view_services: Callable[[], str] = lambda: ""
    view_config: Callable[[], str] = lambda: ""
