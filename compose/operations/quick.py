"""Carries a plan of single calls out without an event loop: importing one takes longer than the calls.

The rules are the scheduler's (scheduler/run.py): each step when those it needs are done, several at
once; after a failure nothing new starts and what runs comes to its end; Ctrl-C starts nothing more
and gives short calls a little time, for half a request is worse than a whole one.
"""

from __future__ import annotations

import select
import signal
import time
from collections import deque
from contextlib import contextmanager

from compose.errors import ComposeError, EngineRefusedError, InterruptedByUserError
from compose.operations.one_call import OneCall, is_patient, named
from compose.operations.progress import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.engine_client.blocking import BlockingClient, Exchange
    from compose.operations.progress import Progress
    from compose.operations.session import Session
    from compose.operations.world import World
    from compose.planner.steps import Plan, Step

#: Seconds that short calls get after Ctrl-C.
GRACE = 5.0


def apply_quickly(plan: Plan, session: Session, client: BlockingClient, world: World) -> bool:
    """Carry the plan out if all of it is single calls; False, and nothing done, if it is not.

    Raises the error of the step that failed first, InterruptedByUserError.
    """
    assert client.version is not None
    one_call = OneCall(world, client.version, session.progress)
    if not one_call.can_do(plan.steps):
        return False
    with client, interrupts():
        _Run(plan, client, one_call, session.progress, session.parallel).run()
    return True


@contextmanager
def interrupts() -> Iterator[None]:
    """SIGTERM is as good as Ctrl-C while the block runs."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Run:
    def __init__(
        self,
        plan: Plan,
        client: BlockingClient,
        one_call: OneCall,
        progress: Progress,
        limit: int | None,
    ) -> None:
        self._client = client
        self._one_call = one_call
        self._progress = progress
        self._limit = limit or len(plan.steps)
        self._steps = {step.id: step for step in plan.steps}
        self._waiting = {step.id: set(step.needs) for step in plan.steps if step.needs}
        self._ready = deque(step for step in plan.steps if not step.needs)
        self._needed_by: dict[str, list[str]] = {}
        for step in plan.steps:
            for need in step.needs:
                self._needed_by.setdefault(need, []).append(step.id)
        self._running: dict[int, tuple[Step, Exchange]] = {}
        self._poll = select.poll()
        self._error: ComposeError | None = None

    def run(self) -> None:
        """All of it. Raises the first error, or InterruptedByUserError."""
        try:
            self._go_on(float("inf"))
        except KeyboardInterrupt:
            self._end_early()
            raise InterruptedByUserError from None
        finally:
            for _, exchange in self._running.values():
                exchange.abandon()
        if self._error is not None:
            raise self._error

    def _end_early(self) -> None:
        """Start nothing more; wait for the short calls, let go of the others."""
        self._ready.clear()
        self._waiting.clear()
        for number, (step, _) in list(self._running.items()):
            if not is_patient(step):
                self._let_go(number).abandon()
        self._go_on(time.monotonic() + GRACE)

    def _go_on(self, deadline: float) -> None:
        while True:
            self._start_ready()
            if not self._running:
                return
            left = deadline - time.monotonic()
            if left <= 0:
                return
            for number, _ in self._poll.poll(None if left == float("inf") else left * 1000):
                step, exchange = self._running[number]
                try:
                    answer = exchange.receive()
                    if answer is None:
                        continue
                    self._let_go(number)
                    self._finish(step, self._one_call.done(step, answer))
                except ComposeError as error:
                    if number in self._running:
                        self._let_go(number)
                    self._refuse(step, error)

    def _start_ready(self) -> None:
        while self._ready and self._error is None and len(self._running) < self._limit:
            step = self._ready.popleft()
            subject, doing, _ = words(step)
            if doing:
                self._progress.report(subject, doing)
            try:
                call = self._one_call.call(step)
                if call is None:
                    self._finish(step, "")
                    continue
                exchange = self._client.open(call)
            except ComposeError as error:
                self._fail(step, error)
                continue
            self._running[exchange.fileno()] = (step, exchange)
            self._poll.register(exchange.fileno(), select.POLLIN)

    def _let_go(self, number: int) -> Exchange:
        self._poll.unregister(number)
        return self._running.pop(number)[1]

    def _refuse(self, step: Step, error: ComposeError) -> None:
        """A refusal may be as good as success."""
        if isinstance(error, EngineRefusedError):
            try:
                self._finish(step, self._one_call.refused(step, error))
            except EngineRefusedError as final:
                error = final
            else:
                return
        self._fail(step, error)

    def _fail(self, step: Step, error: ComposeError) -> None:
        subject, _, _ = words(step)
        self._progress.report(subject, "Error", "error", str(error))
        if isinstance(error, EngineRefusedError):
            error = named(subject, error)
        self._error = self._error or error

    def _finish(self, step: Step, said: str) -> None:
        subject, _, done = words(step)
        if said:
            self._progress.report(subject, said, "warning")
        elif done:
            self._progress.report(subject, done, "done")
        for other in self._needed_by.get(step.id, ()):
            left = self._waiting.get(other)
            if left is None:
                continue
            left.discard(step.id)
            if not left:
                del self._waiting[other]
                self._ready.append(self._steps[other])
