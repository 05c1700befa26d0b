"""What holds for every plan: it can be carried out, and after it there is nothing left to do."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from compose.model.dependency import Dependency
from compose.model.deploy import Deploy
from compose.model.files import FileGrant, FileSource
from compose.model.hook import Hook
from compose.model.mount import Mount
from compose.model.network import Network, ServiceNetwork
from compose.model.observed import Observed
from compose.model.project import Project
from compose.model.service import Service
from compose.model.volume import Volume
from compose.scheduler.run import check_graph
from tests.unit.compose.planner.builders import after, planned, project, service

NAMES = ("a", "b", "c", "d")
IMAGES = st.fixed_dictionaries({name: st.sampled_from(["i1", "i2"]) for name in NAMES})


@st.composite
def services(draw: st.DrawFn, name: str, others: tuple[str, ...]) -> Service:
    """A service that depends only on those before it, so there is no circle."""
    attributes: dict[str, Any] = {
        "environment": {"A": draw(st.sampled_from(["1", "2"]))},
        "scale": draw(st.integers(0, 3)),
    }
    condition = st.sampled_from(["service_started", "service_healthy"])
    needs = draw(st.sets(st.sampled_from(others))) if others else set()
    attributes["depends_on"] = {
        one: Dependency(draw(condition), restart=draw(st.booleans()))
        for one in sorted(needs)  # type: ignore[arg-type]
    }
    if needs and draw(st.booleans()):
        attributes["network_mode"] = f"service:{sorted(needs)[0]}"
    else:
        keys = draw(st.sets(st.sampled_from(["default", "back"]), min_size=1))
        attributes["networks"] = {key: ServiceNetwork() for key in sorted(keys)}
    if draw(st.booleans()):
        attributes["volumes"] = (Mount("volume", "/v", draw(st.sampled_from(["", "v", "w"]))),)
    if draw(st.booleans()):
        attributes["configs"] = (FileGrant("inline"),)
    if draw(st.booleans()):
        attributes["pre_stop"] = (Hook(("true",)),)
        attributes["post_start"] = (Hook(("true",)),)
    if draw(st.booleans()):
        update = {"parallelism": draw(st.integers(0, 2)), "delay": "1s"}
        update["order"] = draw(st.sampled_from(["start-first", "stop-first"]))
        attributes["deploy"] = Deploy(document={"update_config": update})
    if attributes["scale"] == 1 and draw(st.booleans()):
        attributes["container_name"] = f"own-{name}"
    return service(name, **attributes)


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """Up to four services, with networks and volumes of one of two shapes."""
    chosen = sorted(draw(st.sets(st.sampled_from(NAMES), min_size=1)))
    found: list[Service] = []
    for at, name in enumerate(chosen):
        # Who shares a namespace needs its owner to have a container.
        owners = tuple(one.name for one in found[:at] if one.scale)
        found.append(draw(services(name, owners)))
    shape = draw(st.sampled_from(["1", "2"]))
    content = draw(st.sampled_from(["x", "y"]))
    return project(
        *found,
        networks={
            key: Network(key, f"x_{key}", document={"name": f"x_{key}", "shape": shape})
            for key in ("default", "back")
        },
        volumes={
            key: Volume(key, f"x_{key}", document={"name": f"x_{key}", "shape": shape})
            for key in ("v", "w")
        },
        configs={"inline": FileSource("inline", "x_inline", content=content)},
    )


@settings(max_examples=150)
@given(projects(), projects(), IMAGES, IMAGES, st.booleans(), st.booleans())
def test_after_a_plan_there_is_nothing_to_do(
    first: Project,
    second: Project,
    images: dict[str, str],
    newer: dict[str, str],
    replace_volumes: bool,
    orphans: bool,
) -> None:
    observed = after(first, images=images)
    assert planned(first, observed, images).steps == ()
    policy = {"replace_volumes": replace_volumes, "remove_orphans": orphans}
    plan = planned(second, observed, newer, **policy)
    check_graph(plan.steps)
    later = after(second, observed, newer, **policy)
    assert planned(second, later, newer, **policy).steps == ()


@settings(max_examples=50)
@given(projects(), IMAGES)
def test_creating_and_starting_apart_is_the_same_as_at_once(
    wanted: Project, images: dict[str, str]
) -> None:
    created = after(wanted, images=images, start=False)
    assert not [one for one in created.containers if one.is_running]
    started = after(wanted, created, images)
    assert planned(wanted, started, images).steps == ()
    at_once = after(wanted, images=images)
    names = {(one.name, one.state) for one in started.containers}
    assert names == {(one.name, one.state) for one in at_once.containers}


def test_nothing_wanted_of_nothing() -> None:
    assert planned(project(service("a", scale=0)), Observed()).steps[0].id == "create network x_default"  # fmt: skip
