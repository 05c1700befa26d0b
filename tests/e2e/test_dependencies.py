"""depends_on, --wait and hooks on the real engine: order, conditions, and how failures are told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.projects import script, sleeping, talking, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Person

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("busybox")]

HEALTHY, DONE = "service_healthy", "service_completed_successfully"
NEVER = {"test": ["CMD-SHELL", "echo no luck; exit 1"], "interval": "0.1s", "retries": 2}


@pytest.fixture
def home(person: Person, tmp_path: Path) -> Iterator[Path]:
    """A folder whose project is gone after the test."""
    yield tmp_path
    person.does("down", "-t", "0", "-v", "--remove-orphans", cwd=tmp_path)


def states(person: Person, home: Path) -> dict[str, str]:
    """Service -> state."""
    lines = person.does("ps", "-a", "--format", "{{.Service}} {{.State}}", cwd=home)
    return dict(line.split() for line in lines.splitlines())


def test_the_three_conditions_in_order(person: Person, home: Path) -> None:
    log = {"volumes": ["./log:/log"]}
    ready = {"test": ["CMD", "test", "-e", "/log/db"], "interval": "1s"}
    write(
        home,
        {
            "web": script("ls /log > /log/web; sleep 1000", init=True, **log, depends_on={"db": {"condition": HEALTHY}, "job": {"condition": DONE}, "x": {"condition": "service_started"}}),
            "db": script("sleep 0.3; touch /log/db; sleep 1000", init=True, healthcheck=ready, **log),
            "job": script("sleep 0.2; touch /log/job", **log),
            "x": sleeping(),
        },
    )  # fmt: skip
    person.does("up", "-d", cwd=home)
    person.does("exec", "-T", "web", "true", cwd=home)
    assert (home / "log/web").read_text().split()[:2] == ["db", "job"]
    assert states(person, home) == {"web": "running", "db": "running", "job": "exited", "x": "running"}  # fmt: skip


def test_an_unhealthy_dependency_is_named_with_its_last_words(person: Person, home: Path) -> None:
    db = script("echo I cannot open my files; sleep 1000", init=True, healthcheck=NEVER)
    write(home, {"web": sleeping(depends_on={"db": {"condition": HEALTHY}}), "db": db})
    done = person.pycompose("up", "-d", cwd=home)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    name = f"{home.name}-db-1"
    assert lines[-1] == f"dependency failed to start: container {name} is unhealthy"
    assert f"{name}  | I cannot open my files" in lines
    assert f"{name}  | (health probe, exit 1) no luck" in lines
    assert states(person, home) == {"web": "created", "db": "running"}


def test_a_dependency_that_dies_at_once(person: Person, home: Path) -> None:
    db = script("echo no disk; exit 9", healthcheck={"test": ["CMD", "true"]})
    write(home, {"web": sleeping(depends_on={"db": {"condition": HEALTHY}}), "db": db})
    done = person.pycompose("up", "-d", cwd=home)
    assert done.returncode == 1
    assert f"container {home.name}-db-1 exited (9)" in done.stderr.splitlines()[-1]
    assert f"{home.name}-db-1  | no disk" in done.stderr


def test_a_job_that_fails_stops_what_needs_it(person: Person, home: Path) -> None:
    write(
        home,
        {
            "web": sleeping(depends_on={"job": {"condition": DONE}}),
            "job": script("echo bad migration; exit 3"),
        },
    )
    done = person.pycompose("up", "-d", cwd=home)
    assert done.returncode == 1
    assert 'service "job" didn\'t complete successfully: exit 3' in done.stderr.splitlines()[-1]
    assert "bad migration" in done.stderr
    assert states(person, home) == {"web": "created", "job": "exited"}


def test_an_optional_dependency_may_fail(person: Person, home: Path) -> None:
    needs = {"db": {"condition": HEALTHY, "required": False}}
    write(home, {"web": sleeping(depends_on=needs), "db": sleeping(healthcheck=NEVER)})
    done = person.pycompose("up", "-d", cwd=home)
    assert done.returncode == 0, done
    assert 'optional dependency "db" failed to start' in done.stderr
    assert states(person, home)["web"] == "running"


def test_restart_true_follows_recreate_and_restart(person: Person, home: Path) -> None:
    db = talking("db")
    web = talking("web", depends_on={"db": {"condition": "service_started", "restart": True}})
    write(home, {"web": web, "db": db})
    person.does("up", "-d", cwd=home)
    db["environment"]["A"] = "1"
    write(home, {"web": web, "db": db})
    person.does("up", "-d", cwd=home)
    person.does("restart", "db", cwd=home)
    person.does("restart", "--no-deps", "db", cwd=home)
    lines = person.does("logs", "--no-log-prefix", "web", cwd=home).splitlines()
    assert lines == ["web is here", "web leaves"] * 2 + ["web is here"]


def test_wait_counts_a_job_that_ended_well(person: Person, home: Path) -> None:
    soon = {"test": ["CMD", "test", "-e", "/ready"], "interval": "30s", "start_period": "30s"}
    write(
        home,
        {
            "web": script("sleep 0.2; touch /ready; sleep 1000", init=True, healthcheck=soon, depends_on={"job": {"condition": DONE}}),
            "job": script("true"),
        },
    )  # fmt: skip
    begun = time.monotonic()
    person.does("up", "--wait", cwd=home)
    assert time.monotonic() - begun < 15
    assert "(healthy)" in person.does("ps", cwd=home)


def test_wait_has_an_end(person: Person, home: Path) -> None:
    slow = {"test": ["CMD", "false"], "interval": "1s", "retries": 100}
    write(home, {"web": sleeping(healthcheck=slow)})
    done = person.pycompose("up", "--wait", "--wait-timeout", "1", cwd=home)
    assert done.returncode == 1
    assert "application not healthy after 1s" in done.stderr.splitlines()[-1]


def test_wait_fails_with_what_ends(person: Person, home: Path) -> None:
    never = {"test": ["CMD", "false"], "interval": "30s"}
    bad = script("echo oh no; sleep 0.2; exit 2", healthcheck=never)
    write(home, {"web": bad, "ok": sleeping()})
    done = person.pycompose("up", "--wait", cwd=home)
    assert done.returncode == 1
    assert f"container {home.name}-web-1 exited (2)" in done.stderr.splitlines()[-1]
    assert "oh no" in done.stderr
    write(home, {"web": script("echo oh no; exit 2"), "ok": sleeping()})
    for _ in range(3):  # made, and started again
        done = person.pycompose("up", "--wait", cwd=home)
        assert done.returncode == 1, done
        assert done.stderr.splitlines()[-1] == f"container {home.name}-web-1 exited (2)"


def test_start_and_stop_follow_the_graph(person: Person, home: Path) -> None:
    write(home, {"a": talking("a", depends_on=["b"]), "b": talking("b", depends_on=["c"]), "c": talking("c")})  # fmt: skip
    person.does("up", "-d", cwd=home)
    person.does("stop", cwd=home)
    person.does("start", cwd=home)
    person.does("stop", cwd=home)
    lines = person.does("logs", "--no-log-prefix", "--timestamps", cwd=home).splitlines()
    leaving = [line.split()[1] for line in sorted(lines) if line.endswith("leaves")]
    assert leaving == ["a", "b", "c", "a", "b", "c"]


def test_hooks_run_around_start_and_stop(person: Person, home: Path) -> None:
    log = {"volumes": ["./log:/log"]}
    write(
        home,
        {
            "web": script(
                "echo start >> /log/all; trap 'echo end >> /log/all; exit' TERM; while :; do sleep 0.05; done",
                post_start=[{"command": "sh -c 'sleep 0.2; echo post >> /log/all'", "user": "0:0"}],
                pre_stop=[{"command": ["sh", "-c", "echo pre >> /log/all"]}],
                **log,
            )
        },
    )
    person.does("up", "-d", cwd=home)
    person.does("down", cwd=home)
    assert (home / "log/all").read_text().split() == ["start", "post", "pre", "end"]


def test_a_hook_before_the_start(person: Person, home: Path) -> None:
    log = {"volumes": ["./log:/log"]}
    hook = {"command": ["sh", "-c", "echo $$WORD >> /log/all"], "environment": ["WORD=before"]}
    text = "echo start >> /log/all; sleep 1000"
    write(home, {"web": script(text, init=True, pre_start=[hook, hook], **log)})
    person.does("up", "-d", cwd=home)
    while (home / "log/all").read_text().split() != ["before", "before", "start"]:
        time.sleep(0.02)  # the container writes: nothing tells when
    assert person.does("ps", "-aq", cwd=home).count("\n") == 1
    write(home, {"web": sleeping(pre_start=[{"command": ["sh", "-c", "echo no; exit 4"]}])})
    done = person.pycompose("up", "-d", "-t", "0", cwd=home)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "web pre_start hook exited with status 4"
    assert "-pre_start-0  | no" in done.stderr


def test_a_hook_that_fails_is_told(person: Person, home: Path) -> None:
    write(home, {"web": sleeping(post_start=[{"command": ["false"]}])})
    done = person.pycompose("up", "-d", cwd=home)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "web hook exited with status 1"
