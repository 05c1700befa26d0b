"""What a plan is made of: one step is one thing asked of the engine.

Every step has an id, unique in its plan, the ids of those it waits for, and a cause in words. Names
of things are the engine's own: `name` is what is shown, `ref` what the engine is asked with.
"""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from compose.model.files import GrantKind

    Condition = Literal["healthy", "completed", "running_or_healthy"]


class BaseStep(Record, kw_only=True):
    """What all steps have."""

    id: str
    needs: frozenset[str] = frozenset()
    cause: str = ""


class PullImage(BaseStep, kw_only=True):
    """Fetch an image from its registry. `optional`: the service can be built instead."""

    service: str
    image: str
    platform: str = ""
    optional: bool = False


class BuildImage(BaseStep, kw_only=True):
    """Build a service's image."""

    service: str
    image: str


class CreateNetwork(BaseStep, kw_only=True):
    """Create the project's network `key`."""

    key: str
    name: str


class DisconnectContainer(BaseStep, kw_only=True):
    """Take a container off a network that is to be removed."""

    network: str
    ref: str
    name: str


class RemoveNetwork(BaseStep, kw_only=True):
    """Remove a network."""

    ref: str
    name: str


class CreateVolume(BaseStep, kw_only=True):
    """Create the project's volume `key`."""

    key: str
    name: str


class RemoveVolume(BaseStep, kw_only=True):
    """Remove a volume."""

    name: str


class RemoveImage(BaseStep, kw_only=True):
    """Remove an image by its tag."""

    name: str


class CreateContainer(BaseStep, kw_only=True):
    """Create a service's container. `temporary` is its name until what it replaces is gone."""

    service: str
    number: int
    name: str
    temporary: str = ""
    replaces: str = ""  # id of the container whose place it takes
    inherits: bool = False


class UploadFiles(BaseStep, kw_only=True):
    """Give a container that does not run the configs or secrets that have no file on the host."""

    kind: GrantKind

    service: str
    ref: str
    name: str


class RenameContainer(BaseStep, kw_only=True):
    """Give a container its final name: the end of a replacement. `quiet`: one that is put aside."""

    ref: str
    name: str
    quiet: bool = False


class StartContainer(BaseStep, kw_only=True):
    """Start a container. `watched`: whether it fails is for the update's watch to judge."""

    service: str
    ref: str
    name: str
    watched: bool = False


class StopContainer(BaseStep, kw_only=True):
    """Stop a container. `timeout` None is its own grace. `quiet`: part of a replacement."""

    ref: str
    name: str
    timeout: int | None = None
    quiet: bool = False


class RestartContainer(BaseStep, kw_only=True):
    """Stop and start a container in one go."""

    ref: str
    name: str
    timeout: int | None = None


class KillContainer(BaseStep, kw_only=True):
    """Send a container a signal."""

    ref: str
    name: str
    signal: str = "SIGKILL"


class PauseContainer(BaseStep, kw_only=True):
    """Freeze a container, or thaw it."""

    ref: str
    name: str
    thaw: bool = False


class RemoveContainer(BaseStep, kw_only=True):
    """Remove a container; `volumes`: its anonymous volumes too."""

    ref: str
    name: str
    volumes: bool = False
    quiet: bool = False


class RunHook(BaseStep, kw_only=True):
    """Run a service's hook number `index`: in a container, for pre_start in one of its own."""

    service: str
    ref: str
    name: str
    moment: Literal["pre_start", "post_start", "pre_stop"]
    index: int


class Delay(BaseStep, kw_only=True):
    """Let some seconds pass between the batches of a rolling update."""

    service: str
    seconds: float


class WatchUpdate(BaseStep, kw_only=True):
    """Watch a batch of a rolling update (name, ref): up first, then as good for some `seconds`.

    `tolerated`: so many of the service's containers may fail in all, None any number; what happens
    to one more is that the update stops, and with `rollback` is taken back.
    """

    service: str
    containers: tuple[tuple[str, str], ...]
    seconds: float = 0.0
    tolerated: int | None = 0
    rollback: bool = False


class WaitCondition(BaseStep, kw_only=True):
    """Wait until a service's containers (name, ref) meet a condition.

    `required` False: a failure is a warning. `dependency`: they are waited for by other services.
    """

    service: str
    condition: Condition
    containers: tuple[tuple[str, str], ...]
    required: bool = True
    dependency: bool = True


Step = (
    PullImage
    | BuildImage
    | CreateNetwork
    | DisconnectContainer
    | RemoveNetwork
    | CreateVolume
    | RemoveVolume
    | RemoveImage
    | CreateContainer
    | UploadFiles
    | RenameContainer
    | StartContainer
    | StopContainer
    | RestartContainer
    | KillContainer
    | PauseContainer
    | RemoveContainer
    | RunHook
    | Delay
    | WatchUpdate
    | WaitCondition
)


class Plan(Record):
    """Steps in an order in which they could run one by one, and what to tell before."""

    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()  # names of containers that run and stay as they are
