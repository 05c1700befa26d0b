"""`plan`, `up --dry-run` and `why`: what would be done, what has changed, why it is as it is."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.projects import script, sleeping, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Person

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("busybox")]


@pytest.fixture
def home(person: Person, tmp_path: Path) -> Iterator[Path]:
    """A folder whose project is gone after the test."""
    folder = tmp_path / "shop"
    folder.mkdir()
    yield folder
    person.does("down", "-t", "0", "-v", "--remove-orphans", cwd=folder)


def planned(person: Person, home: Path, *arguments: str) -> list[dict[str, Any]]:
    """The actions of `plan --format json`."""
    done = person.pycompose("plan", "--format", "json", *arguments, cwd=home)
    document = json.loads(done.stdout)
    assert done.returncode == (2 if document["steps"] else 0), done
    actions: list[dict[str, Any]] = document["actions"]
    return actions


def words(actions: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(verb, name) of each."""
    return [(one["action"], one["name"]) for one in actions]


def state_of(person: Person) -> list[str]:
    """All that the engine's database holds, as text; who asks for past events has them written first."""
    person.does("system", "events", "--since", "1", "--until", "0s")
    path = next(person.run_dir.parent.glob("root/**/engine.db"))
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


def test_from_nothing_to_nothing_to_do(person: Person, home: Path) -> None:
    write(home, {"web": sleeping(depends_on=["db"]), "db": sleeping(volumes=["data:/d"])}, volumes={"data": {}})  # fmt: skip
    assert words(planned(person, home)) == [
        ("create", "shop_default"),
        ("create", "shop_data"),
        ("create", "shop-db-1"),
        ("create", "shop-web-1"),
    ]
    person.does("up", "-d", cwd=home)
    assert planned(person, home) == []
    done = person.pycompose("plan", cwd=home)
    assert (done.returncode, done.stdout) == (0, "nothing to do\n")


def test_what_changed_is_named_with_old_and_new(person: Person, home: Path) -> None:
    service = sleeping(
        environment={"LEVEL": "info", "GONE": "1"}, labels={"a": "1"}, mem_limit="64m",
        volumes=["./one:/data"], ports=["16071:80"], restart="always", cap_add=["NET_ADMIN"],
    )  # fmt: skip
    write(home, {"web": service})
    person.does("up", "-d", cwd=home)
    service |= {
        "environment": {"LEVEL": "debug", "NEW": "2"}, "labels": {"a": "2"}, "mem_limit": "128m",
        "volumes": ["./two:/data:ro"], "ports": ["16072:80"], "restart": "on-failure:3",
        "command": ["sleep", "2000"], "user": "1000", "working_dir": "/data", "hostname": "h",
        "networks": {"back": {"aliases": ["w"]}}, "healthcheck": {"test": "true"}, "cap_add": [],
    }  # fmt: skip
    write(home, {"web": service}, networks={"back": {}})
    (action,) = [one for one in planned(person, home) if one["kind"] == "container"]
    assert (action["action"], action["cause"]) == ("recreate", "configuration changed")
    changes = {one["field"]: (one["old"], one["new"]) for one in action["changes"]}
    names = "shop-web-1 web"
    assert changes == {
        "environment.LEVEL": ("info", "debug"),
        "environment.GONE": ("1", None),
        "environment.NEW": (None, "2"),
        "labels.a": ("1", "2"),
        "mem_limit": ("67108864", "134217728"),
        "volumes./data": (f"{home}/one (rw)", f"{home}/two (ro)"),
        "ports.80/tcp": ("16071", "16072"),
        "restart": ("always", "on-failure:3"),
        "command": ('["sleep", "1000"]', '["sleep", "2000"]'),
        "user": (None, "1000"),
        "working_dir": (None, "/data"),
        "hostname": (None, "h"),
        "network_mode": ("shop_default", "shop_back"),
        "networks.shop_default": (names, None),
        "networks.shop_back": (None, "shop-web-1 w web"),
        "healthcheck": (None, '{"Test": ["CMD-SHELL", "true"]}'),
        "cap_add": ('["NET_ADMIN"]', None),
    }


def test_what_has_not_changed_is_not_named(person: Person, home: Path) -> None:
    many = sleeping(
        environment={"A": "1"}, tmpfs=["/t"], shm_size="32m", ulimits={"nofile": 100}, dns="1.1.1.1",
        extra_hosts=["a=1.2.3.4"], sysctls={"net.core.somaxconn": "64"}, cpus=0.5, mem_limit="32m",
        stop_signal="SIGINT", stop_grace_period="3s", logging={"options": {"max-size": "1m"}},
        healthcheck={"test": ["CMD", "true"], "interval": "9s"}, volumes=["data:/d", "/anonymous"],
        cap_drop=["MKNOD"], group_add=["7"], devices=["/dev/null:/dev/zip"], read_only=True,
        expose=["99"], links=["db"], pids_limit=50, oom_score_adj=10, ipc="shareable", privileged=True,
    )  # fmt: skip
    write(home, {"web": many, "db": sleeping()}, volumes={"data": {}})
    person.does("up", "-d", cwd=home)
    many["environment"]["A"] = "2"
    write(home, {"web": many, "db": sleeping()}, volumes={"data": {}})
    (action,) = planned(person, home)
    assert [one["field"] for one in action["changes"]] == ["environment.A"]


