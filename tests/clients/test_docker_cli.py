"""The docker command line, version 28, works on the engine as a person uses it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.own_engine import OwnEngine

pytestmark = [pytest.mark.root, pytest.mark.peer]
IMAGE = "busybox:bench"
LOOP = "n=0; while :; do n=$((n+1)); echo out $n; echo err $n >&2; sleep 0.1; done"

Run = "Callable[..., subprocess.CompletedProcess[str]]"


@pytest.fixture(scope="module")
def cli(own_engine: OwnEngine) -> Callable[..., subprocess.CompletedProcess[str]]:
    program = shutil.which("docker")
    assert program, "the docker command is not installed"
    environment = {**os.environ, "DOCKER_HOST": own_engine.host}

    def run(*arguments: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments], env=environment, input=typed, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def docker(cli: Callable[..., subprocess.CompletedProcess[str]]) -> Iterator[Callable[..., str]]:
    def succeed(*arguments: str, typed: str | None = None) -> str:
        done = cli(*arguments, typed=typed)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    yield succeed
    left = succeed("ps", "-aq").split()
    if left:
        succeed("rm", "-f", "-v", *left)


def test_info_and_version_have_nothing_to_complain_about(
    cli: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    told = cli("info")
    assert (told.returncode, told.stderr) == (0, "")
    for words in ("Storage Driver: overlay2", "Live Restore Enabled: true", "Profile: builtin"):
        assert words in told.stdout
    version = json.loads(cli("version", "--format", "json").stdout)
    assert version["Server"]["Os"] == "linux"


def test_run_passes_streams_and_exit_codes(
    cli: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = cli("run", "--rm", "-i", IMAGE, "sh", "-c", "cat; echo err >&2; exit 7", typed="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "in\n", "err\n")
    assert cli("run", "--rm", IMAGE, "no-such").returncode == 127
    assert cli("run", "--rm", IMAGE, "/bin").returncode == 126
    assert cli("run", "--rm", "--no-such-flag", IMAGE).returncode == 125
    assert cli("ps", "-aq").stdout == ""


def test_a_containers_day(docker: Callable[..., str]) -> None:
    docker(
        "run",
        "-d",
        "--name",
        "day",
        "-l",
        "a=b",
        "-p",
        "127.0.0.1:31511:80",
        IMAGE,
        "sh",
        "-c",
        LOOP,
    )
    assert docker("port", "day") == "80/tcp -> 127.0.0.1:31511\n"
    assert docker("ps", "--format", "{{.Names}} {{.Status}}").startswith("day Up")
    assert "sh -c n=0" in docker("top", "day")
    assert docker("top", "day", "-o", "pid,comm").splitlines()[0].split() == ["PID", "COMMAND"]
    told = json.loads(docker("stats", "--no-stream", "--format", "json", "day"))
    assert (told["Name"], "/" in told["MemUsage"], int(told["PIDs"]) > 0) == ("day", True, True)
    assert docker("exec", "-e", "X=y", "-w", "/bin", "-u", "12:34", "day", "sh", "-c",
                  "echo $X $PWD; busybox id -u; busybox id -g") == "y /bin\n12\n34\n"  # fmt: skip
    docker("exec", "day", "sh", "-c", "echo new > /new; busybox rm /bin/true")
    assert docker("diff", "day") == "C /bin\nD /bin/true\nA /new\n"
    docker("update", "--memory", "64m", "--memory-swap", "64m", "--restart", "no", "day")
    assert docker("inspect", "-f", "{{.HostConfig.Memory}}", "day") == f"{64 << 20}\n"
    docker("pause", "day")
    assert "Paused" in docker("ps", "--format", "{{.Status}}")
    docker("unpause", "day")
    docker("rename", "day", "night")
    docker("restart", "-t", "0", "night")
    docker("kill", "-s", "KILL", "night")
    assert docker("wait", "night") == "137\n"
    docker("start", "night")
    docker("stop", "-t", "1", "night")
    lines = docker("logs", "-t", "--tail", "2", "night").splitlines()
    assert len(lines) >= 1
    assert docker("logs", "--since", "1h", "--until", "0s", "night")
    docker("commit", "-m", "words", "-c", 'CMD ["cat", "/new"]', "night", "tests/cli:1")
    assert docker("run", "--rm", "tests/cli:1") == "new\n"
    docker("rmi", "-f", "tests/cli:1")
    own_id = docker("inspect", "-f", "{{.Id}}", "night").strip()
    actions = docker("events", "--since", "10m", "--until", str(int(time.time()) + 1), "--filter", f"container={own_id}",
                     "--format", "{{.Action}}").split("\n")  # fmt: skip
    for action in (
        "create",
        "start",
        "pause",
        "unpause",
        "rename",
        "kill",
        "die",
        "stop",
        "commit",
    ):
        assert action in actions
    assert "night" in docker("container", "prune", "-f") or docker("ps", "-aq") == ""


def test_cp_follows_dockers_rules(docker: Callable[..., str], tmp_path: Path) -> None:
    docker("run", "-d", "--name", "files", IMAGE, "sh", "-c",
           "busybox mkdir -p /d/sub; echo 1 > /d/f; busybox ln -s f /d/l; exec sleep 1000")  # fmt: skip
    while docker("exec", "files", "ls", "/d").split() != ["f", "l", "sub"]:
        pass
    docker("cp", "files:/d", str(tmp_path / "new"))
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["f", "l", "sub"]
    docker("cp", "files:/d/.", str(tmp_path / "new"))
    assert not (tmp_path / "new" / "d").exists()
    docker("cp", "files:/d/l", str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    docker("cp", "-L", "files:/d/l", str(tmp_path / "followed"))
    assert (tmp_path / "followed").read_text() == "1\n"
    source = tmp_path / "up"
    source.mkdir()
    (source / "inner").write_text("in")
    docker("cp", str(source), "files:/d/sub")
    docker("cp", f"{source}/.", "files:/d/sub")
    docker("cp", "-a", str(source / "inner"), "files:/d/renamed")
    assert (
        docker("exec", "files", "sh", "-c", "cat /d/sub/up/inner /d/sub/inner /d/renamed")
        == "ininin"
    )
    assert docker("exec", "-i", "files", "cat", typed="typed") == "typed"
    docker("export", "-o", str(tmp_path / "root.tar"), "files")
    with tarfile.open(tmp_path / "root.tar") as archive:
        assert "d/sub/inner" in archive.getnames()


def test_volumes_and_df(docker: Callable[..., str]) -> None:
    docker("volume", "create", "--label", "a=b", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o",
           "o=size=1m", "tests-cli")  # fmt: skip
    assert docker("volume", "ls", "-q", "-f", "label=a=b") == "tests-cli\n"
    mount = "type=volume,source=tests-cli,target=/t"
    assert "1024" in docker("run", "--rm", "--mount", mount, IMAGE, "busybox", "df", "-k", "/t")
    assert "tests-cli" in docker("system", "df", "-v")
    assert "Total reclaimed space" in docker("volume", "prune", "-f")
    docker("volume", "rm", "tests-cli")


def test_attach_joins_and_ends_with_the_program(docker: Callable[..., str]) -> None:
    docker(
        "run", "-d", "-i", "--name", "heard", IMAGE, "sh", "-c", "read line; echo got $line; exit 0"
    )
    assert docker("attach", "heard", typed="word\n") == "got word\n"
