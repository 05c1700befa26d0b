"""Which change means what: triggers, and the work that a batch of changes asks for. Pure.

Source: https://docs.docker.com/reference/compose-file/develop/. Rules: a rebuild replaces all other
work of its service; patterns are a .dockerignore's, relative to the trigger's path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from compose.model.record import EMPTY, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from compose.model.hook import Hook

Kind = Literal["sync", "rebuild", "restart", "sync+restart", "sync+exec"]
KINDS = ("sync", "rebuild", "restart", "sync+restart", "sync+exec")
#: What editors and version control leave behind for a moment; nobody wants that synced.
EPHEMERAL = (
    "**/.git", "**/.idea", "**/*___jb_old___", "**/*___jb_tmp___", "**/*~", "**/4913",
    "**/.#*", "**/#*#", "**/.*.swp", "**/.*.swx", "**/.*.swo", "**/.*.swn", "**/*.kate-swp",
)  # fmt: skip


def _nothing(_path: str) -> bool:
    return False


class Trigger(Record):
    """One entry of develop.watch. `path` is absolute; `ignores` and `includes` take relative paths.

    `includes` None takes all.
    """

    service: str
    kind: Kind
    path: str
    target: str = ""
    initial_sync: bool = False
    hook: Hook | None = None
    ignores: Callable[[str], bool] = _nothing
    includes: Callable[[str], bool] | None = None

    @property
    def syncs(self) -> bool:
        """Whether files are copied into the containers."""
        return self.kind.startswith("sync")


class Changes(Record):
    """Absolute paths: files (and new folders) to look at, and what is there no more."""

    changed: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.changed or self.deleted)


class Work(Record):
    """What one service asks for. `copies`: host's path -> path inside; `removals` are inside."""

    service: str
    rebuild: bool = False
    copies: Mapping[str, str] = EMPTY
    removals: tuple[str, ...] = ()
    restart: bool = False
    hooks: tuple[Hook, ...] = ()
    changes: int = 0


def relative(trigger: Trigger, path: str) -> str | None:
    """The path below the trigger's ("" is that itself); None for one that is not its affair."""
    if path == trigger.path:
        return ""
    root = trigger.path.rstrip("/") + "/"
    if not path.startswith(root):
        return None
    found = path[len(root) :]
    if trigger.ignores(found):
        return None
    if trigger.includes is not None and not trigger.includes(found):
        return None
    return found


def inside(trigger: Trigger, below: str) -> str:
    """Where a path below the trigger's is in the container."""
    return f"{trigger.target.rstrip('/')}/{below}" if below else trigger.target


def plan_work(triggers: Sequence[Trigger], changes: Changes) -> list[Work]:
    """What a batch asks for, a service each, in the triggers' order."""
    found = [
        _work_of([one for one in triggers if one.service == service], changes)
        for service in dict.fromkeys(one.service for one in triggers)
    ]
    return [work for work in found if work.changes]


def _work_of(triggers: Sequence[Trigger], changes: Changes) -> Work:
    service = triggers[0].service
    copies: dict[str, str] = {}
    removals: dict[str, None] = {}
    touched: set[str] = set()
    hit: list[Trigger] = []
    for trigger in triggers:
        own = _matches(trigger, changes.changed)
        gone = _matches(trigger, changes.deleted)
        if not own and not gone:
            continue
        hit.append(trigger)
        touched |= own.keys() | gone.keys()
        if trigger.syncs:
            copies |= {path: inside(trigger, below) for path, below in own.items()}
            removals |= dict.fromkeys(inside(trigger, below) for below in gone.values())
    if any(one.kind == "rebuild" for one in hit):
        return Work(service, rebuild=True, changes=len(touched))
    kept = set(copies.values())
    return Work(
        service,
        copies=copies,
        removals=tuple(path for path in removals if path not in kept),
        restart=any(one.kind in ("restart", "sync+restart") for one in hit),
        hooks=tuple(one.hook for one in hit if one.kind == "sync+exec" and one.hook is not None),
        changes=len(touched),
    )


def _matches(trigger: Trigger, paths: Iterable[str]) -> dict[str, str]:
    """Path -> what it is below the trigger's."""
    pairs = ((path, relative(trigger, path)) for path in sorted(paths))
    return {path: below for path, below in pairs if below is not None}
