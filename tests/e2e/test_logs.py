"""`logs`: in order of time, and on through restarts, recreation and new replicas."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import Person

pytestmark = pytest.mark.root
TALK = "echo hello from $HOSTNAME; trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done"


class Reader:
    """A `logs --follow` that goes on; what it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.text = ""

    def wait_for(self, test: Callable[[str], bool], seconds: float = 15) -> None:
        """Read until the text is such."""
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        while not test(self.text):
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            assert ready, f"not in time: {self.text}"
            # Not readline: what it buffers beyond a line, select no longer tells of.
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, f"ended: {self.text}"
            self.text += data.decode()


@contextmanager
def following(person: Person, folder: Path, *flags: str) -> Iterator[Reader]:
    process = subprocess.Popen(
        [*COMMAND, "logs", "--follow", *flags], cwd=folder, env=person.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Reader(process)
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def project(person: Person, busybox: str, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "talk"
    folder.mkdir()
    write(folder, {"web": {"image": busybox, "command": ["sh", "-c", TALK.replace("$", "$$")]}})
    yield folder
    person.does("down", "-t", "0", "-v", "--remove-orphans", cwd=folder)


def write(folder: Path, services: dict[str, object]) -> None:
    (folder / "compose.yaml").write_text(json.dumps({"services": services}))


def test_following_goes_on_through_restart_recreation_and_new_replicas(
    person: Person, project: Path, busybox: str
) -> None:
    person.does("up", "-d", cwd=project)
    with following(person, project) as reader:
        reader.wait_for(lambda text: text.count("hello from") == 1)
        person.does("restart", cwd=project)
        reader.wait_for(lambda text: text.count("hello from") == 2)
        assert reader.text.count("bye") == 1
        person.does("up", "-d", "--scale", "web=2", cwd=project)
        reader.wait_for(lambda text: "web-2  | hello" in text)
        person.does("up", "-d", "--force-recreate", "--scale", "web=2", cwd=project)
        reader.wait_for(lambda text: text.count("hello from") == 5)
        assert reader.text.count("bye") == 3
        person.does("stop", cwd=project)
        assert reader.process.wait(timeout=10) == 0
    del busybox


def test_one_replica_alone(person: Person, project: Path) -> None:
    person.does("up", "-d", "--scale", "web=2", cwd=project)
    with following(person, project, "--index", "2", "web") as reader:
        reader.wait_for(lambda text: "hello" in text)
        person.does("restart", cwd=project)
        reader.wait_for(lambda text: text.count("hello") == 2)
        assert "web-1" not in reader.text


def test_a_restart_before_the_first_event_is_followed(person: Person, project: Path) -> None:
    """What there is has been written; the process has not asked for events yet: it loads trio."""
    person.does("up", "-d", cwd=project)
    with following(person, project) as reader:
        reader.wait_for(lambda text: "hello" in text)
        reader.process.send_signal(signal.SIGSTOP)
        person.does("stop", cwd=project)
        reader.process.send_signal(signal.SIGCONT)
        reader.wait_for(lambda text: "bye" in text)
        person.does("start", cwd=project)
        reader.wait_for(lambda text: text.count("hello") == 2)


def test_several_services_are_in_order_of_time(person: Person, project: Path, busybox: str) -> None:
    script = "for n in 1 2 3 4 5; do echo {}; sleep 0.05; done"
    names = ("a", "b", "c")
    write(
        project,
        {name: {"image": busybox, "command": ["sh", "-c", script.format(name)]} for name in names},
    )
    person.does("up", "-d", "--remove-orphans", cwd=project)
    person.does("logs", "--follow", cwd=project)  # to their ends
    told = person.does("logs", "--timestamps", "--no-color", cwd=project).splitlines()
    times = [line.partition("| ")[2].split(" ")[0] for line in told]
    assert len(times) == 15
    assert times == sorted(times)
    assert told[0][:1] + told[1][:1] + told[2][:1] != "aaa"
    plain = person.does("logs", "--no-log-prefix", cwd=project).splitlines()
    assert plain == [line.rpartition(" ")[2] for line in told]
    assert person.does("logs", "--tail", "2", "--no-log-prefix", "b", cwd=project) == "b\nb\n"
    until = times[7]
    some = person.does("logs", "-t", "--until", until, "--no-log-prefix", cwd=project).splitlines()
    assert [line.split(" ")[0] for line in some] == times[:8]
    rest = person.does("logs", "-t", "--since", until, "--no-log-prefix", cwd=project).splitlines()
    assert [line.split(" ")[0] for line in rest] == times[7:]
    told = person.does("logs", "--follow", "--timestamps", "--no-log-prefix", cwd=project)
    assert [line.split(" ")[0] for line in told.splitlines()] == times
