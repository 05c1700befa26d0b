"""Attributes that orchestration gives its meaning to: configs, secrets, update_config, use_api_socket, ..."""

from __future__ import annotations

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
    person.does("down", "-t", "0", "-v", cwd=folder)


def inside(person: Person, home: Path, *command: str) -> str:
    """What a command in web prints."""
    return person.does("exec", "-T", "web", *command, cwd=home)


def test_configs_and_secrets_of_every_kind(person: Person, home: Path) -> None:
    (home / "file").write_text("from a file")
    (home / "file").chmod(0o600)
    grants: list[Any] = [
        "plain",
        {"source": "plain", "target": "/etc/owned", "uid": "7", "gid": "8", "mode": 0o440},
        {"source": "inline", "target": "/etc/inline", "uid": "9", "mode": 0o400},
        "variable",
    ]
    sources = {"plain": {"file": "./file"}, "variable": {"environment": "WORD"}}
    web = sleeping(configs=grants, secrets=["plain", grants[1], "variable"])
    more = {"configs": {**sources, "inline": {"content": "hi ${WORD}"}}, "secrets": sources}
    person.environment["WORD"] = "there"
    try:
        web["secrets"][1] = {**grants[1], "target": "owned"}
        write(home, {"web": web}, **more)
        person.does("up", "-d", cwd=home)
        paths = ("/plain", "/etc/owned", "/etc/inline", "/variable")
        hidden = ("/run/secrets/plain", "/run/secrets/owned", "/run/secrets/variable")
        shown = inside(person, home, "stat", "-c", "%n %u:%g %a", *paths, *hidden).splitlines()
        assert "/etc/owned 7:8 440" in shown
        assert "/etc/inline 9:0 400" in shown
        assert "/run/secrets/owned 7:8 440" in shown
        assert inside(person, home, "cat", *paths) == "from a file" * 2 + "hi there" + "there"
        assert inside(person, home, "cat", *hidden) == "from a file" * 2 + "there"
        assert person.pycompose("plan", cwd=home).stdout == "nothing to do\n"
        assert person.does("run", "--rm", "-T", "web", "cat", "/etc/owned", cwd=home) == "from a file"  # fmt: skip
    finally:
        del person.environment["WORD"]


