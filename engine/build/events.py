"""What a build tells while it runs, as values. Who shows them decides how they look (classic, BuildKit).

Rules: a step's events share its number; numbers follow the Dockerfile, not the clock, for stages run
side by side. Times are nanoseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction, or (with `line` 0) work around them.

    `title` is what people see, "[build 2/4] RUN make"; "" for an instruction that only changes the
    config, which the numbering within its stage passes over.
    """

    number: int
    text: str
    title: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """How many numbered instructions there are; comes first."""

    count: int


@dataclass(frozen=True, slots=True)
class Began:
    """A step begins."""

    step: Step
    at_ns: int


@dataclass(frozen=True, slots=True)
class Said:
    """Output of a RUN: stream 1 or 2; stream 0 has the id of the container it runs in."""

    number: int
    stream: int
    text: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """Progress of a pull, one of Docker's JSON messages."""

    number: int
    message: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """A step has ended. `made` names its result, `container` the one a RUN ran in."""

    number: int
    at_ns: int
    cached: bool = False
    error: str = ""
    made: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning; `line` 0 is about no line of the Dockerfile, `rule` "" about no rule of its checks."""

    text: str
    line: int = 0
    rule: str = ""
    url: str = ""
    place: str = ""
    excerpt: tuple[tuple[int, str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """The image is there, with its names; `cache` is an image of the build's cache, if asked for."""

    image_id: str
    names: tuple[str, ...] = ()
    cache: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The build has failed. `excerpt` are lines of the Dockerfile around the place: number, text,
    whether it is at fault."""

    text: str
    place: str = ""
    excerpt: tuple[tuple[int, str, bool], ...] = ()


Event = Planned | Began | Said | Fetched | Ended | Warned | Built | Failed
Tell = Callable[[Event], Awaitable[None]]


def as_message(event: Event) -> dict[str, Any]:
    """An event as a line of our own client's stream."""
    aux = {"event": type(event).__name__.lower(), **asdict(event)}
    return {"id": "pycompose.build", "aux": aux}
