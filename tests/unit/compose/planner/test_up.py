"""The plan of `up`, told as text."""

from __future__ import annotations

import pytest

from compose.engine_client.payloads.container import container_name_of, image_of
from compose.engine_client.payloads.networking import link_list
from compose.errors import ProjectError
from compose.model import labels
from compose.model.dependency import Dependency
from compose.model.files import FileGrant, FileSource
from compose.model.hook import Hook
from compose.model.mount import Mount
from compose.model.network import Network, ServiceNetwork
from compose.model.observed import Observed, ObservedNetwork, ObservedVolume
from compose.model.project import Project
from compose.model.record import changed
from compose.model.volume import Volume
from compose.planner.explain import explain
from compose.planner.steps import CreateContainer, Plan, RemoveContainer
from tests.unit.compose.planner.builders import after, named, planned, project, service


def text(plan: Plan) -> list[str]:
    return explain(plan).splitlines()


def restated(observed: Observed, of: str, /, **values: object) -> Observed:
    """A snapshot in which one container is otherwise."""
    containers = tuple(
        changed(one, **values) if one.name == of else one for one in observed.containers
    )
    return changed(observed, containers=containers)


def test_from_nothing_everything_is_made_in_order() -> None:
    wanted = project(service("web", depends_on=["db"]), service("db"))
    assert text(planned(wanted)) == [
        "1. create network x_default (missing)",
        "2. create x-db-1 (missing) after 1",
        "3. create x-web-1 (missing) after 1",
        "4. start x-db-1 (missing) after 2",
        "5. start x-web-1 (missing) after 3, 4",
    ]


def test_compatibility_joins_names_with_underscores() -> None:
    old = changed(project(service("web", links=("db",)), service("db", image="")), separator="_")
    new = changed(old, separator="-")
    assert text(planned(changed(old, services={"web": old.services["web"]})))[1:] == [
        "2. create x_web_1 (missing) after 1",
        "3. start x_web_1 (missing) after 2",
    ]
    assert image_of(old, old.services["db"]) == "x_db"
    assert link_list(old, old.services["web"], {"db": [("x_db_1", "id")]}, 1) == [
        "x_db_1:db", "x_db_1:db_1", "x_db_1:x_db_1",
    ]  # fmt: skip
    assert container_name_of(old, old.services["web"], 2) == "web_2"
    # What is already there keeps its name, as in docker compose.
    assert text(planned(new, after(old))) == ["nothing to do"]


def test_a_second_time_there_is_nothing_to_do() -> None:
    wanted = project(service("web", depends_on=["db"]), service("db"))
    plan = planned(wanted, after(wanted))
    assert text(plan) == ["nothing to do"]
    assert plan.unchanged == ("x-db-1", "x-web-1")


def test_a_changed_service_is_replaced_under_a_temporary_name() -> None:
    before = after(project(service("web", environment={"A": "1"})))
    old = named(before, "x-web-1").id[:12]
    plan = planned(project(service("web", environment={"A": "2"})), before)
    assert text(plan) == [
        "1. create x-web-1 (configuration changed)",
        "2. stop x-web-1 after 1",
        "3. remove x-web-1 after 2",
        "4. rename x-web-1 after 3",
        "5. start x-web-1 (configuration changed) after 4",
    ]
    create = plan.steps[0]
    assert isinstance(create, CreateContainer)
    assert create.temporary == f"{old}_x-web-1"


def test_a_reason_that_inspecting_has_shown_is_told() -> None:
    from compose.planner.policy import UpPolicy
    from compose.planner.up import plan_up

    before = after(project(service("web", environment={"LOG_LEVEL": "1"})))
    wanted = project(service("web", environment={"LOG_LEVEL": "2"}))
    reasons = {named(before, "x-web-1").id: "env changed: LOG_LEVEL"}
    plan = plan_up(wanted, before, UpPolicy(), reasons=reasons)
    assert plan.steps[0].cause == "env changed: LOG_LEVEL"


