"""`up` again: what changed is replaced, what must follow follows, and nothing else is touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.projects import IMAGE, script, sleeping, write

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


def ids(person: Person, home: Path) -> dict[str, str]:
    """Container's name -> its id."""
    lines = person.does("ps", "-a", "--no-trunc", "--format", "{{.Name}} {{.ID}}", cwd=home)
    return dict(line.split() for line in lines.splitlines())


def up(person: Person, home: Path, *arguments: str) -> set[str]:
    """`up -d`; the names of the containers that are new since before."""
    before = set(ids(person, home).values())
    person.does("up", "-d", *arguments, cwd=home)
    return {name for name, one in ids(person, home).items() if one not in before}


def test_only_what_changed(person: Person, home: Path) -> None:
    services = {"web": sleeping(), "db": sleeping()}
    write(home, services)
    assert up(person, home) == {"shop-db-1", "shop-web-1"}
    assert up(person, home) == set()
    services["web"]["environment"] = {"A": "1"}
    write(home, services)
    assert up(person, home) == {"shop-web-1"}
    # What does not matter for a container does not replace it.
    services["web"] |= {"pull_policy": "never", "depends_on": ["db"]}
    write(home, services)
    assert up(person, home) == set()


def test_env_files_inline_configs_and_files_are_noticed(person: Person, home: Path) -> None:
    (home / "web.env").write_text("A=1\n")
    (home / "app.conf").write_text("one")
    configs: dict[str, Any] = {"inline": {"content": "1"}, "file": {"file": "./app.conf"}}
    secrets = {"key": {"environment": "SECRET_KEY"}}
    services = {
        "env": sleeping(env_file="web.env"),
        "inline": sleeping(configs=["inline"]),
        "file": sleeping(configs=["file"]),
        "secret": sleeping(secrets=["key"]),
    }
    person.environment["SECRET_KEY"] = "s1"
    try:
        write(home, services, configs=configs, secrets=secrets)
        assert len(up(person, home)) == 4
        assert up(person, home) == set()
        (home / "web.env").write_text("A=2\n")
        assert up(person, home) == {"shop-env-1"}
        configs["inline"]["content"] = "2"
        write(home, services, configs=configs, secrets=secrets)
        assert up(person, home) == {"shop-inline-1"}
        (home / "app.conf").write_text("two")
        assert up(person, home) == {"shop-file-1"}
        assert person.does("exec", "-T", "file", "cat", "/file", cwd=home) == "two"
        person.environment["SECRET_KEY"] = "s2"
        assert up(person, home) == {"shop-secret-1"}
        shown = person.does("exec", "-T", "secret", "cat", "/run/secrets/key", cwd=home)
        assert shown == "s2"
    finally:
        del person.environment["SECRET_KEY"]


def test_a_new_build_replaces_its_container(person: Person, home: Path) -> None:
    (home / "Dockerfile").write_text(f'FROM {IMAGE}\nCOPY a /a\nCMD ["sleep", "1000"]\n')
    (home / "a").write_text("1")
    write(home, {"web": {"build": ".", "init": True}, "other": sleeping()})
    up(person, home)
    assert up(person, home, "--build") == set()
    (home / "a").write_text("2")
    assert up(person, home) == set()
    assert up(person, home, "--build") == {"shop-web-1"}
    assert person.does("exec", "-T", "web", "cat", "/a", cwd=home) == "2"


def test_flags_for_recreating(person: Person, home: Path) -> None:
    services = {"web": sleeping(depends_on=["db"]), "db": sleeping()}
    write(home, services)
    up(person, home)
    assert up(person, home, "--force-recreate") == {"shop-db-1", "shop-web-1"}
    assert up(person, home, "--force-recreate", "--no-deps", "web") == {"shop-web-1"}
    assert up(person, home, "--always-recreate-deps", "web") == {"shop-db-1"}
    services["web"]["environment"] = {"A": "1"}
    write(home, services)
    assert up(person, home, "--no-recreate") == set()
    assert up(person, home, "db") == set()
    assert up(person, home) == {"shop-web-1"}


def test_who_shares_a_network_namespace_follows_its_owner(person: Person, home: Path) -> None:
    services = {"main": sleeping(), "side": sleeping(network_mode="service:main"), "x": sleeping()}
    write(home, services)
    up(person, home)
    services["main"]["environment"] = {"A": "1"}
    write(home, services)
    assert up(person, home) == {"shop-main-1", "shop-side-1"}
    assert up(person, home) == set()


def test_a_changed_network_takes_its_containers_along(person: Person, home: Path) -> None:
    services = {"in": sleeping(networks=["back"]), "out": sleeping()}
    write(home, services, networks={"back": {}})
    up(person, home)
    write(home, services, networks={"back": {"internal": True}})
    assert up(person, home) == {"shop-in-1"}
    assert up(person, home) == set()


