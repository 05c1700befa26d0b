"""The scheduler: order, limit, failures as values, cancellation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from compose.model.record import Record
from compose.scheduler.run import StepSkippedError, check_graph, run_steps


class Step(Record):
    id: str
    needs: frozenset[str] = frozenset()


def graph(text: str) -> list[Step]:
    """ "a b:a c:a,b" -> steps."""
    steps = []
    for word in text.split():
        name, _, needs = word.partition(":")
        steps.append(Step(name, frozenset(filter(None, needs.split(",")))))
    return steps


class Recorder:
    """Executes steps by sleeping a second each, and remembers when; failing ones take half as long."""

    def __init__(self, seconds: float = 1.0, failing: str = "") -> None:
        self.seconds = seconds
        self.failing = failing
        self.begun: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.most = 0

    async def __call__(self, step: Step) -> None:
        self.begun[step.id] = trio.current_time()
        self.most = max(self.most, len(self.begun) - len(self.ended))
        if step.id in self.failing.split():
            await trio.sleep(self.seconds / 2)
            self.ended[step.id] = trio.current_time()
            raise RuntimeError(f"{step.id} broke")
        await trio.sleep(self.seconds)
        self.ended[step.id] = trio.current_time()


async def test_a_step_waits_for_those_it_needs(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder()
    outcome = await run_steps(graph("a b:a c:a d:b,c e"), recorder)
    assert outcome.done == set("abcde")
    assert recorder.begun["b"] >= recorder.ended["a"]
    assert recorder.begun["d"] >= max(recorder.ended["b"], recorder.ended["c"])
    assert recorder.begun["e"] == recorder.begun["a"]
    assert trio.current_time() == pytest.approx(3)


async def test_no_more_at_once_than_allowed(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder()
    await run_steps(graph("a b c d e"), recorder, limit=2)
    assert recorder.most == 2
    assert trio.current_time() == pytest.approx(3)


async def test_after_a_failure_nothing_new_starts(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder(failing="a")
    outcome = await run_steps(graph("a b c:a d:c e:b"), recorder)
    assert str(outcome.first_error) == "a broke"
    assert outcome.done == {"b"}
    assert outcome.skipped == {"c": "a failed", "d": "a failed", "e": "not started"}


async def test_keep_going_does_what_does_not_depend(
    autojump_clock: trio.testing.MockClock,
) -> None:
    outcome = await run_steps(graph("a b c:a e:b"), Recorder(failing="a"), keep_going=True)
    assert outcome.done == {"b", "e"}
    assert outcome.skipped == {"c": "a failed"}


async def test_a_step_may_skip_itself_and_its_dependents() -> None:
    async def execute(step: Step) -> None:
        await trio.lowlevel.checkpoint()
        if step.id == "a":
            raise StepSkippedError("not wanted")

    outcome = await run_steps(graph("a b:a c"), execute)
    assert outcome.skipped == {"a": "not wanted", "b": "not wanted"}
    assert outcome.done == {"c"}
    assert outcome.first_error is None


def cancel_after(seconds: float) -> trio.CancelScope:
    return trio.CancelScope(deadline=trio.current_time() + seconds)


async def test_cancelling_lets_patient_steps_end(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder()
    with cancel_after(0.5):
        await run_steps(graph("a b:a"), recorder, grace=5)
    assert set(recorder.ended) == {"a"}
    assert set(recorder.begun) == {"a"}


async def test_cancelling_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder(seconds=100)
    with cancel_after(0.5):
        await run_steps(graph("a"), recorder, grace=5)
    assert recorder.ended == {}
    assert trio.current_time() == pytest.approx(5.5)


async def test_impatient_steps_end_at_once(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder(seconds=100)
    impatient: Callable[[Step], bool] = lambda step: step.id != "a"  # noqa: E731
    with cancel_after(0.5):
        await run_steps(graph("a"), recorder, is_patient=impatient)
    assert trio.current_time() == pytest.approx(0.5)


async def test_nothing_to_run() -> None:
    assert (await run_steps([], Recorder())).done == set()


async def test_a_thousand_steps_cost_little() -> None:
    async def execute(_step: Step) -> None:
        await trio.lowlevel.checkpoint()

    steps = [Step(str(n), frozenset({str(n - 1)} if n % 10 else ())) for n in range(1000)]
    assert len((await run_steps(steps, execute)).done) == 1000


@pytest.mark.parametrize(
    ("text", "words"),
    [("a a", "same id"), ("a:z", "no step: z"), ("a:b b:a", "circle of steps: a, b")],
)
def test_graphs_that_cannot_run(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_graph(graph(text))