def test_a_new_image_replaces_the_container() -> None:
    wanted = project(service("web"))
    before = after(wanted, images={"web": "sha256:1"})
    assert planned(wanted, before, {"web": "sha256:1"}).steps == ()
    assert planned(wanted, before, {"web": "sha256:2"}).steps[0].cause == "image changed"


def test_force_and_never() -> None:
    before = after(project(service("web", environment={"A": "1"}), service("db")))
    other = project(service("web", environment={"A": "2"}), service("db"))
    assert planned(other, before, recreate="never", recreate_dependencies="never").steps == ()
    forced = planned(other, before, recreate="force", services=("db",))
    causes = {step.cause for step in forced.steps if isinstance(step, CreateContainer)}
    assert causes == {"--force-recreate", "configuration changed"}


def test_a_stopped_container_is_started() -> None:
    wanted = project(service("web"))
    before = restated(after(wanted), "x-web-1", state="exited", exit_code=1)
    assert text(planned(wanted, before)) == ["1. start x-web-1 (was exited)"]
    assert planned(wanted, before, start=False).steps == ()


def test_scaling_up_counts_on_and_scaling_down_takes_the_highest() -> None:
    one, three = project(service("web")), project(service("web", scale=3))
    before = after(one)
    assert text(planned(three, before)) == [
        "1. create x-web-2 (scaled up)",
        "2. create x-web-3 (scaled up)",
        "3. start x-web-2 (scaled up) after 1",
        "4. start x-web-3 (scaled up) after 2",
    ]
    down = planned(one, after(three))
    assert [step.name for step in down.steps if isinstance(step, RemoveContainer)] == [
        "x-web-2",
        "x-web-3",
    ]


def test_gaps_in_the_numbers_are_filled_first() -> None:
    three = after(project(service("web", scale=3)))
    kept = tuple(one for one in three.containers if one.name != "x-web-2")
    plan = planned(project(service("web", scale=4)), changed(three, containers=kept))
    assert [step.id for step in plan.steps if isinstance(step, CreateContainer)] == [
        "create x-web-2",
        "create x-web-4",
    ]


def test_a_one_shot_service_that_ended_well_is_done() -> None:
    once = {"job": Dependency("service_completed_successfully")}
    wanted = project(
        service("web", depends_on=once), service("job", depends_on=["db"]), service("db")
    )
    done = restated(after(wanted), "x-job-1", state="exited", exit_code=0)
    assert text(planned(wanted, done)) == ["nothing to do"]
    failed = restated(done, "x-job-1", exit_code=1)
    assert text(planned(wanted, failed)) == ["1. start x-job-1 (was exited)"]
    assert text(planned(wanted, done, services=("job",))) == ["1. start x-job-1 (was exited)"]
    # What it has worked on is new: it has to do it again.
    changed_db = service("db", environment={"A": "2"})
    newer = project(wanted.services["web"], wanted.services["job"], changed_db)
    assert "start x-job-1 (was exited)" in "\n".join(text(planned(newer, done)))


def test_scaling_down_takes_outdated_containers_first() -> None:
    before = after(project(service("web", scale=2)))
    before = restated(before, "x-web-1", labels={**named(before, "x-web-1").labels, labels.CONFIG_HASH: "old"})  # fmt: skip
    plan = planned(project(service("web")), before)
    assert [step.name for step in plan.steps if isinstance(step, RemoveContainer)] == ["x-web-1"]


def test_one_name_for_several_containers_is_refused() -> None:
    with pytest.raises(ProjectError, match="custom container name"):
        planned(project(service("web", scale=2, container_name="one")))


def test_conditions_are_waited_for() -> None:
    needs = {
        "db": Dependency("service_healthy"),
        "init": Dependency("service_completed_successfully", required=False),
    }
    plan = planned(project(service("web", depends_on=needs), service("db"), service("init")))
    assert text(plan)[-3:] == [
        "7. wait for db to be healthy after 5",
        "8. wait for init to complete after 6",
        "9. start x-web-1 (missing) after 4, 5, 6, 7, 8",
    ]


