"""Rolling updates: batches, delays, and who goes first."""

from __future__ import annotations

from typing import Any

from compose.model.deploy import Deploy
from compose.model.port import Port
from compose.model.service import Service
from compose.planner.explain import explain
from compose.planner.rolling import rollout_of, seconds
from tests.unit.compose.planner.builders import after, planned, project, service


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
