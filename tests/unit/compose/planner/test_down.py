"""The plan of `down`."""

from __future__ import annotations

from compose.model import labels
from compose.model.hook import Hook
from compose.model.mount import Mount
from compose.model.network import Network
from compose.model.observed import Observed
from compose.model.record import changed
from compose.planner.down import dependency_order, plan_down
from compose.planner.explain import explain
from compose.planner.policy import DownPolicy
from tests.unit.compose.planner.builders import after, project, service

WANTED = project(
    service("web", depends_on=["db"]), service("db", volumes=(Mount("volume", "/d", "d"),))
)


def text(observed: Observed, **policy: object) -> list[str]:
    wanted = policy.pop("project", WANTED)
    images = policy.pop("images_to_remove", ())
    plan = plan_down("x", wanted, observed, DownPolicy(**policy), images)  # type: ignore[arg-type]
    return [*plan.warnings, *explain(plan).splitlines()]


def test_dependents_go_first_then_networks() -> None:
    assert text(after(WANTED)) == [
        "1. stop x-web-1",
        "2. remove x-web-1 after 1",
        "3. stop x-db-1 after 2",
        "4. remove x-db-1 after 3",
        "5. remove network x_default after 2, 4",
    ]


def test_without_a_project_the_labels_know_the_order() -> None:
    assert text(after(WANTED), project=None) == text(after(WANTED))


def test_volumes_and_images_only_when_asked_for() -> None:
    lines = text(after(WANTED), volumes=True, images_to_remove=("x-web:latest",))
    assert lines[-2:] == [
        "6. remove volume x_d after 2, 4",
        "7. remove image x-web:latest after 2, 4",
    ]


def test_stopped_containers_need_no_stop() -> None:
    assert "stop" not in " ".join(text(after(WANTED, start=False)))


def test_named_services_leave_the_rest() -> None:
    assert text(after(WANTED), services=("web",)) == [
        "1. stop x-web-1",
        "2. remove x-web-1 after 1",
    ]


def test_orphans_stay_unless_asked_for() -> None:
    observed = after(project(service("web"), service("old")))
    wanted = project(service("web"))
    assert "old" not in " ".join(text(observed, project=wanted))
    assert "4. remove x-old-1 after 3" in text(observed, project=wanted, remove_orphans=True)


def test_external_networks_stay() -> None:
    observed = after(WANTED)
    external = changed(WANTED, networks={"default": Network("default", "x_default", external=True)})
    assert "remove network x_default" not in " ".join(text(observed, project=external))


def test_networks_of_former_files_go_unless_they_are_in_use() -> None:
    both = project(service("web"), networks={key: Network(key, f"x_{key}") for key in ("default",)})
    observed = after(both)
    renamed = changed(both, networks={"default": Network("default", "x_other")})
    assert "3. remove network x_default after 2" in text(observed, project=renamed)
    orphan = changed(observed.containers[0], id="0", name="x-old-1", service="old", labels={})
    held = changed(observed, containers=(*observed.containers, orphan))
    assert "network" not in " ".join(text(held, project=renamed))


def test_nothing_there_is_a_warning() -> None:
    assert text(Observed()) == [
        'Warning: No resource found to remove for project "x".',
        "nothing to do",
    ]


def test_hooks_before_the_stop() -> None:
    wanted = project(service("web", pre_stop=(Hook(("a",)), Hook(("b",)))))
    assert text(after(wanted), project=wanted)[:3] == [
        "1. pre_stop 0 x-web-1",
        "2. pre_stop 1 x-web-1 after 1",
        "3. stop x-web-1 after 2",
    ]


def test_a_circle_in_labels_is_cut() -> None:
    assert set(dependency_order(["a", "b"], {"a": ("b",), "b": ("a",)})) == {"a", "b"}


def test_one_off_containers_stay_unless_orphans_go() -> None:
    observed = after(WANTED)
    own = {labels.PROJECT: "x", labels.ONEOFF: "True", labels.SERVICE: "web"}
    oneoff = changed(
        observed.containers[0], id="1f", name="x-web-run-1", oneoff=True, state="exited", labels=own
    )
    more = changed(observed, containers=(*observed.containers, oneoff))
    assert "run-1" not in " ".join(text(more))
    assert "run-1" in " ".join(text(more, remove_orphans=True))
