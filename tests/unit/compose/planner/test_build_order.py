"""Builds whose contexts are other services' images come after them."""

from __future__ import annotations

from compose.model.build import Build
from compose.model.project import Project
from compose.model.service import Service
from compose.planner.images import ImagePolicy, plan_images


def test_service_contexts_are_built_first() -> None:
    services = {
        "a": Service(name="a", build=Build(context="/a", additional_contexts={"x": "service:b"})),
        "b": Service(
            name="b", build=Build(context="/b", additional_contexts={"x": "docker-image://c"})
        ),
    }
    plan = plan_images(
        Project(name="p", working_dir="/", files=(), services=services),
        {},
        ImagePolicy(build=True),
        0,
    )
    needs = {step.id: step.needs for step in plan.steps}
    assert needs == {"build a": frozenset({"build b"}), "build b": frozenset()}