def test_destructive_ones_are_marked(person: Person, home: Path) -> None:
    services = {"db": sleeping(volumes=["data:/data", "/own"]), "old": sleeping()}
    write(home, services, volumes={"data": {}}, networks={"default": {}})
    person.does("up", "-d", cwd=home)
    del services["old"]
    write(home, services, volumes={"data": {"labels": {"a": "b"}}})
    assert planned(person, home) == []
    actions = planned(person, home, "--yes", "--remove-orphans")
    marked = {one["name"]: one["destructive"] for one in actions}
    assert marked == {"shop-old-1": True, "shop_data": True, "shop-db-1": False}
    (volume,) = [one for one in actions if one["kind"] == "volume"]
    assert volume["changes"] == [{"field": "labels.a", "old": None, "new": "b"}]
    (renewed,) = planned(person, home, "-V")
    assert renewed["destructive"]
    shown = person.pycompose("plan", "--yes", "--remove-orphans", cwd=home).stdout
    assert "- remove container shop-old-1: orphan  [destructive: its data is lost]" in shown


def test_a_changed_network_is_explained(person: Person, home: Path) -> None:
    write(home, {"web": sleeping()}, networks={"default": {}})
    person.does("up", "-d", cwd=home)
    write(home, {"web": sleeping()}, networks={"default": {"internal": True}})
    actions = planned(person, home)
    assert words(actions) == [("recreate", "shop-web-1"), ("recreate", "shop_default")]
    assert actions[1]["changes"] == [{"field": "internal", "old": None, "new": "true"}]
    assert actions[0]["cause"] == "network shop_default changed"


def test_images_restarts_and_starts(person: Person, home: Path) -> None:
    (home / "Dockerfile").write_text("FROM scratch\nCOPY compose.yaml /\n")
    web = sleeping(depends_on={"db": {"condition": "service_started", "restart": True}})
    services = {"web": web, "db": sleeping(), "other": sleeping()}
    write(home, services)
    person.does("up", "-d", cwd=home)
    person.does("stop", "-t", "0", "other", cwd=home)
    services["db"]["environment"] = {"A": "1"}
    services["built"] = {"build": "."}
    write(home, services)
    assert words(planned(person, home)) == [
        ("build", "shop-built"),
        ("create", "shop-built-1"),
        ("recreate", "shop-db-1"),
        ("restart", "shop-web-1"),
        ("start", "shop-other-1"),
    ]


def test_nothing_is_touched(person: Person, home: Path) -> None:
    write(home, {"web": sleeping()})
    person.does("up", "-d", cwd=home)
    write(home, {"web": sleeping(user="1"), "new": sleeping(), "b": {"build": "."}}, volumes={"v": {}})  # fmt: skip
    (home / "Dockerfile").write_text("FROM scratch\n")
    before = state_of(person)
    assert person.pycompose("plan", cwd=home).returncode == 2
    done = person.pycompose("up", "--dry-run", cwd=home)
    assert done.returncode == 0, done
    assert "DRY-RUN MODE -  Container shop-web-1  Recreate" in done.stderr
    assert 'user: (not set) -> "1"' in done.stdout
    assert state_of(person) == before


def test_why_of_what_failed(person: Person, home: Path) -> None:
    probe = {"test": ["CMD-SHELL", "echo no luck; exit 1"], "interval": "0.1s", "retries": 2}
    eats = "echo eating; tail /dev/zero"
    write(
        home,
        {
            "web": sleeping(depends_on={"sick": {"condition": "service_healthy"}}),
            "sick": script("echo hello; sleep 1000", init=True, healthcheck=probe),
            "oom": script(eats, mem_limit="16m", memswap_limit="16m"),
            "ended": script("echo last words; exit 3"),
            "off": sleeping(profiles=["p"]),
        },
    )
    person.pycompose("up", "-d", cwd=home)
    person.pycompose("wait", "oom", "ended", cwd=home)
    sick = person.does("why", "sick", cwd=home)
    assert "it is unhealthy: " in sick
    assert "exit 1: no luck" in sick
    assert "  | hello" in sick
    web = person.does("why", "web", cwd=home)
    assert "it was created and never started" in web
    assert "it depends on sick (service_healthy), but shop-sick-1 is unhealthy" in web
    ended = person.does("why", "ended", cwd=home)
    assert "it ended with exit code 3: its program says that it failed" in ended
    assert "die (exit code 3)" in ended
    assert "  | last words" in ended
    (oom,) = json.loads(person.does("why", "--format", "json", "oom", cwd=home))
    assert oom["reasons"][0] == "the kernel killed it: out of memory (its limit is 16 MiB)"
    assert "ended by SIGKILL" in oom["reasons"][1]
    assert oom["lines"] == ["eating"]
    assert "profiles that are not active" in person.does("why", "off", cwd=home)
    nobody = person.pycompose("why", "nobody", cwd=home)
    assert (nobody.returncode, nobody.stderr) == (1, "no such service: nobody\n")
