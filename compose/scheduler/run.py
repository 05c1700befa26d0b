"""Runs a graph of steps, each when those it needs are done, as many at once as allowed.

Rules: a step's failure is a value. After it nothing new starts, what runs comes to its end, and what
depends on it is named as skipped, with the reason. Cancelling from outside is real: nothing new
starts, patient steps get `grace` seconds to finish (half a request is worse than a whole one), the
others end at once. This module knows nothing of what a step does.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import trio

from compose.model.record import EMPTY, Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence


class Node(Protocol):
    """What a step must have to be scheduled."""

    @property
    def id(self) -> str:
        """Unique in the graph."""
        ...

    @property
    def needs(self) -> frozenset[str]:
        """The ids that must be done before."""
        ...


StepT = TypeVar("StepT", bound=Node)


class StepSkippedError(Exception):
    """Raised by a step that finds it need not, and its dependents should not, run."""


class Outcome(Record):
    """What became of each step. `skipped`: id -> why; `failed`: id -> the error."""

    done: frozenset[str] = frozenset()
    failed: Mapping[str, Exception] = EMPTY
    skipped: Mapping[str, str] = EMPTY

    @property
    def first_error(self) -> Exception | None:
        """The failure that came first; it is what the person is told."""
        return next(iter(self.failed.values()), None)


async def run_steps(
    steps: Sequence[StepT],
    execute: Callable[[StepT], Awaitable[None]],
    *,
    limit: int | None = None,
    grace: float = 5.0,
    is_patient: Callable[[StepT], bool] = lambda _step: True,
    keep_going: bool = False,
) -> Outcome:
    """Run them all; `execute` raises Exception where a step fails.

    `keep_going` runs what does not depend on a failed step too. Raises ValueError for a graph with
    a missing id or a circle.
    """
    return await _Run(steps, execute, limit, grace, is_patient, keep_going=keep_going).run()


class _Run(Generic[StepT]):
    def __init__(
        self,
        steps: Sequence[StepT],
        execute: Callable[[StepT], Awaitable[None]],
        limit: int | None,
        grace: float,
        is_patient: Callable[[StepT], bool],
        *,
        keep_going: bool,
    ) -> None:
        self._steps = {step.id: step for step in steps}
        check_graph(steps)
        self._execute = execute
        self._slots = limit or math.inf
        self._grace = grace
        self._is_patient = is_patient
        self._keep_going = keep_going
        self._waiting = {step.id: set(step.needs) for step in steps if step.needs}
        self._ready = deque(step.id for step in steps if not step.needs)
        self._needed_by: dict[str, list[str]] = {}
        for step in steps:
            for need in step.needs:
                self._needed_by.setdefault(need, []).append(step.id)
        self._running = 0
        self._closed = False
        self._done: set[str] = set()
        self._failed: dict[str, Exception] = {}
        self._skipped: dict[str, str] = {}
        self._shields: set[trio.CancelScope] = set()

    async def run(self) -> Outcome:
        async with trio.open_nursery() as watching:
            watching.start_soon(self._watch_for_cancel)
            try:
                async with trio.open_nursery() as nursery:
                    self._start_ready(nursery)
            finally:
                watching.cancel_scope.cancel()
        for step_id in (*self._waiting, *self._ready):
            self._skipped.setdefault(step_id, "not started")
        return Outcome(frozenset(self._done), self._failed, self._skipped)

    async def _watch_for_cancel(self) -> None:
        """On cancellation the patient steps' shields get a deadline; they know no other end."""
        try:
            await trio.sleep_forever()
        finally:
            self._closed = True
            deadline = trio.current_time() + self._grace
            for shield in self._shields:
                shield.deadline = min(shield.deadline, deadline)

    def _start_ready(self, nursery: trio.Nursery) -> None:
        """Start what waits for nothing any more, in the order given."""
        while self._ready and not self._closed and self._running < self._slots:
            step_id = self._ready.popleft()
            self._running += 1
            nursery.start_soon(self._one, self._steps[step_id], nursery, name=step_id)

    async def _one(self, step: StepT, nursery: trio.Nursery) -> None:
        shield = trio.CancelScope(shield=self._is_patient(step))
        self._shields.add(shield)
        try:
            with shield:
                await self._execute(step)
                self._finish(step.id)
        except StepSkippedError as reason:
            self._skip_dependents(step.id, str(reason))
            self._skipped[step.id] = str(reason)
        except Exception as error:  # noqa: BLE001  # a failure is a value; the caller decides  # a failure is a value here; the caller decides
            self._failed[step.id] = error
            self._skip_dependents(step.id, f"{step.id} failed")
            self._closed = self._closed or not self._keep_going
        finally:
            self._running -= 1
            self._shields.discard(shield)
        self._start_ready(nursery)

    def _finish(self, step_id: str) -> None:
        self._done.add(step_id)
        for other in self._needed_by.get(step_id, ()):
            left = self._waiting.get(other)
            if left is None:
                continue
            left.discard(step_id)
            if not left:
                del self._waiting[other]
                self._ready.append(other)

    def _skip_dependents(self, step_id: str, reason: str) -> None:
        for other in self._needed_by.get(step_id, ()):
            if self._waiting.pop(other, None) is not None:
                self._skipped[other] = reason
                self._skip_dependents(other, reason)


def check_graph(steps: Sequence[Node]) -> None:
    """ValueError for two steps of one id, a need that is no step, or a circle."""
    needs = {step.id: set(step.needs) for step in steps}
    if len(needs) != len(steps):
        raise ValueError("two steps have the same id")
    unknown = {need for step in steps for need in step.needs} - needs.keys()
    if unknown:
        raise ValueError(f"needed and no step: {', '.join(sorted(unknown))}")
    left = dict(needs)
    while left:
        free = [step_id for step_id, wanted in left.items() if not wanted & left.keys()]
        if not free:
            raise ValueError(f"a circle of steps: {', '.join(sorted(left))}")
        for step_id in free:
            del left[step_id]
