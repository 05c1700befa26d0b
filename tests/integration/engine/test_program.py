"""`python -m engine`: started by several at once, started where it cannot run, asked and stopped."""

from __future__ import annotations

import os
import resource
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.traces import Traces
from tests.own_engine import HOUSE

pytestmark = pytest.mark.root


def begin(
    folder: Path, *arguments: str, limit: tuple[int, int] | None = None
) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(HOUSE),
        "PYCOMPOSE_ROOT": str(folder / "root"),
        "PYCOMPOSE_RUN_DIR": str(folder / "run"),
        "PYCOMPOSE_ADDRESS_POOL": "10.197.0.0/16",
    }
    limited = ["prlimit", f"--nofile={limit[0]}:{limit[1]}"] if limit else []
    return subprocess.Popen(
        [*limited, sys.executable, "-m", "engine", *arguments], cwd=folder, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_of_three_starts_at_once_one_engine_comes(tmp_path: Path) -> None:
    starts = [begin(tmp_path, "serve", "--detach") for _ in range(3)]
    try:
        assert [end(start) for start in starts] == [(0, "", "")] * 3
        code, said, _ = end(begin(tmp_path, "status"))
        assert (code, said.split(":")[0]) == (0, "the engine runs")
        code, _, err = end(begin(tmp_path, "serve"))
        assert code == 1
        assert err.startswith("an engine runs already for")
        assert err.count("\n") == 1
    finally:
        assert end(begin(tmp_path, "stop"))[0] == 0
    assert end(begin(tmp_path, "stop"))[:2] == (0, f"no engine runs for {tmp_path / 'run'}\n")
    assert end(begin(tmp_path, "status"))[0] == 1
    assert Traces.of(tmp_path).words() == []


def test_an_engine_outlives_whoever_waited_for_it(tmp_path: Path) -> None:
    start = begin(tmp_path, "serve", "--detach")
    children = Path(f"/proc/{start.pid}/task/{start.pid}/children")
    while not children.read_text():
        assert start.poll() is None
    engine = os.pidfd_open(int(children.read_text()))
    start.kill()
    end(start)
    try:
        while end(begin(tmp_path, "status"))[0]:
            assert not select.select([engine], [], [], 0)[0], (
                tmp_path / "run/engine.log"
            ).read_text()
    finally:
        os.close(engine)
        assert end(begin(tmp_path, "stop"))[0] == 0
    assert Traces.of(tmp_path).words() == []


def test_an_engine_takes_the_descriptors_it_may_have_and_containers_what_it_was_given(
    tmp_path: Path,
) -> None:
    try:
        assert end(begin(tmp_path, "serve", "--detach", limit=(300, 900)))[0] == 0
        engine = int((tmp_path / "run/engine.lock").read_text())
        assert resource.prlimit(engine, resource.RLIMIT_NOFILE) == (900, 900)
        children = Path(f"/proc/{engine}/task/{engine}/children").read_text().split()
        (fork_server,) = [
            int(pid)
            for pid in children
            if b"fork_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        assert resource.prlimit(fork_server, resource.RLIMIT_NOFILE) == (300, 900)
    finally:
        assert end(begin(tmp_path, "stop"))[0] == 0


def test_an_engine_that_cannot_start_says_why_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/engine.db").write_text("this is not a database\n" * 100)
    code, out, err = end(begin(tmp_path, "serve", "--detach"))
    assert (code, out) == (1, "")
    assert "engine.db" in err
    assert err.count("\n") == 1
    (tmp_path / "root/engine.db").unlink()
    assert Traces.of(tmp_path).words() == []
