"""docker's configuration file and its helper programs, read and written."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from compose.errors import ComposeError
from compose.operations import credentials as room
from compose.operations.credentials import credentials, erase, read_config, store

HUB = "https://index.docker.io/v1/"
#: Keeps what it is given in a file beside it, as docker-credential-helpers do.
HELPER = """#!/bin/sh
folder=$(dirname "$0")
case "$1" in
    store) cat > "$folder/kept" ;;
    get) cat >/dev/null; [ -e "$folder/kept" ] && cat "$folder/kept" || { echo "credentials not found"; exit 1; } ;;
    erase) cat >/dev/null; rm "$folder/kept" ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(HELPER)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return {"DOCKER_CONFIG": str(tmp_path / "docker")}


def pair(name: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("auths", "registry", "expected"),
    [
        ({HUB: pair("me", "a:b")}, "docker.io", ("me", "a:b")),
        ({"docker.io": pair("me", "1")}, "registry-1.docker.io", ("me", "1")),
        ({"r.test:5000": pair("me", "1")}, "r.test:5000", ("me", "1")),
        ({"https://r.test/v1/": pair("me", "1")}, "r.test", ("me", "1")),
        ({"r.test": {"username": "me", "password": "1"}}, "r.test", ("me", "1")),
        ({"r.test": {"auth": "!!"}}, "r.test", None),
        ({"r.test": {}}, "r.test", None),
        ({}, "r.test", None),
    ],
)
def test_entries_of_all_ages(
    auths: dict[str, Any], registry: str, expected: tuple[str, str] | None
) -> None:
    found = credentials({"auths": auths}, registry)
    assert ((found and (found["username"], found["password"])) or None) == expected


def test_what_is_stored_is_found_and_erased(environment: dict[str, str]) -> None:
    path = Path(environment["DOCKER_CONFIG"]) / "config.json"
    path.parent.mkdir()
    path.write_text('{"psFormat": "kept"}')
    assert store(environment, "r.test", {"username": "me", "password": "1:2"}) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = credentials(read_config(environment), "r.test")
    assert (found["username"], found["password"]) == ("me", "1:2")
    store(environment, "", {"username": "me", "identitytoken": "t"})
    assert credentials(read_config(environment), "docker.io")["identitytoken"] == "t"
    assert erase(environment, "https://r.test")
    assert not erase(environment, "r.test")
    document = json.loads(path.read_text())
    assert (list(document["auths"]), document["psFormat"]) == ([HUB], "kept")


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_helpers_keep_what_the_file_does_not(environment: dict[str, str], key: str) -> None:
    room.write_config(environment, {key: "test" if key == "credsStore" else {"r.test": "test"}})
    assert store(environment, "r.test", {"username": "me", "password": "secret"}) is None
    path = Path(environment["DOCKER_CONFIG"]) / "config.json"
    assert "secret" not in path.read_text()
    kept = path.parent.parent / "kept"
    assert json.loads(kept.read_text())["ServerURL"] == "r.test"
    assert credentials(read_config(environment), "r.test")["password"] == "secret"
    assert erase(environment, "r.test")
    assert not kept.exists()
    assert credentials(read_config(environment), "r.test") == {}


def test_a_helper_that_is_not_there(environment: dict[str, str]) -> None:
    room.write_config(environment, {"credsStore": "absent"})
    assert credentials(read_config(environment), "r.test") == {}
    with pytest.raises(ComposeError, match="docker-credential-absent"):
        store(environment, "r.test", {"username": "me", "password": "1"})


def test_a_broken_file_is_no_file(environment: dict[str, str]) -> None:
    path = Path(environment["DOCKER_CONFIG"]) / "config.json"
    path.parent.mkdir()
    for text in ("{", "[]", "\0"):
        path.write_text(text)
        assert read_config(environment) == {}
