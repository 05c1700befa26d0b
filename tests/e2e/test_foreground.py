"""`up` in the foreground, as somebody at a terminal sees it: lines, keys, Ctrl-C, exit codes."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.projects import STUBBORN, script, sleeping, talking, write
from tests.e2e.typed import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Person

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("busybox")]


@pytest.fixture
def home(person: Person, tmp_path: Path) -> Iterator[Path]:
    """A folder whose project is gone after the test."""
    yield tmp_path
    person.does("down", "-t", "0", "-v", "--remove-orphans", cwd=tmp_path)


def states(person: Person, home: Path) -> dict[str, str]:
    """Service -> the state of its (last) container."""
    lines = person.does("ps", "-a", "--format", "{{.Service}} {{.State}}", cwd=home)
    return dict(line.split() for line in lines.splitlines())


def test_lines_of_all_and_the_end_of_all(person: Person, home: Path) -> None:
    write(home, {"a": script("echo one; echo two >&2"), "b": script("echo three; exit 3")})
    with typed(person, "up", cwd=home, terminal=False) as up:
        assert up.ends() == 0
    assert "Attaching to a-1, b-1" in up.text
    for line in ("a-1  | one", "a-1  | two", "b-1  | three", "b-1 exited with code 3"):
        assert line in up.text
    assert states(person, home) == {"a": "exited", "b": "exited"}


def test_without_prefixes_and_with_timestamps(person: Person, home: Path) -> None:
    write(home, {"a": script("echo one")})
    plain = person.pycompose("up", "--no-log-prefix", cwd=home)
    assert "one" in plain.stdout.splitlines()
    stamped = person.pycompose("up", "--timestamps", "--no-color", cwd=home)
    (line,) = [line for line in stamped.stdout.splitlines() if line.endswith("one")]
    assert line.startswith("a-1  | 20")
    assert line.split()[2].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ((), "abc"),
        (("--attach", "a"), "a"),
        (("--no-attach", "a"), "bc"),
        (("a",), "a"),
        (("--attach-dependencies", "a"), "ab"),
    ],
)
def test_whose_lines_are_shown(
    person: Person, home: Path, arguments: tuple[str, ...], shown: str
) -> None:
    ends = {name: script(f"echo I am {name}") for name in "bc"}
    write(home, {"a": script("echo I am a", depends_on=["b"]), **ends})
    done = person.pycompose("up", *arguments, cwd=home)
    assert done.returncode == 0, done
    assert {name for name in "abc" if f"I am {name}" in done.stdout} == set(shown)


def test_ctrl_c_stops_in_order_and_lets_all_have_their_say(person: Person, home: Path) -> None:
    write(home, {"web": talking("web", depends_on=["db"]), "db": talking("db")})
    with typed(person, "up", cwd=home) as up:
        up.expect("web is here")
        up.types("\x03")
        up.expect("Gracefully Stopping... press Ctrl+C again to force")
        up.expect("web leaves")
        up.expect("db leaves")
        assert up.ends() == 130
    assert states(person, home) == {"web": "exited", "db": "exited"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_without_a_terminal_does_the_same(
    person: Person, home: Path, number: signal.Signals
) -> None:
    write(home, {"web": talking("web")})
    with typed(person, "up", cwd=home, terminal=False) as up:
        up.expect("web is here")
        up.sends(number)
        up.expect("web leaves")
        assert up.ends() == 130
    assert states(person, home) == {"web": "exited"}


def test_ctrl_c_twice_kills(person: Person, home: Path) -> None:
    write(home, {"a": script(STUBBORN)})
    with typed(person, "up", cwd=home) as up:
        up.expect("deaf")
        up.types("\x03")
        up.expect("press Ctrl+C again to force")
        up.types("\x03")
        begun = time.monotonic()
        assert up.ends() == 130
        assert time.monotonic() - begun < 8
    assert states(person, home) == {"a": "exited"}


def test_ctrl_c_while_a_dependency_is_waited_for(person: Person, home: Path) -> None:
    never = {"test": ["CMD", "false"], "interval": "1s", "retries": 1000}
    write(
        home,
        {
            "web": sleeping(depends_on={"db": {"condition": "service_healthy"}}),
            "db": talking("db", healthcheck=never),
        },
    )
    with typed(person, "up", cwd=home) as up:
        up.expect("db is here")
        up.types("\x03")
        up.expect("db leaves")
        assert up.ends() == 130
    assert states(person, home) == {"web": "created", "db": "exited"}


def test_ctrl_c_while_containers_are_made(person: Person, home: Path) -> None:
    write(home, {f"s{number}": sleeping() for number in range(12)})
    with typed(person, "up", cwd=home, terminal=False) as up:
        up.expect("Creating")
        up.sends(signal.SIGINT)
        assert up.ends() == 130
    assert "Traceback" not in up.text
    person.does("up", "-d", cwd=home)
    assert set(states(person, home).values()) == {"running"}


def test_the_first_end_aborts_the_rest(person: Person, home: Path) -> None:
    write(home, {"a": talking("a"), "b": script("sleep 0.2; exit 7")})
    done = person.pycompose("up", "--abort-on-container-exit", cwd=home)
    assert done.returncode == 7, done
    assert "Aborting on container exit..." in done.stderr
    assert states(person, home) == {"a": "exited", "b": "exited"}


def test_only_a_failure_aborts(person: Person, home: Path) -> None:
    good, bad = script("sleep 0.1"), script("sleep 0.4; exit 4")
    write(home, {"a": talking("a"), "good": good, "bad": bad})
    done = person.pycompose("up", "--abort-on-container-failure", cwd=home)
    assert done.returncode == 4, done
    assert "good-1 exited with code 0" in done.stdout


def test_the_exit_code_of_one_service(person: Person, home: Path) -> None:
    write(home, {"test": script("sleep 0.3; exit 5"), "other": talking("other")})
    done = person.pycompose("up", "--exit-code-from", "test", cwd=home)
    assert done.returncode == 5, done


def test_a_restarting_container_goes_on_in_the_same_stream(person: Person, home: Path) -> None:
    text = "if [ -e /seen ]; then echo second; exec sleep 1000; fi; touch /seen; echo first; exit 1"
    write(home, {"a": script(text, restart="on-failure")})
    with typed(person, "up", cwd=home, terminal=False) as up:
        up.expect("first")
        up.expect("exited with code 1 (restarting)")
        up.expect("second")
        up.sends(signal.SIGINT)
        up.sends(signal.SIGINT)
        assert up.ends() == 130


def test_a_restart_at_once_loses_no_line_and_tells_none_twice(person: Person, home: Path) -> None:
    text = "trap 'echo bye $$N; exit' TERM; N=$$(cat /n 2>/dev/null || echo 0); echo $$((N + 1)) > /n; echo hello $$N; while :; do sleep 0.01; done"
    write(home, {"a": script(text), "b": sleeping()})
    with typed(person, "up", cwd=home, terminal=False) as up:
        for number in range(4):
            up.expect(f"hello {number}")
            person.does("restart", "a", cwd=home)
        up.expect("hello 4")
        up.sends(signal.SIGINT)
        assert up.ends() == 130
    said = [
        line.partition("| ")[2] for line in up.text.splitlines() if "bye" in line or "hello" in line
    ]
    assert said == [f"{word} {number}" for number in range(5) for word in ("hello", "bye")]


def test_a_failing_start_says_so_and_leaves_the_rest(person: Person, home: Path) -> None:
    write(home, {"good": sleeping(), "bad": {"image": "busybox:bench", "command": ["nothing"]}})
    done = person.pycompose("up", cwd=home)
    assert done.returncode == 1, done
    assert 'exec: "nothing"' in done.stderr
    assert "Traceback" not in done.stderr


def test_keys(person: Person, home: Path) -> None:
    write(home, {"web": talking("web")})
    with typed(person, "up", cwd=home) as up:
        up.expect("web is here")
        up.expect("d\x1b[0m \x1b[2mDetach")
        up.resize(20, 26)
        up.expect("View Services\x1b[0m")
        up.types("v")
        up.expect("NAME")
        up.expect("Up ")
        up.types("o")
        up.expect("services:")
        up.types("\n")
        up.types("d")
        up.expect("Detached")
        assert up.ends() == 0
    assert states(person, home) == {"web": "running"}


def test_no_menu_where_it_is_not_wanted(person: Person, home: Path) -> None:
    write(home, {"web": talking("web")})
    with typed(person, "up", "--menu=false", cwd=home) as up:
        up.expect("web is here")
        up.types("\x03")
        assert up.ends() == 130
    assert "Detach" not in up.text


def test_the_program_sees_the_size_of_the_window(person: Person, home: Path) -> None:
    text = (
        "trap 'stty size' WINCH; echo ready; until stty size | grep -q '33 99'; do sleep 0.05; done"
    )
    write(home, {"a": script(text, tty=True)})
    with typed(person, "up", cwd=home) as up:
        up.expect("ready")
        up.resize(33, 99)
        up.expect("33 99")
        up.expect("exited with code 0")
        assert up.ends() == 0