@pytest.mark.parametrize(
    ("service", "more", "words"),
    [
        ({"secrets": ["s"]}, {"secrets": {"s": {"external": True}}}, "unsupported external secret s"),
        ({"configs": ["c"]}, {"configs": {"c": {"environment": "NOT_SET_AT_ALL"}}}, "NOT_SET_AT_ALL"),
        ({"configs": ["c"]}, {"configs": {"c": {"file": "./gone"}}}, "gone"),
        ({"provider": {"type": "no-such-cloud"}}, {}, "services.web.provider.type: no program"),
        ({"models": ["m"]}, {"models": {"m": {"model": "ai/m"}}}, "requires Docker Model plugin"),
    ],
)  # fmt: skip
def test_what_cannot_be_given_is_refused_by_name(
    person: Person, home: Path, service: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    web = service if "provider" in service else sleeping(**service)
    write(home, {"web": web}, **more)
    done = person.pycompose("up", "-d", cwd=home)
    assert done.returncode == 1, done
    assert words in done.stderr.splitlines()[-1]
    write(home, {"web": sleeping()})


def test_the_engines_socket(person: Person, home: Path) -> None:
    write(home, {"web": sleeping(use_api_socket=True)})
    person.does("up", "-d", cwd=home)
    assert "docker.sock" in inside(person, home, "ls", "/var/run")
    assert '"auths"' in inside(person, home, "sh", "-c", "cat $DOCKER_CONFIG/config.json")
    assert person.pycompose("plan", cwd=home).returncode == 0
    assert inside(person, home, "sh", "-c", "test -S /var/run/docker.sock; echo $?") == "0\n"


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_a_rolling_update_never_leaves_the_service_alone(
    person: Person, home: Path, order: str
) -> None:
    update = {"parallelism": 1, "order": order, "delay": "100ms"}
    text = "trap 'echo $V leaves; exit' TERM; echo $V comes; touch /ready; while :; do sleep 0.05; done"
    probe = {"test": ["CMD", "test", "-e", "/ready"], "interval": "1s"}

    def version(name: str) -> dict[str, Any]:
        deploy = {"replicas": 3, "update_config": update}
        return script(text.replace("$V", name), deploy=deploy, healthcheck=probe)

    write(home, {"web": version("one")})
    person.does("up", "-d", "--wait", cwd=home)
    first = set(person.does("ps", "-q", cwd=home).split())
    write(home, {"web": version("two")})
    done = person.pycompose("up", "-d", cwd=home)
    assert done.returncode == 0, done
    names = set(person.does("ps", "--format", "{{.Name}}", cwd=home).split())
    assert names == {"shop-web-1", "shop-web-2", "shop-web-3"}
    assert not first & set(person.does("ps", "-q", cwd=home).split())
    started = [line.split()[1] for line in done.stderr.splitlines() if line.endswith("Started")]
    assert started == ["shop-web-1", "shop-web-2", "shop-web-3"]
    assert person.pycompose("plan", cwd=home).returncode == 0


GOOD = "while :; do sleep 0.05; done"


def updated(update: dict[str, Any], text: str) -> dict[str, Any]:
    """Two replicas of a script with an update_config."""
    return script(text, init=True, deploy={"replicas": 2, "update_config": update})


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
@pytest.mark.parametrize("bad", ["echo oops; exit 3", "sleep 0.3; echo oops; exit 3", None])
def test_an_update_that_fails_is_rolled_back(
    person: Person, home: Path, order: str, bad: str | None
) -> None:
    update = {"order": order, "failure_action": "rollback", "monitor": "1s"}
    write(home, {"web": updated(update, GOOD)})
    person.does("up", "-d", cwd=home)
    before = person.does("ps", "-q", cwd=home)
    web = updated(update, bad or "")
    if bad is None:
        web["command"] = ["no-such-program"]
    write(home, {"web": web})
    done = person.pycompose("up", "-d", "-t", "0", cwd=home)
    assert done.returncode == 1, done
    last = done.stderr.splitlines()[-1]
    assert last.startswith("update of service web failed: container shop-web-1")
    assert last.endswith("rolled back to what ran before")
    assert bad is None or "oops" in done.stderr
    assert person.does("ps", "-q", cwd=home) == before
    names = person.does("ps", "-a", "--format", "{{.Name}}", cwd=home).split()
    assert names == ["shop-web-1", "shop-web-2"]
    write(home, {"web": updated(update, GOOD)})
    assert person.pycompose("plan", cwd=home).stdout == "nothing to do\n"
    write(home, {"web": updated(update, f"true; {GOOD}")})
    person.does("up", "-d", "-t", "0", cwd=home)
    assert person.does("ps", "-a", "--format", "{{.Name}}", cwd=home).split() == names
    assert person.does("ps", "-q", cwd=home) != before


@pytest.mark.parametrize(
    ("update", "code", "renewed"),
    [
        ({"monitor": "1s"}, 1, 1),
        ({"failure_action": "continue", "monitor": "1s"}, 0, 2),
        ({"max_failure_ratio": 0.5, "monitor": "1s"}, 1, 2),
        ({"max_failure_ratio": 1.0, "monitor": "1s"}, 0, 2),
    ],
)
def test_how_many_failures_end_an_update(
    person: Person, home: Path, update: dict[str, Any], code: int, renewed: int
) -> None:
    write(home, {"web": updated(update, GOOD)})
    person.does("up", "-d", cwd=home)
    before = set(person.does("ps", "-aq", cwd=home).split())
    write(home, {"web": updated(update, "sleep 0.2; exit 3")})
    done = person.pycompose("up", "-d", "-t", "0", cwd=home)
    assert done.returncode == code, done
    assert "update of service web" in done.stderr
    assert len(set(person.does("ps", "-aq", cwd=home).split()) - before) == renewed


def test_links_volumes_from_and_external_links(person: Person, home: Path) -> None:
    write(
        home,
        {
            "web": sleeping(links=["db:base"], volumes_from=["db:ro"], external_links=["shop-x-1:ex"]),
            "db": sleeping(volumes=["data:/data"]),
            "x": sleeping(),
        },
        volumes={"data": {}},
    )  # fmt: skip
    person.does("up", "-d", "x", cwd=home)
    person.does("up", "-d", cwd=home)
    for name in ("base", "db", "ex"):
        inside(person, home, "nslookup", name)
    person.does("exec", "-T", "db", "touch", "/data/x", cwd=home)
    assert inside(person, home, "ls", "/data") == "x\n"
    assert person.pycompose("exec", "-T", "web", "touch", "/data/y", cwd=home).returncode != 0


def test_profiles(person: Person, home: Path) -> None:
    write(home, {"web": sleeping(), "debug": sleeping(profiles=["debug"])})
    person.does("up", "-d", cwd=home)
    services = person.does("ps", "--services", cwd=home).split()
    assert services == ["web"]
    person.does("--profile", "debug", "up", "-d", cwd=home)
    assert set(person.does("ps", "--services", cwd=home).split()) == {"debug", "web"}
    person.does("up", "-d", cwd=home)
    assert set(person.does("ps", "--services", cwd=home).split()) == {"debug", "web"}
    person.does("--profile", "*", "down", "-t", "0", cwd=home)
    assert person.does("ps", "-aq", cwd=home) == ""


PROVIDER = """#!/bin/sh
echo "$@" >> {log}
echo '{{"type": "info", "message": "thinking"}}'
case "$3" in
up) echo '{{"type": "setenv", "message": "URL=https://there"}}' ;;
esac
case "$4" in
--fail=yes) echo '{{"type": "error", "message": "no credit left"}}'; exit 1 ;;
esac
"""


def test_a_provider_is_run_and_its_variables_given(person: Person, home: Path) -> None:
    (home / "bin").mkdir()
    program = home / "bin" / "cloud"
    program.write_text(PROVIDER.format(log=home / "log"))
    program.chmod(0o755)
    path = person.environment["PATH"]
    person.environment["PATH"] = f"{home}/bin:{path}"
    try:
        provider = {"type": "cloud", "options": {"size": "2", "tag": ["a", "b"]}}
        web = sleeping(depends_on=["base"])
        write(home, {"web": web, "base": {"provider": provider}})
        assert "is not run" in person.pycompose("plan", cwd=home).stderr
        person.does("up", "-d", cwd=home)
        assert inside(person, home, "sh", "-c", "echo $BASE_URL") == "https://there\n"
        planned = person.pycompose("plan", cwd=home)
        assert (planned.returncode, planned.stdout) == (0, "nothing to do\n")
        before = person.does("ps", "-q", cwd=home)
        person.does("up", "-d", cwd=home)
        assert person.does("ps", "-q", cwd=home) == before
        ran = person.does("run", "--rm", "-T", "web", "sh", "-c", "echo $BASE_URL", cwd=home)
        assert ran == "https://there\n"
        person.does("down", "-t", "0", cwd=home)
        lines = (home / "log").read_text().splitlines()
        assert lines[0] == "compose --project-name=shop up --size=2 --tag=a --tag=b base"
        assert lines[-1] == "compose --project-name=shop down --size=2 --tag=a --tag=b base"
        write(
            home, {"web": web, "base": {"provider": {"type": "cloud", "options": {"fail": "yes"}}}}
        )
        done = person.pycompose("up", "-d", cwd=home)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == "provider of base failed: no credit left"
        write(home, {"web": sleeping()})
    finally:
        person.environment["PATH"] = path


PLUGIN = """#!/bin/sh
echo "$@" >> {log}
case "$1" in
ls) echo '[{{"tags": ["ai/here:1"]}}]' ;;
pull) echo "half of $2"; [ "$2" != ai/gone ] || exit 1 ;;
status) echo '{{"endpoint": "http://models/v1"}}' ;;
esac
"""


def test_models_are_asked_of_dockers_plugin(person: Person, home: Path) -> None:
    folder = home / "docker" / "cli-plugins"
    folder.mkdir(parents=True)
    log = home / "log"
    (folder / "docker-model").write_text(PLUGIN.format(log=log))
    (folder / "docker-model").chmod(0o755)
    person.environment["DOCKER_CONFIG"] = str(home / "docker")
    more = {"models": {"a-b": {"model": "ai/new", "context_size": 9, "runtime_flags": ["--x"]}, "here": {"model": "ai/here:1"}}}  # fmt: skip
    try:
        web = sleeping(models={"a-b": None, "here": {"endpoint_var": "WHERE"}})
        write(home, {"web": web}, **more)
        done = person.pycompose("up", "-d", cwd=home)
        assert done.returncode == 0, done
        assert "a-b  Pulling half of ai/new" in done.stderr
        assert log.read_text().splitlines() == [
            "ls --json", "pull ai/new", "configure --context-size 9 ai/new -- --x",
            "configure ai/here:1", "status --json",
        ]  # fmt: skip
        said = inside(person, home, "env").splitlines()
        assert {"A_B_MODEL=ai/new", "A_B_URL=http://models/v1", "HERE_MODEL=ai/here:1", "WHERE=http://models/v1"} <= set(said)  # fmt: skip
        log.write_text("")
        planned = person.pycompose("plan", cwd=home)
        assert (planned.returncode, planned.stdout) == (0, "nothing to do\n")
        assert log.read_text() == "status --json\n"
        ran = person.does("run", "--rm", "-T", "web", "sh", "-c", "echo $A_B_MODEL", cwd=home)
        assert ran == "ai/new\n"
        write(home, {"web": sleeping(models=["m"])}, models={"m": {"model": "ai/gone"}})
        failed = person.pycompose("up", "-d", cwd=home)
        assert failed.returncode == 1
        assert failed.stderr.splitlines()[-1] == "docker-model pull ai/gone failed: half of ai/gone"
    finally:
        del person.environment["DOCKER_CONFIG"]
