"""`run` and `exec` at a terminal and in a pipe: streams, sizes, signals, exit codes, flags."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.projects import IMAGE, script, sleeping, write
from tests.e2e.typed import typed

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


def names(person: Person, home: Path) -> list[str]:
    """All the project's containers."""
    return sorted(person.does("ps", "-a", "--format", "{{.Name}}", cwd=home).split())


def test_a_terminal_where_there_is_one(person: Person, home: Path) -> None:
    write(home, {"web": sleeping()})
    person.does("up", "-d", cwd=home)
    for command in (("run", "--rm", "web"), ("exec", "web")):
        with typed(person, *command, "sh", "-c", "stty size; tty; read x; echo got $x", cwd=home) as t:  # fmt: skip
            t.expect("40 120")
            t.expect("/dev/pts/0")
            t.types("hello\n")
            t.expect("got hello")
            assert t.ends() == 0
        piped = person.pycompose(*command, "tty", cwd=home, stdin="")
        assert piped.stdout.strip() == "not a tty"
    with typed(person, "exec", "-T", "web", "tty", cwd=home) as t:
        assert t.ends() == 1
        assert "not a tty" in t.text
    assert names(person, home) == ["shop-web-1"]


def test_what_is_piped_in_comes_out(person: Person, home: Path) -> None:
    write(home, {"web": sleeping()})
    person.does("up", "-d", cwd=home)
    text = "line\n" * 20_000
    assert person.does("exec", "-T", "web", "cat", cwd=home, stdin=text) == text
    assert person.does("run", "--rm", "-T", "web", "cat", cwd=home, stdin=text) == text
    both = person.pycompose("run", "--rm", "-T", "web", "sh", "-c", "echo out; echo err >&2", cwd=home)  # fmt: skip
    assert both.stdout == "out\n"
    assert "err" in both.stderr


@pytest.mark.parametrize("command", [("run", "--rm", "-T", "web"), ("exec", "-T", "web")])
def test_exit_codes(person: Person, home: Path, command: tuple[str, ...]) -> None:
    write(home, {"web": sleeping()})
    person.does("up", "-d", cwd=home)
    assert person.pycompose(*command, "sh", "-c", "exit 42", cwd=home).returncode == 42
    assert person.pycompose(*command, "sh", "-c", "kill -9 $$", cwd=home).returncode == 137
    missing = person.pycompose(*command, "no-such-program", cwd=home)
    assert missing.returncode in (1, 126, 127)
    assert "no-such-program" in missing.stdout + missing.stderr
    assert "Traceback" not in missing.stderr


def test_signals_go_to_the_program(person: Person, home: Path) -> None:
    text = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    write(home, {"web": sleeping()})
    with typed(person, "run", "--rm", "-T", "web", "sh", "-c", text, cwd=home, terminal=False) as t:
        t.expect("ready")
        t.sends(signal.SIGTERM)
        t.expect("caught")
        assert t.ends() == 5
    person.does("up", "-d", cwd=home)
    text = "trap 'echo caught; exit 6' INT; echo ready; while :; do sleep 0.05; done"
    with typed(person, "exec", "web", "sh", "-c", text, cwd=home) as t:
        t.expect("ready")
        t.types("\x03")
        t.expect("caught")
        assert t.ends() == 6


def test_the_window_is_followed(person: Person, home: Path) -> None:
    text = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done"
    write(home, {"web": sleeping()})
    with typed(person, "run", "--rm", "web", "sh", "-c", text, cwd=home) as t:
        t.expect("ready")
        t.resize(33, 99)
        t.expect("33 99")
        assert t.ends() == 0


def test_flags_of_exec(person: Person, home: Path) -> None:
    write(home, {"web": sleeping(scale=2, environment={"A": "1"})})
    person.does("up", "-d", cwd=home)
    text = "echo $A $B $(id -u) $(pwd)"
    said = person.does(
        "exec", "-T", "-e", "A=2", "-e", "B=3", "-u", "7", "-w", "/bin", "web", "sh", "-c", text,
        cwd=home,
    )  # fmt: skip
    assert said == "2 3 7 /bin\n"
    said = person.does("exec", "-T", "-e", "A", "web", "sh", "-c", "echo ${A-gone}", cwd=home)
    assert said == "gone\n"
    second = person.does("exec", "-T", "--index", "2", "web", "hostname", cwd=home).strip()
    ids = person.does("ps", "--format", "{{.Name}} {{.ID}}", cwd=home)
    assert f"shop-web-2 {second}" in ids
    assert person.does("exec", "-d", "web", "touch", "/made", cwd=home) == ""
    person.does("exec", "-T", "web", "sh", "-c", "while [ ! -e /made ]; do sleep 0.05; done", cwd=home)  # fmt: skip
    person.does("stop", "-t", "0", cwd=home)
    done = person.pycompose("exec", "web", "true", cwd=home)
    assert (done.returncode, done.stderr) == (1, 'service "web" is not running\n')


