"""A build's events as BuildKit's StatusResponse: vertexes, logs, warnings. Pure but for the waiting."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import trio

from engine.api.buildkit.protobuf import encode, repeated, timestamp
from engine.build.events import Began, Ended, Fetched, Said, Warned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from engine.build.events import Event, Step


#: Characters of one step's output, as in BuildKit.
OUTPUT_LIMIT = 2 << 20


class StatusLog:
    """What one build has told so far; may be followed from its start by anybody, to its end."""

    def __init__(self, ref: str, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._ref = ref
        self._clock_ns = clock_ns
        self._responses: list[bytes] = []
        self._steps: dict[int, tuple[Step, int]] = {}
        self._sizes: dict[int, int] = {}
        self._last = 0
        self._notes = 0
        self._news = trio.Event()
        self.ended = False

    async def tell(self, event: Event) -> None:
        """An event of the build."""
        await trio.lowlevel.checkpoint()
        response = self._response(event)
        if response:
            self._responses.append(response)
            self._ring()

    def end(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self._ring()

    async def follow(self) -> AsyncIterator[bytes]:
        """Every StatusResponse."""
        position = 0
        while True:
            news = self._news
            while position < len(self._responses):
                yield self._responses[position]
                position += 1
            if self.ended:
                return
            await news.wait()

    def _ring(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _digest(self, number: int) -> str:
        return f"sha256:{hashlib.sha256(f'{self._ref}/{number}'.encode()).hexdigest()}"

    def _response(self, event: Event) -> bytes:
        match event:
            case Began() if event.step.title:
                self._steps[event.step.number] = (event.step, event.at_ns)
                self._last = event.step.number
                return repeated(1, [self._vertex(event.step.number)])
            case Ended() if event.number in self._steps:
                return repeated(1, [self._vertex(event.number, event)])
            case Said() if event.stream and event.number in self._steps:
                text = self._clipped(event.number, event.text)
                return repeated(3, [self._log(event.number, text, event.stream)]) if text else b""
            case Fetched() if event.number in self._steps:
                text = " ".join(str(event.message.get(key, "")) for key in ("id", "status")).strip()
                if "progressDetail" not in event.message or not event.message["progressDetail"]:
                    return repeated(3, [self._log(event.number, f"{text}\n", 1)])
                return b""
            case Warned() if not event.rule:
                return self._note(event.text)
            case Warned():
                return self._warning(event)
            case _:
                return b""

    def _vertex(self, number: int, ended: Ended | None = None) -> bytes:
        step, began_ns = self._steps[number]
        return encode(
            (1, self._digest(number)), (3, step.title), (4, int(bool(ended and ended.cached))),
            (5, timestamp(began_ns)), (6, timestamp(ended.at_ns) if ended else None),
            (7, ended.error if ended else None),
        )  # fmt: skip

    def _clipped(self, number: int, text: str) -> str:
        """What is told of a step's output, which is kept for whoever follows later: only so much."""
        before = self._sizes.get(number, 0)
        self._sizes[number] = before + len(text)
        if before > OUTPUT_LIMIT:
            return ""
        if before + len(text) > OUTPUT_LIMIT:
            return f"{text[: OUTPUT_LIMIT - before]}\n[output clipped, log limit 2MiB reached]\n"
        return text

    def _log(self, number: int, text: str, stream: int) -> bytes:
        now = timestamp(self._clock_ns())
        return encode((1, self._digest(number)), (2, now), (3, stream), (4, text))

    def _note(self, text: str) -> bytes:
        """A warning that is about no line, as a step: clients show no other where no step is."""
        self._notes += 1
        digest, now = self._digest(-self._notes), timestamp(self._clock_ns())
        vertex = encode((1, digest), (3, "[internal] warning"), (5, now), (6, now))
        log = encode((1, digest), (2, now), (3, 2), (4, f"WARNING: {text}\n"))
        return repeated(1, [vertex]) + repeated(3, [log])

    def _warning(self, event: Warned) -> bytes:
        rule = f"{event.rule}: " if event.rule else ""
        short = f"{rule}{event.text}" + (f" (line {event.line})" if event.line else "")
        number = self._last or 1
        if number not in self._steps:
            return b""
        warning = encode((1, self._digest(number)), (2, 1), (3, short), (5, event.url))
        return repeated(4, [warning])
