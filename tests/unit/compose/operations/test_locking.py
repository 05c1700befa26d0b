"""The lock file: what is read, what differs, what is to be fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compose.errors import ProjectError
from compose.operations.locking import compare, differences, digest_here, read_lock, write_lock

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "compose.lock.json"
    images = {"redis:7": {"digest": ONE}, "app-web": {"id": TWO}}
    write_lock(path, images)
    assert read_lock(path) == images
    assert [one.name for one in tmp_path.iterdir()] == ["compose.lock.json"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "no lock file"),
        ("{}", "no lock file"),
        ('{"version": 9, "images": {}}', "version 9"),
        ('{"version": 1, "images": {"a": 5}}', "no lock file"),
    ],
)
def test_a_file_that_is_none_is_said_so(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "compose.lock.json"
    path.write_text(text)
    with pytest.raises(ProjectError, match=words):
        read_lock(path)
    with pytest.raises(ProjectError, match="is missing"):
        read_lock(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "digests", "found"),
    [
        ("redis:7", [f"other@{TWO}", f"redis@{ONE}"], ONE),
        ("docker.io/library/redis", [f"redis@{ONE}"], ONE),
        ("localhost:5000/redis:7", [f"redis@{ONE}"], ""),
        (f"redis@{TWO}", [f"redis@{ONE}"], TWO),
        ("redis", [], ""),
    ],
)
def test_the_digest_of_a_name(name: str, digests: list[str], found: str) -> None:
    assert digest_here(name, {"RepoDigests": digests}) == found


def test_differences_in_words() -> None:
    locked = {"a": {"digest": ONE}, "b": {"id": ONE}, "gone": {"id": ONE}}
    found = {"a": {"digest": ONE}, "b": {"id": TWO}, "new": {"digest": ONE}}
    assert differences(locked, found) == ["new is not in it", f"b is {TWO}, not {ONE}"]


def test_what_is_fetched_and_what_is_refused() -> None:
    locked = {"redis": {"digest": ONE}, "app-web": {"id": TWO}, "same": {"digest": TWO}}
    here = {
        "redis": {"Id": TWO, "RepoDigests": [f"redis@{TWO}"]},
        "same": {"Id": TWO, "RepoDigests": [f"same@{TWO}"]},
        "app-web": {},
        "extra": {"Id": ONE},
    }
    wrong, missing = compare(locked, here)
    assert missing == {"redis": ONE}
    assert wrong == [
        f"app-web is not here, and compose.lock.json has {TWO}",
        "extra is not in compose.lock.json",
    ]


def test_the_file_is_stable(tmp_path: Path) -> None:
    path = tmp_path / "compose.lock.json"
    write_lock(path, {"b": {"id": ONE}, "a": {"id": TWO}})
    assert list(json.loads(path.read_text())["images"]) == ["a", "b"]