def test_a_changed_volume_is_kept_until_the_person_says_yes(person: Person, home: Path) -> None:
    services = {"db": script("touch /data/$$$$; sleep 1000", init=True, volumes=["data:/data"])}
    write(home, services, volumes={"data": {}})
    up(person, home)
    kept = person.does("exec", "-T", "db", "ls", "/data", cwd=home)
    write(home, services, volumes={"data": {"labels": {"a": "b"}}})
    done = person.pycompose("up", "-d", cwd=home)
    assert "does not match the configuration" in done.stderr
    assert kept.strip() in person.does("exec", "-T", "db", "ls", "/data", cwd=home).split()
    assert up(person, home, "--yes") == {"shop-db-1"}
    assert up(person, home) == set()


def test_anonymous_volumes_are_inherited_unless_renewed(person: Person, home: Path) -> None:
    services = {"db": sleeping(volumes=["/data"])}
    write(home, services)
    up(person, home)
    person.does("exec", "-T", "db", "touch", "/data/kept", cwd=home)
    up(person, home, "--force-recreate")
    assert person.does("exec", "-T", "db", "ls", "/data", cwd=home).strip() == "kept"
    up(person, home, "-V")
    assert person.does("exec", "-T", "db", "ls", "/data", cwd=home).strip() == ""


def test_scaling_fills_gaps_and_takes_the_highest(person: Person, home: Path) -> None:
    write(home, {"web": sleeping()})
    assert up(person, home, "--scale", "web=4") == {f"shop-web-{n}" for n in (1, 2, 3, 4)}
    second = ids(person, home)["shop-web-2"]
    person.does("engine", "status")
    remove(person, second)
    assert up(person, home, "--scale", "web=5") == {"shop-web-2", "shop-web-5"}
    person.does("scale", "web=2", cwd=home)
    assert set(ids(person, home)) == {"shop-web-1", "shop-web-2"}
    person.does("scale", "web=0", cwd=home)
    assert ids(person, home) == {}


def remove(person: Person, container: str) -> None:
    """Take one container away behind the project's back."""
    import docker

    client = docker.DockerClient(base_url=person.engine.host)
    try:
        client.api.remove_container(container, force=True)
    finally:
        client.close()


def test_orphans(person: Person, home: Path) -> None:
    write(home, {"web": sleeping(), "old": sleeping()})
    up(person, home)
    write(home, {"web": sleeping()})
    done = person.pycompose("up", "-d", cwd=home)
    assert "Found orphan containers ([shop-old-1])" in done.stderr
    assert set(ids(person, home)) == {"shop-old-1", "shop-web-1"}
    up(person, home, "--remove-orphans")
    assert set(ids(person, home)) == {"shop-web-1"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"networks": {"default": {"name": "nowhere", "external": True}}}, "network nowhere"),
        (
            {"volumes": {"data": {"name": "nowhere", "external": True}}},
            'volume "nowhere" not found',
        ),
    ],
)
def test_what_is_external_is_looked_for_before_anything_is_touched(
    person: Person, home: Path, more: dict[str, Any], words: str
) -> None:
    (home / "Dockerfile").write_text("FROM nothing-that-is:here\n")
    write(home, {"web": sleeping(volumes=["data:/v"]), "b": {"build": "."}}, **{"volumes": {"data": {}}, **more})  # fmt: skip
    done = person.pycompose("up", "-d", cwd=home)
    assert done.returncode == 1
    assert words in done.stderr
    assert "nothing-that-is" not in done.stderr
    assert ids(person, home) == {}


def test_two_checkouts_of_one_name_do_not_fight(person: Person, home: Path) -> None:
    write(home, {"web": sleeping(volumes=["./data:/data"])})
    other = home.parent / "other" / "shop"
    shutil.copytree(home, other)
    up(person, home)
    before = ids(person, home)
    done = person.pycompose("up", "-d", cwd=other)
    assert done.returncode == 1
    assert str(home) in done.stderr
    assert "another name with -p" in done.stderr
    assert ids(person, home) == before
    assert up(person, other, "--yes") == {"shop-web-1"}


def test_a_one_shot_service_is_not_run_again(person: Person, home: Path) -> None:
    job = script("echo x >> /log/runs", volumes=["./log:/log"])
    services = {
        "web": sleeping(depends_on={"job": {"condition": "service_completed_successfully"}}),
        "job": job,
    }
    write(home, services)
    person.does("up", "-d", "--wait", cwd=home)
    person.does("up", "-d", "--wait", cwd=home)
    assert (home / "log/runs").read_text() == "x\n"
    person.does("up", "-d", "job", cwd=home)
    person.does("up", "-d", "--force-recreate", cwd=home)
    assert (home / "log/runs").read_text() == "x\nx\nx\n"


def test_labels_name_the_project_and_its_files(person: Person, home: Path) -> None:
    write(home, {"web": sleeping()})
    up(person, home)
    rows = json.loads(person.does("ls", "--format", "json", cwd=home))
    assert str(home / "compose.yaml") in {row["ConfigFiles"] for row in rows}