def test_wait_waits_for_all_that_is_not_well_already() -> None:
    wanted = project(service("web"), service("db"))
    before = restated(after(wanted), "x-db-1", health="starting")
    assert text(planned(wanted, before, wait=True)) == ["1. wait for db (--wait)"]


def test_wait_waits_for_the_end_of_what_is_to_end() -> None:
    needs = {"init": Dependency("service_completed_successfully")}
    wanted = project(service("web", depends_on=needs), service("init"))
    plan = planned(wanted, wait=True)
    assert {step.id: step.condition for step in plan.steps if step.id.startswith("wait")} == {  # type: ignore[union-attr]
        "wait for init to complete": "completed",
        "wait for init": "completed",
        "wait for web": "running_or_healthy",
    }


def test_who_shares_a_namespace_is_replaced_with_its_owner() -> None:
    def wanted(value: str) -> object:
        return project(
            service("a", environment={"A": value}),
            service("b", network_mode="service:a", depends_on=["a"]),
        )

    before = after(wanted("1"))  # type: ignore[arg-type]
    assert planned(wanted("1"), before).steps == ()  # type: ignore[arg-type]
    plan = planned(wanted("2"), before)  # type: ignore[arg-type]
    causes = {step.id: step.cause for step in plan.steps if isinstance(step, CreateContainer)}
    assert causes == {
        "create x-a-1": "configuration changed",
        "create x-b-1": "container of a, which it shares, is replaced",
    }


def test_restart_true_stops_and_starts_the_dependent() -> None:
    def wanted(value: str) -> object:
        return project(
            service("db", environment={"A": value}),
            service("web", depends_on={"db": Dependency(restart=True)}),
        )

    plan = planned(wanted("2"), after(wanted("1")))  # type: ignore[arg-type]
    assert text(plan) == [
        "1. create x-db-1 (configuration changed)",
        "2. stop x-web-1 (db is replaced)",
        "3. stop x-db-1 after 1, 2",
        "4. remove x-db-1 after 3",
        "5. rename x-db-1 after 4",
        "6. start x-db-1 (configuration changed) after 5",
        "7. start x-web-1 (stopped by this plan) after 2, 6",
    ]


def test_orphans_are_told_or_removed() -> None:
    before = after(project(service("old"), service("web")))
    wanted = project(service("web"))
    plan = planned(wanted, before)
    assert plan.steps == ()
    assert "Found orphan containers ([x-old-1])" in plan.warnings[0]
    assert planned(wanted, before, ignore_orphans=True).warnings == ()
    assert text(planned(wanted, before, remove_orphans=True)) == [
        "1. stop x-old-1 (orphan)",
        "2. remove x-old-1 (orphan) after 1",
    ]


def test_a_name_is_taken_over_after_its_holder_is_gone() -> None:
    before = after(project(service("old", container_name="one")))
    wanted = project(service("new", container_name="one"))
    plan = planned(wanted, before, remove_orphans=True)
    create = next(step for step in plan.steps if isinstance(step, CreateContainer))
    assert create.needs == {"remove one"}


def test_an_interrupted_replacement_is_brought_to_its_end() -> None:
    wanted = project(service("web"))
    before = restated(after(wanted), "x-web-1", name="0123456789ab_x-web-1", state="created")
    assert text(planned(wanted, before)) == [
        "1. rename x-web-1 (a replacement was interrupted)",
        "2. start x-web-1 (was created) after 1",
    ]


