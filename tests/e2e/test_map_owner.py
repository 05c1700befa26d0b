"""Binds whose owner is the container's user, as a project asks for them: what is written is the person's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.projects import sleeping, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Person

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("busybox")]
OWNER = (1234, 2345)


@pytest.fixture
def home(person: Person, tmp_path: Path) -> Iterator[Path]:
    """A project's folder with `data` in it, which belongs to somebody, and a file of theirs."""
    folder = tmp_path / "yard"
    (folder / "data").mkdir(parents=True)
    (folder / "data/before").write_text("before")
    for path in (folder / "data", folder / "data/before"):
        os.chown(path, *OWNER)
    yield folder
    person.does("down", "-t", "0", "-v", cwd=folder)


def owner(path: Path) -> tuple[int, int]:
    """Who a file belongs to on the host."""
    status = path.stat()
    return status.st_uid, status.st_gid


def own(target: str, *, mapped: bool) -> dict[str, Any]:
    """The folder as a bind with a word of its own."""
    return {
        "type": "bind", "source": "./data", "target": target, "bind": {"x-map-owner": mapped},
    }  # fmt: skip


@pytest.mark.parametrize("user", ["0:0", "101:102", f"{OWNER[0]}:{OWNER[1]}"])
@pytest.mark.parametrize("userns", [{}, {"userns_mode": "auto"}])
def test_what_any_user_writes_belongs_to_the_folders_owner(
    person: Person, home: Path, user: str, userns: dict[str, Any]
) -> None:
    web = sleeping(
        user=user,
        volumes=["./data:/data", "./data:/locked:ro", own("/own", mapped=False)],
        **userns,
    )
    write(home, {"web": web}, **{"x-map-owner": True})
    person.does("up", "-d", cwd=home)
    seen = person.does("exec", "-T", "web", "stat", "-c", "%u:%g", "/data/before", cwd=home)
    assert seen.strip() == user
    script = "echo more >> /data/before; mkdir /data/folder && echo new > /data/folder/new"
    person.does("exec", "-T", "web", "sh", "-c", script, cwd=home)
    for name in ("before", "folder", "folder/new"):
        assert owner(home / "data" / name) == OWNER, name
    locked = person.pycompose("exec", "-T", "web", "touch", "/locked/new", cwd=home)
    assert (locked.returncode, "Read-only file system" in locked.stderr) == (1, True)
    as_it_is = person.does("exec", "-T", "web", "stat", "-c", "%u:%g", "/own/before", cwd=home)
    assert as_it_is.strip() == ":".join(map(str, OWNER))
    assert person.pycompose("plan", cwd=home).stdout == "nothing to do\n"


def test_a_run_has_it_too_by_the_project_or_by_its_own_option(person: Person, home: Path) -> None:
    for number, (document, option) in enumerate(
        [({"x-map-owner": True}, ""), ({}, ":map-owner"), ({}, ":rw")]
    ):
        write(home, {"web": sleeping()}, **document)
        made = f"/data/{number}"
        volume = f"{home}/data:/data{option}"
        person.does("run", "--rm", "-T", "-v", volume, "web", "touch", made, cwd=home)
    assert [owner(home / f"data/{number}") for number in range(3)] == [OWNER, OWNER, (0, 0)]


def test_who_says_it_later_makes_the_container_anew(person: Person, home: Path) -> None:
    write(home, {"web": sleeping(volumes=["./data:/data"])})
    person.does("up", "-d", cwd=home)
    write(home, {"web": sleeping(volumes=["./data:/data"])}, **{"x-map-owner": True})
    assert "recreate container yard-web-1" in person.pycompose("plan", cwd=home).stdout
    person.does("up", "-d", cwd=home)
    person.does("exec", "-T", "web", "touch", "/data/new", cwd=home)
    assert owner(home / "data/new") == OWNER


def test_a_file_system_that_cannot_map_is_named(person: Person, home: Path) -> None:
    write(home, {"web": sleeping(volumes=["/proc/self:/host"])}, **{"x-map-owner": True})
    done = person.pycompose("up", "-d", cwd=home)
    assert done.returncode == 1
    reason = "cannot mount /proc/self to /host: its file system has no idmapped mounts, which map-owner needs"
    assert done.stderr.splitlines()[-1].endswith(reason)
    assert "Traceback" not in done.stderr
