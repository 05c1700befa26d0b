"""Plans of stop, start, restart, kill, pause and rm."""

from __future__ import annotations

from compose.model.dependency import Dependency
from compose.model.hook import Hook
from compose.model.observed import Observed
from compose.model.record import changed
from compose.planner.explain import explain
from compose.planner.lifecycle import (
    plan_kill,
    plan_pause,
    plan_remove,
    plan_restart,
    plan_start,
    plan_stop,
)
from compose.planner.steps import Plan
from tests.unit.compose.planner.builders import after, project, service

CHAIN = project(service("a", depends_on=["b"]), service("b", depends_on=["c"]), service("c"))


def text(plan: Plan) -> list[str]:
    return explain(plan).splitlines()


def without(observed: Observed, name: str) -> Observed:
    return changed(
        observed,
        containers=tuple(
            changed(one, state="exited") if one.service == name else one
            for one in observed.containers
        ),
    )


def test_stop_goes_against_the_arrows() -> None:
    assert text(plan_stop(CHAIN, after(CHAIN), (), 3)) == [
        "1. stop x-a-1",
        "2. stop x-b-1 after 1",
        "3. stop x-c-1 after 2",
    ]


def test_a_stopped_service_between_keeps_the_order() -> None:
    assert text(plan_stop(CHAIN, without(after(CHAIN), "b"), (), None)) == [
        "1. stop x-a-1",
        "2. stop x-c-1 after 1",
    ]


def test_stop_of_some_and_hooks() -> None:
    wanted = project(service("a", pre_stop=(Hook(("x",)),)), service("b"))
    assert text(plan_stop(wanted, after(wanted), ("a",), None)) == [
        "1. pre_stop 0 x-a-1",
        "2. stop x-a-1 after 1",
    ]


def test_start_goes_with_the_arrows_and_waits_on_conditions() -> None:
    wanted = project(service("a", depends_on={"b": Dependency("service_healthy")}), service("b"))
    assert text(plan_start(wanted, after(wanted, start=False), ())) == [
        "1. start x-b-1",
        "2. wait for b, healthy after 1",
        "3. start x-a-1 after 1, 2",
    ]
    assert text(plan_start(None, after(CHAIN, start=False), ())) == [
        "1. start x-c-1",
        "2. start x-b-1 after 1",
        "3. start x-a-1 after 1, 2",
    ]


def test_what_runs_is_not_started() -> None:
    assert plan_start(CHAIN, after(CHAIN), ()).steps == ()


def test_restart_kill_pause_remove() -> None:
    observed = after(CHAIN)
    assert text(plan_restart(CHAIN, observed, (), 1))[0] == "1. restart x-c-1"
    assert text(plan_kill(observed, ("a",))) == ["1. kill x-a-1"]
    assert plan_kill(after(CHAIN, start=False), ()).steps == ()
    assert len(plan_pause(observed, (), thaw=False).steps) == 3
    assert plan_pause(observed, (), thaw=True).steps == ()
    assert text(plan_remove(observed.containers[:1], volumes=True)) == ["1. remove x-c-1"]