def test_a_network_of_other_attributes_is_replaced_with_its_containers() -> None:
    before = after(project(service("web")))
    network = Network("default", "x_default", document={"name": "x_default", "internal": True})
    plan = planned(project(service("web"), networks={"default": network}), before)
    assert text(plan) == [
        "1. stop x-web-1 (network x_default changed)",
        "2. disconnect x-web-1 from x_default after 1",
        "3. remove network x_default (configuration changed) after 2",
        "4. create network x_default (configuration changed) after 3",
        "5. create x-web-1 (network x_default changed) after 4",
        "6. remove x-web-1 after 1, 5",
        "7. rename x-web-1 after 6",
        "8. start x-web-1 (network x_default changed) after 7",
    ]


def test_a_foreign_network_is_used_with_a_warning() -> None:
    own = {labels.NETWORK: "default"}
    there = Observed(networks=(ObservedNetwork("n1", "x_default", own),))
    plan = planned(project(service("web")), there)
    assert "exists but was not created by compose" in plan.warnings[0]
    assert text(plan)[0] == "1. create x-web-1 (missing)"


def test_a_network_of_another_key_is_refused() -> None:
    there = Observed(networks=(ObservedNetwork("n1", "x_default", {labels.NETWORK: "other"}),))
    with pytest.raises(ProjectError, match="incorrect label"):
        planned(project(service("web")), there)


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ((), "could not be found"),
        ((ObservedNetwork("1", "ext"), ObservedNetwork("2", "ext")), "multiple networks"),
    ],
)
def test_external_networks_must_be_there(networks: tuple[ObservedNetwork, ...], words: str) -> None:
    wanted = project(service("web"), networks={"default": Network("default", "ext", external=True)})
    with pytest.raises(ProjectError, match=words):
        planned(wanted, Observed(networks=networks))


def volume_project(*, label: str = "1", **attributes: object):
    mount = Mount("volume", "/data", "data")
    volume = Volume("data", "x_data", document={"name": "x_data", "label": label}, **attributes)  # type: ignore[arg-type]
    return project(service("web", volumes=(mount,)), volumes={"data": volume})


def test_a_volume_of_other_attributes_is_kept_unless_its_data_may_go() -> None:
    before = after(volume_project())
    assert planned(volume_project(label="2"), before).steps == ()
    assert text(planned(volume_project(label="2"), before, replace_volumes=True)) == [
        "1. stop x-web-1 (volume x_data changed)",
        "2. remove x-web-1 (volume x_data changed) after 1",
        "3. remove volume x_data (configuration changed) after 2",
        "4. create volume x_data (configuration changed) after 3",
        "5. create x-web-1 (missing) after 2, 4",
        "6. start x-web-1 (missing) after 5",
    ]


def test_external_volumes_must_be_there() -> None:
    wanted = volume_project(external=True)
    with pytest.raises(ProjectError, match='external volume "x_data" not found'):
        planned(wanted)
    networks = (
        ObservedNetwork("n", "x_default", {labels.NETWORK: "default", labels.PROJECT: "x"}),
    )
    plan = planned(wanted, Observed(networks=networks, volumes=(ObservedVolume("x_data"),)))
    assert text(plan)[0] == "1. create x-web-1 (missing)"


def test_a_container_off_its_network_or_volume_is_replaced() -> None:
    wanted = volume_project()
    before = after(wanted)
    off = restated(before, "x-web-1", networks={})
    assert planned(wanted, off).steps[0].cause == "not connected to network default"
    bare = restated(before, "x-web-1", mounts=())
    assert planned(wanted, bare).steps[0].cause == "volume x_data not mounted"


def test_inline_files_are_copied_in_and_their_change_replaces() -> None:
    def wanted(content: str) -> object:
        web = service("web", configs=(FileGrant("c"),))
        return project(web, configs={"c": FileSource("c", "x_c", content=content)})

    assert "3. give x-web-1 its configs after 2" in text(planned(wanted("1")))  # type: ignore[arg-type]
    before = after(wanted("1"))  # type: ignore[arg-type]
    cause = planned(wanted("2"), before).steps[0].cause  # type: ignore[arg-type]
    assert cause == "content of a config or secret changed"


