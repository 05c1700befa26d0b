"""Engines that are killed again and again: what runs is not disturbed, and nothing of it is lost or misjudged."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import docker
import pytest

from tests.integration.engine.containers.lives import (
    connected,
    emptied_engine,
    kill,
    kill_and_start,
    until,
)
from tests.own_engine import HOUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container

    from tests.own_engine import OwnEngine

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"
PORT = 23207
PAGE = "busybox mkdir -p /www; echo page > /www/index.html; exec busybox httpd -f -p 80 -h /www"
COUNT = "n=0; while :; do echo $n; echo $n >&2; n=$((n+1)); busybox usleep 2000; done"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    with emptied_engine(tmp_path_factory.mktemp("engine"), "10.103.128.0/18") as engine:
        yield engine


def start_and_kill(engine: OwnEngine, after: float) -> None:
    """The next engine, killed so many seconds after it was called: in its start, or soon after."""
    command = [sys.executable, "-m", "engine", "serve"]
    child = subprocess.Popen(
        command, cwd=HOUSE, env=engine.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    time.sleep(after)  # any moment of its start
    child.kill()
    child.wait()


def health(client: docker.DockerClient, container: Container) -> str:
    return str(client.api.inspect_container(container.id)["State"]["Health"]["Status"])


def counted(container: Container) -> tuple[list[int], list[int]]:
    """What it has said on stdout and stderr, a number a line."""
    said = [
        container.logs(stdout=out, stderr=not out).decode().split("\n") for out in (True, False)
    ]
    first, second = ([int(line) for line in lines if line] for lines in said)
    return first, second


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_whenever_the_engine_is_killed(engine: OwnEngine, seed: int) -> None:
    chance = random.Random(seed)
    with closing(connected(engine)) as client:
        net = client.networks.create("tests-live")
        check = {"test": ["CMD", "cat", "/www/index.html"], "interval": 10**8, "retries": 2}

        def run(name: str, script: str, **more: object) -> Container:
            return client.containers.run(
                IMAGE, ["sh", "-c", script], name=name, network="tests-live", detach=True, **more
            )

        page = run("tests-page", PAGE, ports={"80/tcp": ("127.0.0.1", PORT)}, healthcheck=check)
        counting = run("tests-count", COUNT)
        comes_back = run(
            "tests-back", "echo up; sleep 0.3; exit 4", restart_policy={"Name": "always"}
        )
        kept = {one.id: client.api.inspect_container(one.id)["State"] for one in (page, counting)}
        restarts = 0
        for round_ in range(3):
            code = 10 + round_
            ending = run(f"tests-end-{round_}", f"sleep {chance.uniform(0, 0.5):.3f}; exit {code}")
            running = client.api.exec_create(page.id, ["sh", "-c", "sleep 0.2; echo >>/execs"])
            client.api.exec_start(running["Id"], detach=True)
            if chance.random() < 0.5:
                kill(engine)
                start_and_kill(engine, chance.uniform(0.05, 0.6))
                started = engine.command("serve", "--detach")
                assert started.returncode == 0, started.stderr
            else:
                kill_and_start(engine, pause=chance.uniform(0, 0.5))
            assert ending.wait(timeout=10)["StatusCode"] == code
            for key, state in kept.items():
                now = client.api.inspect_container(key)["State"]
                assert (now["Pid"], now["StartedAt"]) == (state["Pid"], state["StartedAt"])
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5) as answer:
                assert answer.read() == b"page\n"
            seen = counting.exec_run(["busybox", "wget", "-qO-", "http://tests-page/"])
            assert seen.output == b"page\n"
            before, restarts = restarts, client.api.inspect_container(comes_back.id)["RestartCount"]
            assert restarts >= before
        until(lambda: client.api.inspect_container(comes_back.id)["RestartCount"] > restarts)
        until(lambda: health(client, page) == "healthy")
        assert page.exec_run(["wc", "-l", "/execs"]).output.split()[0] == b"3"
        counting.stop(timeout=0)
        for numbers in counted(counting):
            assert numbers == list(range(len(numbers)))
            assert len(numbers) > 100
        for container in client.containers.list(all=True):
            container.remove(force=True)
        net.remove()


def test_a_follower_reads_on_where_it_was_cut_off(engine: OwnEngine) -> None:
    with closing(connected(engine)) as client:
        counting = client.containers.run(IMAGE, ["sh", "-c", COUNT], detach=True)
        lines: list[bytes] = []
        for _ in range(4):
            since = lines[-1].split()[0].decode() if lines else None
            stream = client.api.logs(
                counting.id, stream=True, follow=True, stderr=False, timestamps=True,
                **({"since": stamp(since)} if since else {}),
            )  # fmt: skip
            got, killed = b"", False
            try:
                for piece in stream:
                    got += piece
                    if got.count(b"\n") > 50 and not killed:
                        killed = True
                        kill_and_start(engine)
            except (docker.errors.DockerException, OSError):
                pass  # the engine that it read from is gone
            whole = got[: got.rindex(b"\n") + 1].splitlines()
            lines += [line for line in whole if not lines or line > lines[-1]]
        numbers = [int(line.split()[1]) for line in lines]
        assert numbers == list(range(len(numbers)))
        counting.remove(force=True)


def stamp(text: str) -> float:
    """A log line's time in seconds since the epoch, rounded down so that nothing is left out."""
    import datetime as dt

    moment = dt.datetime.fromisoformat(f"{text[:19]}+00:00")
    return float(int(moment.timestamp()))


def test_files_of_names_that_an_older_engine_mounted_still_change(engine: OwnEngine) -> None:
    with closing(connected(engine)) as client:
        nets = [client.networks.create(f"tests-older-{n}") for n in range(2)]
        one = client.containers.run(
            IMAGE, ["sleep", "1000"], network="tests-older-0", hostname="older", detach=True
        )
        kill(engine)
        run_dir = engine.run_dir / "containers" / one.id
        older = engine.folder / "root" / "containers" / one.id
        for name in ("hosts", "hostname", "resolv.conf"):
            os.rename(run_dir / name, older / name)
        text = (run_dir / "spec.json").read_text()
        for name in ("hosts", "hostname", "resolv.conf"):
            assert f'"{run_dir}/{name}"' in text
            text = text.replace(f'"{run_dir}/{name}"', f'"{older}/{name}"')
        (run_dir / "spec.json").write_text(text)
        started = engine.command("serve", "--detach")
        assert started.returncode == 0, started.stderr
        nets[1].connect(one)
        address = client.api.inspect_container(one.id)["NetworkSettings"]["Networks"]["tests-older-1"]["IPAddress"]  # fmt: skip
        assert address in one.exec_run(["cat", "/etc/hosts"]).output.decode()
        one.restart(timeout=0)
        hosts = one.exec_run(["cat", "/etc/hosts"]).output.decode()
        assert hosts.count("older") == 2
        one.remove(force=True)
        for net in nets:
            net.remove()