def test_flags_of_run(person: Person, home: Path) -> None:
    (home / "more.env").write_text("FROM_FILE=yes\n")
    web = sleeping(
        environment={"A": "1"}, ports=["127.0.0.1:16081:80"], networks={"default": {"aliases": ["w"]}}
    )  # fmt: skip
    write(home, {"web": web, "db": sleeping()})
    text = "echo $A $B $FROM_FILE $(id -u) $(pwd) $(ls /here)"
    said = person.does(
        "run", "--rm", "-T", "-e", "A=2", "-e", "B", "--env-from-file", "more.env", "-u", "7",
        "-w", "/bin", "-v", "./more.env:/here", "--entrypoint", "sh -c", "web", text, cwd=home,
    )  # fmt: skip
    assert said == "2 yes 7 /bin /here\n"
    assert names(person, home) == []
    made = person.does("run", "-d", "--name", "own", "--label", "x=y", "web", cwd=home).strip()
    assert len(made) == 64
    assert names(person, home) == ["own"]
    taken = person.does("run", "-d", "--service-ports", "--use-aliases", "web", cwd=home).strip()
    found = person.does("run", "--rm", "-T", "db", "nslookup", "w", cwd=home)
    assert "Address" in found
    shown = person.does("ps", "-a", "--format", "{{.ID}} {{.Ports}}", cwd=home)
    assert f"{taken[:12]} 127.0.0.1:16081->80/tcp" in shown
    published = person.does("run", "-d", "-p", "127.0.0.1:16082:99", "web", cwd=home).strip()
    shown = person.does("ps", "-a", "--format", "{{.ID}} {{.Ports}}", cwd=home)
    assert f"{published[:12]} 127.0.0.1:16082->99/tcp" in shown
    caps = "grep CapEff /proc/self/status"
    one = person.does("run", "--rm", "-T", "--cap-drop", "ALL", "web", "sh", "-c", caps, cwd=home)
    assert one.split()[1] == "0" * 16
    both = person.pycompose("run", "-p", "1:1", "--service-ports", "web", cwd=home)
    assert (both.returncode, "incompatible" in both.stderr) == (1, True)


def test_dependencies_of_a_run(person: Person, home: Path) -> None:
    ready = {"test": ["CMD", "test", "-e", "/ready"], "interval": "1s"}
    db = script("sleep 0.3; touch /ready; sleep 1000", init=True, healthcheck=ready)
    write(home, {"web": sleeping(depends_on={"db": {"condition": "service_healthy"}}), "db": db})
    person.does("run", "--rm", "-T", "--no-deps", "web", "true", cwd=home)
    assert names(person, home) == []
    person.does("run", "--rm", "-T", "web", "true", cwd=home)
    assert names(person, home) == ["shop-db-1"]
    assert "(healthy)" in person.does("ps", cwd=home)


def test_a_run_builds_and_leaves_orphans_alone_unless_asked(person: Person, home: Path) -> None:
    (home / "Dockerfile").write_text(f'FROM {IMAGE}\nCOPY a /a\nCMD ["cat", "/a"]\n')
    (home / "a").write_text("1")
    write(home, {"web": {"build": "."}, "old": sleeping()})
    person.does("up", "-d", "old", cwd=home)
    write(home, {"web": {"build": "."}})
    assert person.does("run", "--rm", "-T", "--quiet-build", "web", cwd=home) == "1"
    (home / "a").write_text("2")
    assert person.does("run", "--rm", "-T", "web", cwd=home) == "1"
    assert person.does("run", "--rm", "-T", "--build", "--quiet-build", "web", cwd=home) == "2"
    assert names(person, home) == ["shop-old-1"]
    person.does("run", "--rm", "-T", "--remove-orphans", "web", cwd=home)
    assert names(person, home) == []
    person.does("down", "--rmi", "local", cwd=home)


def test_a_run_that_is_cut_off_leaves_nothing(person: Person, home: Path) -> None:
    write(home, {"web": sleeping()})
    with typed(
        person, "run", "--rm", "web", "sh", "-c", "echo ready; exec sleep 1000", cwd=home
    ) as t:
        t.expect("ready")
        t.types("\x03")
        assert t.ends() == 130
    assert names(person, home) == []
