"""The watched tree, on the kernel's own inotify."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from compose.watch import tree as rooms
from compose.watch.rules import Changes
from compose.watch.tree import WatchedTree


def names(folder: Path, changes: Changes) -> tuple[set[str], set[str]]:
    """Changed and deleted, relative to the folder."""
    return tuple(
        {os.path.relpath(one, folder) for one in part}
        for part in (changes.changed, changes.deleted)
    )  # type: ignore[return-value]


@pytest.fixture
def src(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "a").mkdir(parents=True)
    (folder / "a/one").write_text("1")
    return folder


@pytest.fixture
def seen(src: Path) -> Iterator[WatchedTree]:
    with WatchedTree([str(src)], lambda path: path.endswith(".skip")) as found:
        assert not found.begin()
        yield found


async def batch(found: WatchedTree) -> Changes:
    with trio.fail_after(5):
        return await found.wait_changes()


async def test_written_made_and_deleted(seen: WatchedTree, src: Path) -> None:
    (src / "a/one").write_text("22")
    (src / "two").write_text("2")
    (src / "no.skip").write_text("")
    assert names(src, await batch(seen)) == ({"a/one", "two"}, set())
    (src / "two").unlink()
    assert names(src, await batch(seen)) == (set(), {"two"})


async def test_new_folders_are_seen_with_what_was_put_in_at_once(
    seen: WatchedTree, src: Path
) -> None:
    (src / "x/y").mkdir(parents=True)
    (src / "x/y/deep").write_text("1")
    assert names(src, await batch(seen))[0] == {"x", "x/y", "x/y/deep"}
    (src / "x/y/later").write_text("1")
    assert names(src, await batch(seen))[0] == {"x/y/later"}


async def test_a_folder_that_goes_is_told_as_one(seen: WatchedTree, src: Path) -> None:
    shutil.rmtree(src / "a")
    assert names(src, await batch(seen)) == (set(), {"a"})


async def test_a_folder_that_moves(seen: WatchedTree, src: Path) -> None:
    (src / "a").rename(src / "b")
    assert names(src, await batch(seen)) == ({"b", "b/one"}, {"a"})
    (src / "b/one").write_text("333")
    assert names(src, await batch(seen)) == ({"b/one"}, set())


async def test_an_editor_that_replaces_the_file(seen: WatchedTree, src: Path) -> None:
    (src / "a/.new").write_text("edited")
    (src / "a/.new").rename(src / "a/one")
    assert names(src, await batch(seen)) == ({"a/one"}, set())


async def test_a_file_as_root_and_a_root_that_comes_later(tmp_path: Path) -> None:
    file, later = tmp_path / "conf", tmp_path / "x/later"
    file.write_text("1")
    with WatchedTree([str(file), str(later)], lambda _: False) as found:
        found.begin()
        (tmp_path / "other").write_text("not asked for")
        file.write_text("22")
        assert names(tmp_path, await batch(found)) == ({"conf"}, set())
        later.mkdir(parents=True)
        (later / "f").write_text("1")
        assert names(tmp_path, await batch(found))[0] >= {"x/later"}
        (later / "g").write_text("1")
        while "x/later/g" not in names(tmp_path, await batch(found))[0]:
            pass


async def test_what_happened_while_nobody_looked(seen: WatchedTree, src: Path) -> None:
    seen.pause()
    (src / "a/one").unlink()
    (src / "new").write_text("1")
    assert names(src, seen.begin()) == ({"new"}, {"a/one"})
    (src / "new").write_text("22")
    assert names(src, await batch(seen)) == ({"new"}, set())


async def test_a_queue_that_ran_over(seen: WatchedTree, src: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(limit // 2):  # two events or more each
        (src / "a" / str(number)).touch()
    (src / "last").touch()
    found: set[str] = set()
    while "last" not in found:
        found |= names(src, await batch(seen))[0]
    assert len(found) == limit // 2 + 1


async def test_a_tree_of_ten_thousand_files(tmp_path: Path) -> None:
    for folder in range(100):
        (tmp_path / str(folder)).mkdir()
        for number in range(100):
            (tmp_path / str(folder) / str(number)).touch()
    begun = time.process_time()
    with WatchedTree([str(tmp_path)], lambda _: False) as found:
        found.begin()
        assert len(found.files()) == 10_000
        assert time.process_time() - begun < 2
        begun = time.process_time()
        (tmp_path / "50/50").write_text("x")
        assert names(tmp_path, await batch(found)) == ({"50/50"}, set())
        assert time.process_time() - begun < 0.1


async def test_one_burst_is_one_batch(seen: WatchedTree, src: Path) -> None:
    for number in range(50):
        (src / str(number)).write_text("x")
        await trio.sleep(rooms.QUIET / 20)
    assert len((await batch(seen)).changed) == 50
