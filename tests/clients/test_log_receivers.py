"""Containers that log to a real systemd-journald and to a real syslogd, in a mount namespace of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest

from tests.bench.sides import import_image
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.root, pytest.mark.peer]
IMAGE = "busybox:bench"
JOURNALD = "/lib/systemd/systemd-journald"
#: A /run and a /dev that the machine's own receivers do not listen in; ours do, for the engine's life.
APART = r"""
case "$*" in *serve*)
  mkdir -p "$0/dev"
  mount -t tmpfs tmpfs /run
  mount -t tmpfs -o mode=755 tmpfs "$0/dev"
  cd "$0/dev" && cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty .
  mkdir shm pts mqueue && ln -s /proc/self/fd fd && mount --rbind /dev/pts pts
  mount --move "$0/dev" /dev && cd "$OLDPWD"
  mkdir -p /run/systemd/journal /run/log/journal
  JOURNALD >"$0/journald" 2>&1 & echo $! >>"$0/pids"
  busybox syslogd -n -O "$0/syslog" >/dev/null 2>&1 & echo $! >>"$0/pids"
  until test -S /run/systemd/journal/socket -a -S /dev/log; do sleep 0.05; done
esac
exec "$@"
""".replace("JOURNALD", JOURNALD)


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the receivers' pids and syslogd's file."""
    assert Path(JOURNALD).exists(), "make peers installs Debian's systemd"
    return tmp_path_factory.mktemp("receivers")


@pytest.fixture(scope="module")
def own_engine(receivers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    prefix = ("unshare", "--mount", "sh", "-c", APART, str(receivers))
    folder = tmp_path_factory.mktemp("engine")
    with running_engine(folder, "10.103.224.0/20", prefix=prefix) as engine:
        import_image(engine.host)
        try:
            yield engine
        finally:
            for pid in (receivers / "pids").read_text().split():
                os.kill(int(pid), signal.SIGKILL)


def until(found: Callable[[], Any]) -> Any:
    """What is found at last: a receiver writes down what it has got in its own time."""
    deadline = time.monotonic() + 20
    while not (it := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return it


def journal(receivers: Path, container: str) -> list[dict[str, Any]]:
    """The entries of a container, oldest first."""
    pid = (receivers / "pids").read_text().split()[0]
    place = f"--directory=/proc/{pid}/root/run/log/journal"
    command = ["journalctl", place, "--all", "-o", "json", f"CONTAINER_ID_FULL={container}"]
    done = subprocess.run(command, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_journald_has_every_line_with_its_fields(
    client: docker.DockerClient, receivers: Path
) -> None:
    assert shutil.which("journalctl")
    script = (
        "echo out; echo err >&2; busybox printf 'a\\001b\\n'; busybox head -c 1000000 /dev/zero |"
        " busybox tr '\\0' x; echo; busybox printf partial"
    )
    container = client.containers.run(
        IMAGE, ["sh", "-c", script], name="tests-journal", detach=True, labels={"of": "tests"},
        environment={"STAGE": "one"},
        log_config={
            "Type": "journald", "Config": {"tag": "{{.Name}}/x", "labels": "of", "env": "STAGE"},
        },
    )  # fmt: skip
    container.wait()
    lines = container.logs(stderr=False).splitlines()
    assert [len(line) for line in lines] == [3, 3, 1_000_000, 7]

    def entries() -> list[dict[str, Any]]:
        found = journal(receivers, container.id)
        return found if any(one["MESSAGE"] == "partial" for one in found) else []

    found = until(entries)
    assert found, (receivers / "journald").read_text()
    words = {one["MESSAGE"]: one for one in found if isinstance(one["MESSAGE"], str)}
    assert (words["out"]["PRIORITY"], words["err"]["PRIORITY"]) == ("6", "3")
    for name, value in {
        "CONTAINER_NAME": "tests-journal", "CONTAINER_ID": container.id[:12], "OF": "tests",
        "CONTAINER_TAG": "tests-journal/x", "SYSLOG_IDENTIFIER": "tests-journal/x", "STAGE": "one",
        "IMAGE_NAME": IMAGE,
    }.items():  # fmt: skip
        assert words["out"][name] == value, name
    binary = next(one["MESSAGE"] for one in found if isinstance(one["MESSAGE"], list))
    assert bytes(binary) == b"a\x01b"
    pieces = [one for one in found if str(one["MESSAGE"]).strip("x") == ""]
    assert sum(len(one["MESSAGE"]) for one in pieces) == 1_000_000
    assert [one.get("CONTAINER_PARTIAL_MESSAGE") for one in pieces][-1] is None
    assert words["partial"]["CONTAINER_PARTIAL_MESSAGE"] == "true"
    container.remove()


def test_syslogd_has_every_line(client: docker.DockerClient, receivers: Path) -> None:
    container = client.containers.run(
        IMAGE, ["sh", "-c", "for n in $(seq 500); do echo line-$n; done; echo last >&2"],
        name="tests-syslog", detach=True,
        log_config={"Type": "syslog", "Config": {"tag": "{{.Name}}", "syslog-facility": "local3"}},
    )  # fmt: skip
    container.wait()

    def written() -> list[str]:
        lines = (receivers / "syslog").read_text().splitlines()
        own = [line for line in lines if " tests-syslog" in line]
        return own if any(line.endswith(" last") for line in own) else []

    lines = until(written)
    assert [line.rpartition(" ")[2] for line in lines] == [
        *(f"line-{n}" for n in range(1, 501)),
        "last",
    ]
    assert " local3.info tests-syslog[" in lines[0]
    assert " local3.err tests-syslog[" in lines[-1]
    assert len(container.logs().splitlines()) == 501
    container.remove()


def test_a_journal_that_is_stopped_and_comes_back_loses_no_container(
    client: docker.DockerClient, receivers: Path
) -> None:
    pid = int((receivers / "pids").read_text().split()[0])
    container = client.containers.run(
        IMAGE, ["sh", "-c", "n=0; while :; do echo $n; n=$((n+1)); done"], detach=True,
        log_config={"Type": "journald", "Config": {"mode": "non-blocking"}},
    )  # fmt: skip
    os.kill(pid, signal.SIGSTOP)
    try:
        assert until(lambda: int(container.logs(tail=1) or 0) > 20_000)
    finally:
        os.kill(pid, signal.SIGCONT)
    container.remove(force=True)
