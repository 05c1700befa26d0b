"""A build's events as Docker's classic builder tells them: "Step 2/5 : RUN make". Pure.

Rules: the classic stream knows one step at a time, so what stages that run side by side tell is
put in the Dockerfile's order; what is told too early waits, and what waits is bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.build.events import Began, Built, Ended, Failed, Fetched, Planned, Said, Warned

if TYPE_CHECKING:
    from engine.build.events import Event

Message = dict[str, Any]
#: Characters of output kept of one step whose turn has not come.
WAITING_LIMIT = 1 << 20


class ClassicStream:
    """Events in, messages of the stream out."""

    def __init__(self) -> None:
        self._count = 0
        self._turn = 1
        self._waiting: dict[int, list[Message]] = {}
        self._sizes: dict[int, int] = {}
        self._ended: set[int] = set()

    def feed(self, event: Event) -> list[Message]:
        """What can be told now."""
        match event:
            case Planned():
                self._count = event.count
                return []
            case Began():
                return self._of(event.step.number, self._begin(event))
            case Said():
                running = f" ---> Running in {event.text[:12]}\n"
                return self._of(event.number, [_line(event.text if event.stream else running)])
            case Fetched():
                return self._of(event.number, [event.message])
            case Ended():
                return self._end(event)
            case Warned():
                where = f" (line {event.line})" if event.line else ""
                rule = f"{event.rule}: " if event.rule else ""
                return [_line(f"[Warning] {rule}{event.text}{where}\n")]
            case Failed():
                return []  # the stream's own error says it
            case Built():
                short = event.image_id.removeprefix("sha256:")[:12]
                tagged = [_line(f"Successfully tagged {name}\n") for name in event.names]
                aux = {"aux": {"ID": event.image_id}}
                return [aux, _line(f"Successfully built {short}\n"), *tagged]

    def rest(self) -> list[Message]:
        """What still waits when a build has failed, in order."""
        found: list[Message] = []
        for number in sorted(self._waiting):
            found += self._waiting[number]
        self._waiting.clear()
        return found

    def _begin(self, event: Began) -> list[Message]:
        if event.step.number < 1:
            return []
        return [_line(f"Step {event.step.number}/{self._count} : {event.step.text}\n")]

    def _of(self, number: int, messages: list[Message]) -> list[Message]:
        """Messages of a step: now if it is its turn, else later."""
        if number <= self._turn:
            return messages
        kept = self._waiting.setdefault(number, [])
        size = self._sizes.get(number, 0)
        if size < WAITING_LIMIT:
            kept += messages
            self._sizes[number] = size + sum(len(m.get("stream", "")) for m in messages)
            if self._sizes[number] >= WAITING_LIMIT:
                kept.append(_line("\n[output clipped, 1 MiB reached]\n"))
        return []

    def _end(self, event: Ended) -> list[Message]:
        if event.number < 1:
            return []
        told: list[Message] = []
        if event.cached:
            told.append(_line(" ---> Using cache\n"))
        if event.container:
            told.append(_line(f"Removing intermediate container {event.container[:12]}\n"))
        if not event.error:
            told.append(_line(f" ---> {event.made.removeprefix('sha256:')[:12]}\n"))
        if event.number > self._turn:
            self._waiting.setdefault(event.number, []).extend(told)
            self._ended.add(event.number)
            return []
        self._ended.add(event.number)
        while self._turn in self._ended:
            self._ended.discard(self._turn)
            self._turn += 1
            told += self._waiting.pop(self._turn, [])
            self._sizes.pop(self._turn, None)
        return told


def _line(text: str) -> Message:
    return {"stream": text}