def test_secrets_are_given_again_before_a_later_start() -> None:
    web = service("web", secrets=(FileGrant("s"),), configs=(FileGrant("c"),))
    sources = {"s": FileSource("s", "x_s", environment="S")}
    wanted = project(
        web, secrets=sources, configs={"c": FileSource("c", "x_c", content="c")}, environment={"S": "1"}
    )  # fmt: skip
    assert text(planned(wanted))[2:] == [
        "3. give x-web-1 its configs after 2",
        "4. give x-web-1 its secrets after 3",
        "5. start x-web-1 (missing) after 4",
    ]
    stopped = restated(after(wanted), "x-web-1", state="exited")
    assert text(planned(wanted, stopped)) == [
        "1. give x-web-1 its secrets",
        "2. start x-web-1 (was exited) after 1",
    ]


def test_a_changed_file_of_a_config_replaces() -> None:
    def wanted(digest: str) -> Project:
        web = service("web", configs=(FileGrant("c"),))
        return project(web, configs={"c": FileSource("c", "x_c", file="/f", digest=digest)})

    before = after(wanted("1"))
    assert planned(wanted("1"), before).steps == ()
    assert planned(wanted("2"), before).steps[0].cause == "content of a config or secret changed"
    # A file that could not be read says nothing.
    assert planned(wanted(""), before).steps == ()


def test_hooks_stand_around_start_and_stop() -> None:
    hooks = {"post_start": (Hook(("a",)),), "pre_stop": (Hook(("b",)),)}
    wanted = project(service("web", **hooks), service("cli", depends_on=["web"]))
    plan = planned(wanted)
    assert text(plan)[-3:] == [
        "4. start x-web-1 (missing) after 2",
        "5. post_start 0 x-web-1 after 4",
        "6. start x-cli-1 (missing) after 3, 5",
    ]
    forced = planned(wanted, after(wanted), recreate="force", services=("web",))
    stop = next(step for step in forced.steps if step.id == "stop x-web-1")
    assert stop.needs == {"pre_stop 0 x-web-1"}


def test_networks_no_service_uses_are_not_made() -> None:
    networks = {key: Network(key, f"x_{key}") for key in ("default", "idle")}
    plan = planned(project(service("web"), networks=networks))
    assert not [step for step in plan.steps if "idle" in step.id]


def test_two_networks_and_a_late_attachment() -> None:
    both = {"default": ServiceNetwork(), "back": ServiceNetwork()}
    before = after(project(service("web")))
    plan = planned(project(service("web", networks=both)), before)
    assert text(plan)[:2] == [
        "1. create network x_back (missing)",
        "2. create x-web-1 (not connected to network back) after 1",
    ]


def test_a_service_run_beside_the_others_gets_its_networks_and_volumes() -> None:
    web = service("web", volumes=(Mount("volume", "/v", "v"),))
    wanted = project(web)
    beside = changed(wanted, services={}, disabled={"web": web})
    plan = planned(beside, beside=("web",))
    assert [step.id for step in plan.steps] == ["create network x_default", "create volume x_v"]


def test_a_hook_before_the_start_for_each_replica_or_once() -> None:
    hooks = (Hook(("a",)), Hook(("b",), per_replica=False))
    plan = planned(project(service("web", scale=2, pre_start=hooks)))
    assert text(plan)[3:] == [
        "4. pre_start 0 x-web-1 after 2",
        "5. pre_start 1 x-web-1 after 4",
        "6. start x-web-1 (missing) after 5",
        "7. pre_start 0 x-web-2 after 3, 5",
        "8. start x-web-2 (missing) after 7",
    ]


def test_an_order_for_any_needs() -> None:
    wanted = project(
        service("d", depends_on=["a", "b", "c"], environment={"A": "2"}),
        service("c", network_mode="service:a", depends_on=["a"], scale=2),
        service("a"),
        service("b", scale=2),
    )
    before = after(project(service("b"), service("d", scale=2)))
    assert planned(wanted, after(wanted, before)).steps == ()
