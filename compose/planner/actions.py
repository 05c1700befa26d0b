"""A plan as a person thinks of it: a thing and what becomes of it. Pure.

Several steps are one action: a container is replaced by a create, a stop, a remove, a rename and a
start. Each action says whether data may be lost by it.
"""

from __future__ import annotations

from compose.model.record import EMPTY, Record
from compose.planner import steps as s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from compose.planner.steps import Step

    Verb = Literal["pull", "build", "create", "recreate", "start", "restart", "stop", "remove"]
    Kind = Literal["image", "network", "volume", "container"]


class Action(Record):
    """What becomes of one thing. `ref` is what it is known by to the engine, "" for a new one."""

    verb: Verb
    kind: Kind
    name: str
    service: str = ""
    cause: str = ""
    ref: str = ""
    destructive: bool = False


class _Found:
    """The steps about one thing."""

    def __init__(self, kind: Kind, name: str) -> None:
        self.kind = kind
        self.name = name
        self.service = ""
        self.steps: list[Step] = []

    def has(self, *types: type) -> bool:
        return any(isinstance(step, types) for step in self.steps)


def actions_of(
    steps: Sequence[Step], anonymous: Mapping[str, bool] = EMPTY, *, inherits: bool = True
) -> list[Action]:
    """The actions, in the order in which they begin.

    `anonymous`: ids of containers that have volumes without a name, lost where nobody inherits them.
    """
    found: dict[tuple[Kind, str], _Found] = {}
    for step in steps:
        key = subject(step)
        if key is None:
            continue
        one = found.setdefault(key, _Found(*key))
        one.steps.append(step)
        one.service = one.service or getattr(step, "service", "")
    made = [_action(one, anonymous, inherits=inherits) for one in found.values()]
    return [action for action in made if action is not None]


def subject(step: Step) -> tuple[Kind, str] | None:
    """What a step is about; None for a step that only goes along: a hook, a wait."""
    match step:
        case s.PullImage() | s.BuildImage():
            return "image", step.image
        case s.RemoveImage():
            return "image", step.name
        case s.CreateNetwork() | s.RemoveNetwork():
            return "network", step.name
        case s.CreateVolume() | s.RemoveVolume():
            return "volume", step.name
        case (
            s.RunHook()
            | s.Delay()
            | s.WaitCondition()
            | s.WatchUpdate()
            | s.UploadFiles()
            | s.DisconnectContainer()
        ):
            return None
        case _:
            return "container", step.name


def _action(one: _Found, anonymous: Mapping[str, bool], *, inherits: bool) -> Action | None:
    creates = one.has(s.CreateNetwork, s.CreateVolume, s.CreateContainer)
    removes = one.has(s.RemoveNetwork, s.RemoveVolume, s.RemoveContainer, s.RemoveImage)
    ref = next((r for step in one.steps if (r := _ref(step))), "")
    lost = one.kind == "volume" or (anonymous.get(ref, False) and not (creates and inherits))
    verb: Verb
    if one.has(s.BuildImage):
        verb = "build"
    elif one.has(s.PullImage):
        verb = "pull"
    elif creates and removes:
        verb = "recreate"
    elif creates:
        verb = "create"
    elif removes:
        verb = "remove"
        lost = lost or one.kind == "container"
    elif one.has(s.RestartContainer) or (one.has(s.StopContainer) and one.has(s.StartContainer)):
        verb = "restart"
    elif one.has(s.StartContainer):
        verb = "start"
    elif one.has(s.StopContainer, s.KillContainer):
        verb = "stop"
    else:
        return None
    return Action(
        verb, one.kind, one.name, one.service, _cause(one, verb), ref, destructive=removes and lost
    )


def _ref(step: Step) -> str:
    """The id of the thing as it is now."""
    if isinstance(step, s.CreateContainer):
        return step.replaces
    return str(getattr(step, "ref", ""))


def _cause(one: _Found, verb: Verb) -> str:
    """The first cause that says why this is done at all."""
    causes = [step.cause for step in one.steps if step.cause]
    if verb == "recreate":
        causes = [cause for cause in causes if cause != "missing"] or causes
    return causes[0] if causes else ""
