"""`up` disturbed: cut off, killed, run twice, without its engine. What is there stays consistent,
`up` again finishes the job, `down` removes all of it."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.projects import sleeping, write
from tests.e2e.traces import Traces
from tests.e2e.typed import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Person

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("busybox")]

MANY = {f"s{number}": sleeping() for number in range(8)}


@pytest.fixture
def home(person: Person, tmp_path: Path) -> Iterator[Path]:
    """A folder whose project `down` takes away without a trace."""
    folder = tmp_path / "shop"
    folder.mkdir()
    yield folder
    person.does("down", "-t", "0", "-v", cwd=folder)
    assert person.does("ps", "-aq", cwd=folder) == ""
    left = Traces.of(person.run_dir.parent)
    assert not left.mounts
    assert not [link for link in left.links if link.startswith("ve")]


def states(person: Person, home: Path) -> dict[str, str]:
    """Container's name -> state."""
    lines = person.does("ps", "-a", "--format", "{{.Name}} {{.State}}", cwd=home)
    return dict(line.split() for line in lines.splitlines())


def is_whole(person: Person, home: Path, count: int) -> bool:
    """Whether all run under their own names, and `up` finds nothing to do."""
    found = states(person, home)
    names = {f"shop-s{number}-1" for number in range(count)}
    assert set(found) == names
    assert set(found.values()) == {"running"}
    return person.pycompose("plan", cwd=home).returncode == 0


@pytest.mark.parametrize("words", ["Network", "Creating", "Created", "Starting", "Started"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_command_is_cut_off(
    person: Person, home: Path, words: str, number: signal.Signals
) -> None:
    write(home, MANY)
    with typed(person, "up", "-d", cwd=home, terminal=False) as up:
        up.expect(words)
        up.sends(number)
        code = up.ends()
    assert code == (-number if number == signal.SIGKILL else 130)
    assert "Traceback" not in up.text
    person.does("up", "-d", cwd=home)
    assert is_whole(person, home, len(MANY))


@pytest.mark.parametrize("words", ["Recreate", "Recreated", "Starting"])
def test_a_replacement_is_cut_off(person: Person, home: Path, words: str) -> None:
    write(home, MANY)
    person.does("up", "-d", cwd=home)
    write(home, {name: {**one, "user": "1"} for name, one in MANY.items()})
    with typed(person, "up", "-d", "-t", "0", cwd=home, terminal=False) as up:
        up.expect(words)
        up.sends(signal.SIGKILL)
        up.ends()
    person.does("up", "-d", "-t", "0", cwd=home)
    assert is_whole(person, home, len(MANY))


@pytest.mark.parametrize("words", ["Network", "Created", "Started"])
def test_the_engine_is_killed_in_the_middle(person: Person, home: Path, words: str) -> None:
    write(home, MANY)
    with typed(person, "up", "-d", cwd=home, terminal=False) as up:
        up.expect(words)
        os.kill(int((person.run_dir / "engine.lock").read_text().split()[0]), signal.SIGKILL)
        code = up.ends()
    assert "Traceback" not in up.text
    if code:
        assert "engine" in up.text.splitlines()[-1]
    person.does("up", "-d", cwd=home)
    assert is_whole(person, home, len(MANY))


def test_the_second_up_waits_and_says_for_whom(person: Person, home: Path) -> None:
    ready = {"test": ["CMD", "test", "-e", "/here/ready"], "interval": "0.1s", "retries": 1000}
    first = sleeping(healthcheck=ready, volumes=[".:/here"])
    second = sleeping(depends_on={"s0": {"condition": "service_healthy"}})
    write(home, {"s0": first, "s1": second})
    with typed(person, "up", "-d", cwd=home, terminal=False) as one:
        one.expect("Waiting")
        with typed(person, "up", "-d", cwd=home, terminal=False) as two:
            pid = one.process.pid
            two.expect(f'up -d (process {pid}), which is changing project "shop"')
            (home / "ready").touch()
            assert (one.ends(), two.ends()) == (0, 0)
            assert "Creating" not in two.text
    assert is_whole(person, home, 2)


def test_many_at_once(person: Person, home: Path) -> None:
    write(home, MANY)
    with ExitStack() as stack:
        ups = [
            stack.enter_context(typed(person, "up", "-d", cwd=home, terminal=False))
            for _ in range(4)
        ]
        assert [one.ends() for one in ups] == [0, 0, 0, 0], [one.text for one in ups]
    assert is_whole(person, home, len(MANY))


def test_down_ends_an_up_that_waits(person: Person, home: Path) -> None:
    never = {"test": ["CMD", "false"], "interval": "0.1s", "retries": 1000}
    needs = {"s0": {"condition": "service_healthy"}}
    write(home, {"s0": sleeping(healthcheck=never), "s1": sleeping(depends_on=needs)})
    with typed(person, "up", "-d", cwd=home, terminal=False) as up:
        up.expect("Waiting")
        person.does("down", "-t", "0", cwd=home)
        assert up.ends() == 1
    assert "shop-s0-1" in up.text.splitlines()[-1]
    assert states(person, home) == {}


def test_a_port_that_is_taken_half_way(person: Person, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        services = {
            **{f"s{number}": sleeping() for number in range(3)},
            "s3": sleeping(depends_on=["s0"], ports=[f"127.0.0.1:{port}:80"]),
            "s4": sleeping(depends_on=["s3"]),
        }
        write(home, services)
        done = person.pycompose("up", "-d", cwd=home)
        assert done.returncode == 1
        line = done.stderr.splitlines()[-1]
        assert "s3" in line
        assert str(port) in line
        assert "already" in line
        found = states(person, home)
        assert found["shop-s0-1"] == "running"
        assert {found["shop-s3-1"], found["shop-s4-1"]} == {"created"}
    person.does("up", "-d", cwd=home)
    assert is_whole(person, home, 5)


def test_a_container_that_was_removed_behind_our_back(person: Person, home: Path) -> None:
    needs = {"s0": {"condition": "service_healthy"}}
    never = {"test": ["CMD", "false"], "interval": "0.1s", "retries": 1000}
    write(home, {"s0": sleeping(healthcheck=never), "s1": sleeping(depends_on=needs)})
    with typed(person, "up", cwd=home, terminal=False) as up:
        up.expect("Attaching")
        begun = time.monotonic()
        while states(person, home).get("shop-s0-1") != "running":
            assert time.monotonic() - begun < 20
        person.does("down", "-t", "0", cwd=home)
        up.ends()
    assert "Traceback" not in up.text


@pytest.mark.parametrize("seed", range(6))
def test_cut_off_at_any_moment(person: Person, home: Path, seed: int) -> None:
    chance = random.Random(seed)
    healthy = {"test": ["CMD", "true"], "interval": "1s"}
    services = {
        "s0": sleeping(healthcheck=healthy),
        "s1": sleeping(depends_on={"s0": {"condition": "service_healthy"}}),
        "s2": sleeping(network_mode="service:s1"),
    }
    for user in ("0", "1"):  # made, then made anew
        write(home, {name: {**one, "user": user} for name, one in services.items()})
        with typed(person, "up", "-d", "-t", "0", cwd=home, terminal=False) as up:
            time.sleep(chance.uniform(0.05, 0.6))  # any moment is what is meant
            up.sends(chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL]))
            up.ends()
        assert "Traceback" not in up.text
        assert "bug in" not in up.text
        person.does("up", "-d", "-t", "0", cwd=home)
        assert is_whole(person, home, len(services))
