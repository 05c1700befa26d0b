"""Which images are pulled and which are built."""

from __future__ import annotations

import pytest

from compose.errors import ProjectError
from compose.model.build import Build
from compose.model.mount import Mount
from compose.model.observed import ObservedImage
from compose.planner.explain import explain
from compose.planner.images import ImagePolicy, plan_images, refresh_age, tagged_time
from tests.unit.compose.planner.builders import project, service

HERE = {"busybox": ObservedImage("sha256:1", tagged="2026-01-01T00:00:00Z")}
NOW = tagged_time("2026-01-03T00:00:00Z")


def text(*services: object, images: object = None, **policy: object) -> list[str]:
    images = HERE if images is None else images
    plan = plan_images(project(*services), images, ImagePolicy(**policy), NOW)  # type: ignore[arg-type]
    return explain(plan).splitlines()


def test_what_is_here_is_left_alone() -> None:
    assert text(service("a")) == ["nothing to do"]


def test_what_is_missing_is_pulled_once() -> None:
    assert text(service("a"), service("b"), images={}) == ["1. pull busybox (missing)"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("always", ["1. pull busybox (pull policy always)"]),
        ("missing", ["nothing to do"]),
        ("never", ["nothing to do"]),
        ("daily", ["1. pull busybox (pull policy daily)"]),
        ("weekly", ["nothing to do"]),
        ("every_36h", ["1. pull busybox (pull policy every_36h)"]),
        ("every_3d", ["nothing to do"]),
    ],
)
def test_pull_policies(how: str, words: list[str]) -> None:
    assert text(service("a", pull_policy=how)) == words


def test_a_flag_goes_before_the_service() -> None:
    assert text(service("a", pull_policy="always"), pull="never") == ["nothing to do"]
    assert text(service("a", pull_policy="never"), pull="always") != ["nothing to do"]


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ProjectError, match=r"services\.a\.pull_policy"):
        text(service("a", pull_policy="sometimes"))


def test_builds() -> None:
    own = service("a", image="", build=Build("."))
    assert text(own) == ["1. build a (missing)"]
    assert text(own, images={"x-a": ObservedImage("1")}) == ["nothing to do"]
    assert text(own, images={"x-a": ObservedImage("1")}, build=True) == ["1. build a (--build)"]
    assert text(own, build=False) == ["nothing to do"]


def test_what_can_be_pulled_and_built_is_pulled_first() -> None:
    both = service("a", image="r/a", build=Build("."))
    plan = plan_images(project(both), {}, ImagePolicy(), NOW)
    assert explain(plan) == "1. pull r/a (missing)"
    assert plan.steps[0].optional  # type: ignore[union-attr]
    assert text(both, pull="never") == ["1. build a (missing)"]


def test_image_mounts_are_pulled() -> None:
    one = service("a", volumes=(Mount("image", "/m", "data:1"),))
    assert text(one) == ["1. pull data:1 (missing)"]


@pytest.mark.parametrize("build", [None, True])
def test_image_mounts_that_a_service_builds_are_not_pulled(build: bool | None) -> None:
    mounts = (Mount("image", "/m", "data:1"), Mount("image", "/n", "x-z"))
    both = (
        service("a", volumes=mounts),
        service("b", image="data:1", build=Build(".")),
        service("z", image="", build=Build(".")),
    )
    local = {"busybox": ObservedImage("1")}
    plan = plan_images(project(*both), local, ImagePolicy(build=build), NOW)
    steps = [f"{type(step).__name__} {step.image}" for step in plan.steps]  # type: ignore[union-attr]
    first = ["BuildImage data:1"] if build else ["PullImage data:1"]
    assert steps == [*first, "BuildImage x-z"]
    never = plan_images(project(*both), local, ImagePolicy(build=False), NOW)
    assert [step.id for step in never.steps] == ["pull data:1", "pull x-z"]


def test_neither_image_nor_build() -> None:
    with pytest.raises(ProjectError, match='invalid service "a"'):
        text(service("a", image=""))


def test_ages() -> None:
    assert refresh_age(service("a"), "every_1d12h") == 36 * 3600
    assert tagged_time("nonsense") == 0
    assert tagged_time("2026-01-01T01:00:00.123456789+01:00") == tagged_time("2026-01-01T00:00:00Z")
