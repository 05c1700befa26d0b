"""A build's events -> what people read: numbered steps, timings, the last lines of what failed. Pure.

The lines are those of `docker build --progress plain`, which people (and their log viewers) know.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from compose.model.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from compose.operations.progress import Kind

#: Lines of a failed step that are shown again with the error.
TAIL = 20
NS = 10**9


class Step(Record):
    """One step that people see."""

    number: int
    title: str
    began_ns: int


class BuildLog:
    """What all builds of one command write; their steps are numbered together."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._count = 0
        self._current = 0

    def number(self) -> int:
        """The next step's."""
        self._count += 1
        return self._count

    def line(self, step: Step, text: str) -> None:
        """A line of a step; its title again where another step has written since."""
        if self._current != step.number:
            if self._current:
                self._write("")
            self._current = step.number
            self._write(f"#{step.number} {step.title}")
        if text:
            self._write(f"#{step.number} {text}")

    def block(self, lines: Iterator[str] | Sequence[str]) -> None:
        """Lines that belong to no step."""
        self._current = 0
        for text in lines:
            self._write(text)


class Follower:
    """What is kept of one service's build, whoever shows it. Subclasses say how it looks."""

    def __init__(self, service: str, *, several: bool) -> None:
        self._prefix = service if several else ""
        self._steps: dict[int, Step] = {}
        self._rest: dict[tuple[int, int], str] = {}
        self._tails: dict[int, deque[str]] = {}
        self._now_ns = 0
        self.failure: list[str] = []
        self.warnings: list[list[str]] = []

    def feed(self, event: Mapping[str, Any]) -> None:
        """One event."""
        kind = event.get("event")
        if kind == "began" and event["step"]["title"]:
            given = event["step"]
            title = given["title"]
            if self._prefix:
                title = (
                    f"[{self._prefix} {title[1:]}"
                    if title.startswith("[")
                    else f"[{self._prefix}] {title}"
                )
            step = Step(self.next_number(), title, event["at_ns"])
            self._steps[given["number"]] = step
            self._now_ns = event["at_ns"]
            self.begun(step)
        elif kind == "said" and event["stream"] and event["number"] in self._steps:
            self._said(event)
        elif kind == "fetched" and event["number"] in self._steps:
            self._fetched(event["number"], event["message"])
        elif kind == "ended" and event["number"] in self._steps:
            self._ended(event)
        elif kind == "warned":
            self.warnings.append(list(warning_lines(event)))
        elif kind == "failed":
            self.failure = list(self._failure_lines(event))

    def next_number(self) -> int:
        """A step's number as it is shown."""
        return 0

    def begun(self, step: Step) -> None:
        """A step has begun."""

    def wrote(self, step: Step, text: str) -> None:
        """A step has written a line."""

    def ended(self, step: Step, outcome: str, seconds: float) -> None:
        """A step is DONE, CACHED, or has failed: then `outcome` begins with ERROR."""

    def _said(self, event: Mapping[str, Any]) -> None:
        number = event["number"]
        key = (number, event["stream"])
        text = self._rest.pop(key, "") + event["text"]
        *lines, rest = text.split("\n")
        if rest:
            self._rest[key] = rest
        for line in lines:
            self._line(number, line)

    def _line(self, number: int, text: str) -> None:
        text = text.rstrip("\r").rpartition("\r")[2]  # what a progress bar has overwritten is gone
        self._tails.setdefault(number, deque(maxlen=TAIL)).append(text)
        self.wrote(self._steps[number], text)

    def _fetched(self, number: int, message: Mapping[str, Any]) -> None:
        status = message.get("status", "")
        if status and "progressDetail" not in message:
            self.wrote(
                self._steps[number], f"{message['id']}: {status}" if message.get("id") else status
            )

    def _ended(self, event: Mapping[str, Any]) -> None:
        number = event["number"]
        for stream in (1, 2):
            if rest := self._rest.pop((number, stream), ""):
                self._line(number, rest)
        step = self._steps[number]
        seconds = (event["at_ns"] - step.began_ns) / NS
        if event["error"]:
            self.ended(step, f"ERROR: {event['error']}", seconds)
            return
        self._tails.pop(number, None)
        self.ended(step, "CACHED" if event["cached"] else "DONE", seconds)
        del self._steps[number]

    def _failure_lines(self, event: Mapping[str, Any]) -> Iterator[str]:
        for number, step in self._steps.items():
            tail = self._tails.get(number)
            if tail:
                yield "------"
                yield f" > {step.title}:"
                yield from tail
                yield "------"
        yield from excerpt_lines(event.get("place", ""), event.get("excerpt") or ())


class PlainFollower(Follower):
    """Every line, with the step's number."""

    def __init__(self, service: str, log: BuildLog, *, several: bool) -> None:
        super().__init__(service, several=several)
        self._log = log

    def next_number(self) -> int:
        """Of all builds together."""
        return self._log.number()

    def begun(self, step: Step) -> None:
        """The title of what may take long; others have it told when they end."""
        if "] RUN" in step.title:
            self._log.line(step, "")

    def wrote(self, step: Step, text: str) -> None:
        """The line."""
        self._log.line(step, text or " ")

    def ended(self, step: Step, outcome: str, seconds: float) -> None:
        """How, and after what time."""
        self._log.line(step, f"{outcome} {seconds:.1f}s" if outcome == "DONE" else outcome)


class LiveFollower(Follower):
    """A line a step that is redrawn: its title, and the last line it has written."""

    def __init__(
        self, service: str, report: Callable[[str, str, Kind, str], None], *, several: bool
    ) -> None:
        super().__init__(service, several=several)
        self._report = report

    def begun(self, step: Step) -> None:
        """Under way."""
        self._report(step.title, "", "working", "")

    def wrote(self, step: Step, text: str) -> None:
        """Its last line."""
        self._report(step.title, "", "working", text)

    def ended(self, step: Step, outcome: str, seconds: float) -> None:
        """Done, or not."""
        del seconds
        kind: Kind = "error" if outcome.startswith("ERROR") else "done"
        self._report(step.title, outcome if kind == "done" else "ERROR", kind, "")


def excerpt_lines(place: str, excerpt: Sequence[Sequence[Any]]) -> Iterator[str]:
    """The Dockerfile's lines around a place, those at fault marked."""
    if not excerpt:
        return
    yield place
    yield "-" * 20
    for number, text, marked in excerpt:
        yield f"{number:4} | {'>>>' if marked else '   '} {text}".rstrip()
    yield "-" * 20


def warning_lines(event: Mapping[str, Any]) -> Iterator[str]:
    """A warning, with what it is about."""
    if not event.get("rule"):
        yield f"[Warning] {event['text']}"
        return
    yield f"WARNING: {event['rule']} - {event['url']}"
    yield str(event["text"])
    yield from excerpt_lines(event.get("place", ""), event.get("excerpt") or ())
