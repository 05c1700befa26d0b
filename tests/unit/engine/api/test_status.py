"""A build's events as BuildKit's StatusResponse."""

from __future__ import annotations

import trio
import trio.testing

from engine.api.buildkit.protobuf import Message
from engine.api.buildkit.status import OUTPUT_LIMIT, StatusLog
from engine.build.events import Began, Ended, Said, Step, Warned


async def told(*events) -> list[Message]:
    log = StatusLog("ref", lambda: 5 * 10**9)
    for event in events:
        await log.tell(event)
    log.end()
    return [Message(raw) async for raw in log.follow()]


async def test_vertexes_begin_and_end() -> None:
    began, ended = await told(
        Began(Step(2, "RUN x", "[2/2] RUN x", 3), 10**9), Ended(2, 2 * 10**9, cached=True)
    )
    first, last = began.message(1), ended.message(1)
    assert first.text(3) == "[2/2] RUN x"
    assert first.text(1) == last.text(1)
    assert not first.has(6)
    assert last.message(6).number(1) == 2
    assert last.number(4) == 1


async def test_output_and_errors() -> None:
    _, said, ended = await told(
        Began(Step(1, "RUN", "[1/1] RUN", 1), 0),
        Said(1, 2, "words\n"),
        Ended(1, 1, error="it failed"),
    )
    assert said.message(3).data(4) == b"words\n"
    assert said.message(3).number(3) == 2
    assert ended.message(1).text(7) == "it failed"


async def test_steps_without_a_title_are_not_told() -> None:
    warned = Warned("nothing to hang it on", 3, "Rule")
    assert await told(Began(Step(1, "ENV A=1"), 0), Ended(1, 1), warned) == []


async def test_a_warning_of_no_rule_is_a_step_of_its_own() -> None:
    first, second = await told(Warned("one"), Warned("two"))
    assert first.message(1).text(3) == "[internal] warning"
    assert first.message(3).text(4) == "WARNING: one\n"
    assert first.message(1).has(6)  # it has ended
    assert first.message(1).text(1) == first.message(3).text(1) != second.message(1).text(1)


async def test_output_is_bounded() -> None:
    found = await told(
        Began(Step(1, "RUN", "[1/1] RUN", 1), 0), *[Said(1, 1, "x" * (1 << 20)) for _ in range(9)]
    )
    size = sum(len(message.message(3).data(4)) for message in found)
    assert OUTPUT_LIMIT <= size < OUTPUT_LIMIT + 100
    assert b"clipped" in found[-1].message(3).data(4)


async def test_whoever_follows_late_sees_it_all() -> None:
    log = StatusLog("ref")
    await log.tell(Began(Step(1, "RUN", "[1/1] RUN", 1), 0))
    seen: list[bytes] = []

    async def follow() -> None:
        seen.extend([raw async for raw in log.follow()])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await trio.testing.wait_all_tasks_blocked()
        await log.tell(Ended(1, 1))
        log.end()
    assert len(seen) == 2
