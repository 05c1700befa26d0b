"""Rolling updates: batches, delays, and who goes first."""

from __future__ import annotations

from typing import Any

import pytest

from compose.model.deploy import Deploy
from compose.model.port import Port
from compose.model.service import Service
from compose.planner.explain import explain
from compose.planner.rolling import plan_rollback, rollout_of, seconds
from compose.planner.steps import Plan, RemoveContainer, StartContainer, WatchUpdate
from tests.unit.compose.planner.builders import after, planned, project, service
from tests.unit.compose.planner.simulate import SimulatedEngine


def web(version: str, update: dict[str, Any], **more: Any) -> Service:
    deploy = Deploy(replicas=more.pop("replicas", 2), document={"update_config": update})
    return service("web", document={"V": version}, deploy=deploy, **more)


def text(update: dict[str, Any], **more: Any) -> list[str]:
    before = after(project(web("1", update, **more)))
    wanted = project(web("2", update, **more))
    later = after(wanted, before)
    assert planned(wanted, later).steps == ()
    return explain(planned(wanted, before)).splitlines()


def test_one_after_the_other_with_a_delay() -> None:
    assert text({"parallelism": 1, "delay": "2s"}) == [
        "1. create x-web-1 (configuration changed)",
        "2. stop x-web-1 after 1",
        "3. remove x-web-1 after 2",
        "4. rename x-web-1 after 3",
        "5. start x-web-1 (configuration changed) after 4",
        "6. wait for batch 1 of web after 5",
        "7. delay after batch 1 of web after 6",
        "8. create x-web-2 (configuration changed) after 7",
        "9. stop x-web-2 after 8",
        "10. remove x-web-2 after 9",
        "11. rename x-web-2 after 10",
        "12. start x-web-2 (configuration changed) after 11",
    ]


def test_the_new_one_first() -> None:
    assert text({"order": "start-first", "parallelism": 0}, replicas=1) == [
        "1. create x-web-1 (configuration changed)",
        "2. start x-web-1 (configuration changed) after 1",
        "3. wait for x-web-1 to be up after 2",
        "4. stop x-web-1 after 1, 3",
        "5. remove x-web-1 after 4",
        "6. rename x-web-1 after 5",
    ]


def test_a_fixed_port_cannot_be_had_twice() -> None:
    update = {"order": "start-first"}
    fixed = web("1", update, ports=(Port(80, "8080"),))
    assert not rollout_of(fixed).start_first
    assert "port 8080" in rollout_of(fixed).warning
    assert rollout_of(web("1", update, ports=(Port(80),))).start_first


def test_without_it_all_go_at_once() -> None:
    assert rollout_of(service("web")).parallelism == 0
    assert rollout_of(web("1", {"delay": "1s"})).parallelism == 1


def test_durations() -> None:
    assert seconds("1m30s") == 90
    assert seconds("500ms") == 0.5
    assert seconds(2_000_000_000) == 2


def test_what_is_replaced_is_kept_until_the_update_is_known_to_be_good() -> None:
    old = after(project(web("1", {})))
    ids = [one.id[:12] for one in old.containers]
    update = {"failure_action": "rollback", "parallelism": 1, "monitor": "3s"}
    assert text(update)[:7] == [
        "1. create x-web-1 (configuration changed)",
        "2. stop x-web-1 after 1",
        "3. put x-web-1 aside after 2",
        "4. rename x-web-1 after 3",
        "5. start x-web-1 (configuration changed) after 4",
        "6. wait for batch 1 of web after 5",
        "7. create x-web-2 (configuration changed) after 6",
    ]
    assert text(update)[11:] == [
        "12. wait for batch 2 of web after 11",
        "13. remove x-web-1 after 12",
        "14. remove x-web-2 after 12",
    ]
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("update", "tolerated", "seconds"),
    [
        ({"monitor": "2s"}, 0, 2.0),
        ({"max_failure_ratio": 0.5}, 1, 0.0),
        ({"failure_action": "continue"}, None, 0.0),
        ({"failure_action": "rollback", "max_failure_ratio": 0.3, "monitor": "1m"}, 0, 60.0),
    ],
)
def test_how_many_may_fail(update: dict[str, Any], tolerated: int | None, seconds: float) -> None:
    before = after(project(web("1", update)))
    plan = planned(project(web("2", update)), before)
    watches = [step for step in plan.steps if isinstance(step, WatchUpdate)]
    assert [(one.tolerated, one.seconds) for one in watches] == [(tolerated, seconds)] * 2
    assert all(step.watched for step in plan.steps if isinstance(step, StartContainer))


@pytest.mark.parametrize("order", ["stop-first", "start-first"])
@pytest.mark.parametrize("done", range(1, 16))
def test_an_update_is_taken_back_wherever_it_was(order: str, done: int) -> None:
    update = {"failure_action": "rollback", "parallelism": 1, "order": order}
    first, second = project(web("1", update)), project(web("2", update))
    before = after(first)
    plan = planned(second, before)
    removes = [at for at, step in enumerate(plan.steps) if isinstance(step, RemoveContainer)]
    half = SimulatedEngine(second, before, {}).run(Plan(plan.steps[: min(done, *removes)]))
    back = SimulatedEngine(first, half, {}).run(plan_rollback("web", half))
    assert {one.id: one.name for one in back.containers} == {
        one.id: one.name for one in before.containers
    }
    assert all(one.is_running for one in back.containers)
    assert planned(first, back).steps == ()


@pytest.mark.parametrize("done", range(1, 14))
def test_an_update_that_was_cut_off_is_brought_to_its_end_or_back(done: int) -> None:
    update = {"failure_action": "rollback", "parallelism": 1}
    first, second = project(web("1", update)), project(web("2", update))
    plan = planned(second, after(first))
    half = SimulatedEngine(second, after(first), {}).run(Plan(plan.steps[:done]))
    for wanted in (first, second):
        ended = after(wanted, half)
        assert planned(wanted, ended).steps == ()
        assert sorted(one.name for one in ended.containers) == ["x-web-1", "x-web-2"]


def test_without_starts_there_is_nothing_to_roll_and_that_is_said() -> None:
    before = after(project(web("1", {"parallelism": 1})))
    plan = planned(project(web("2", {"parallelism": 1})), before, start=False)
    assert not [step for step in plan.steps if step.id.startswith("wait for")]
    assert ["update_config is for `up -d`" in one for one in plan.warnings] == [True]
    assert planned(project(web("1", {"parallelism": 1})), before, start=False).warnings == ()
