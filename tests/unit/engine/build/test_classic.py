"""The classic stream: steps in the Dockerfile's order whatever runs side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.build.classic import WAITING_LIMIT, ClassicStream
from engine.build.events import Began, Built, Ended, Planned, Said, Step, Warned


def text_of(messages) -> str:
    return "".join(m.get("stream", "") for m in messages)


def test_a_build_of_one_stage() -> None:
    stream = ClassicStream()
    events = [
        Planned(2), Began(Step(1, "FROM x"), 0), Ended(1, 1, made="sha256:" + "a" * 64),
        Began(Step(2, "RUN y"), 2), Said(2, 0, "c" * 64), Said(2, 1, "out\n"),
        Ended(2, 3, made="sha256:" + "b" * 64, container="c" * 64), Warned("careful", 2, "Rule"),
        Built("sha256:" + "d" * 64, ("x:1",)),
    ]  # fmt: skip
    messages = [message for event in events for message in stream.feed(event)]
    assert text_of(messages) == (
        "Step 1/2 : FROM x\n ---> aaaaaaaaaaaa\nStep 2/2 : RUN y\n ---> Running in cccccccccccc\nout\n"
        "Removing intermediate container cccccccccccc\n ---> bbbbbbbbbbbb\n"
        "[Warning] Rule: careful (line 2)\nSuccessfully built dddddddddddd\nSuccessfully tagged x:1\n"
    )
    assert {"aux": {"ID": "sha256:" + "d" * 64}} in messages


@given(st.permutations(range(6)))
def test_any_interleaving_gives_the_same_text(order: list[int]) -> None:
    lanes = {
        0: [Began(Step(1, "a"), 0), Said(1, 1, "one\n"), Ended(1, 0)],
        1: [Began(Step(2, "b"), 0), Said(2, 1, "two\n"), Ended(2, 0, cached=True)],
    }
    picks = [index % 2 for index in order]
    stream = ClassicStream()
    stream.feed(Planned(2))
    told = [m for lane in picks for m in stream.feed(lanes[lane].pop(0))]
    assert (
        text_of(told) == "Step 1/2 : a\none\n ---> \nStep 2/2 : b\ntwo\n ---> Using cache\n ---> \n"
    )


def test_what_waits_is_bounded_and_told_after_a_failure() -> None:
    stream = ClassicStream()
    for _ in range(3):
        assert stream.feed(Said(2, 1, "x" * WAITING_LIMIT)) == []
    rest = text_of(stream.rest())
    assert len(rest) < WAITING_LIMIT * 1.1
    assert "clipped" in rest
