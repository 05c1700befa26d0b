"""One `up` of a project at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compose.engine_client.endpoint import Endpoint
from compose.errors import ComposeError
from compose.operations.turns import turn

HOLDER = """
import sys
from compose.engine_client.endpoint import Endpoint
from compose.operations.turns import turn
sys.argv = ["pycompose", "up", "-d"]
with turn(Endpoint(sys.stdin.readline().strip()), "shop", print):
    print("mine", flush=True)
    sys.stdin.readline()
"""


def test_the_second_waits_and_says_for_whom(tmp_path: Path) -> None:
    endpoint = Endpoint(f"{tmp_path}/engine.sock")
    told: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        print(endpoint.path, file=holder.stdin, flush=True)
        assert holder.stdout.readline() == "mine\n"

        def let_go(text: str) -> None:
            told.append(text)
            holder.kill()  # however it ends, its turn does

        with turn(endpoint, "other", told.append):
            assert told == []
        with turn(endpoint, "shop", let_go):
            pass
        assert told == [
            f'waiting for pycompose up -d (process {holder.pid}), which is changing project "shop"'
        ]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "turns").write_text("")
    with (
        pytest.raises(ComposeError, match="turns"),
        turn(Endpoint(f"{tmp_path}/engine.sock"), "shop", print),
    ):
        pass
