"""`watch`, `up --watch` and the menu's w on the real engine."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.projects import IMAGE, sleeping, write
from tests.e2e.typed import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Person

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("busybox")]

FOLLOWS = "while :; do cat /app/word 2>/dev/null; sleep 0.05; done"


@pytest.fixture
def home(person: Person, tmp_path: Path) -> Iterator[Path]:
    """A folder whose project is gone after the test."""
    folder = tmp_path / "shop"
    (folder / "src").mkdir(parents=True)
    yield folder
    person.does("down", "-t", "0", "-v", "--rmi", "local", cwd=folder)


def watching(*triggers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A sleeping service with these triggers."""
    return sleeping(develop={"watch": list(triggers)}, **more)


def sync(action: str = "sync", **more: Any) -> dict[str, Any]:
    """./src to /app."""
    return {"action": action, "path": "./src", "target": "/app", **more}


def inside(person: Person, home: Path, *command: str) -> str:
    """What a command in web prints; "" where it fails."""
    return person.pycompose("exec", "-T", "web", *command, cwd=home).stdout


def becomes(person: Person, home: Path, text: str, *command: str) -> None:
    """Wait until a command in web prints this."""
    end = time.monotonic() + 15
    while (found := inside(person, home, *command)) != text:
        assert time.monotonic() < end, found
        time.sleep(0.05)  # that a file has arrived is told by nothing but the file


def test_files_are_synced_and_removed(person: Person, home: Path) -> None:
    write(home, {"web": watching(sync(ignore=["*.log", "node_modules/"]))})
    (home / "src/before").write_text("old")
    os.utime(home / "src/before", (1, 1))
    with typed(person, "watch", cwd=home, terminal=False) as watch:
        watch.expect("Watch enabled")
        (home / "src/new.log").write_text("no")
        (home / "src/node_modules").mkdir()
        (home / "src/node_modules/x").write_text("no")
        (home / "src/sub").mkdir()
        (home / "src/sub/a").write_text("1")
        (home / "src/sub/a").chmod(0o750)
        (home / "src/link").symlink_to("sub/a")
        watch.expect('Syncing service "web" after')
        becomes(person, home, "1", "cat", "/app/link")
        assert inside(person, home, "stat", "-c", "%a", "/app/sub/a") == "750\n"
        assert inside(person, home, "ls", "/app") == "link\nsub\n"
        shutil.rmtree(home / "src/sub")
        (home / "src/link").unlink()
        becomes(person, home, "", "ls", "/app")
        watch.sends(signal.SIGINT)
        assert watch.ends() == 130
    assert "Traceback" not in watch.text


def test_all_is_synced_at_first_where_asked_for(person: Person, home: Path) -> None:
    for number in range(300):
        (home / f"src/{number}").write_text(str(number))
    write(home, {"web": watching(sync(initial_sync=True, include=["1*"]), scale=1)})
    with typed(person, "watch", cwd=home, terminal=False) as watch:
        watch.expect('Syncing service "web" after 111 changes')
        becomes(person, home, "177", "cat", "/app/177")
        assert inside(person, home, "ls", "/app/2") == ""


def test_what_changed_while_nobody_watched(person: Person, home: Path) -> None:
    write(home, {"web": watching(sync())})
    (home / "src/same").write_text("old")
    time.sleep(1.1)  # a container's time of creation has seconds
    person.does("up", "-d", cwd=home)
    time.sleep(1.1)  # as above
    (home / "src/later").write_text("new")
    with typed(person, "watch", "--no-up", cwd=home, terminal=False) as watch:
        watch.expect("Syncing")
        becomes(person, home, "later\n", "ls", "/app")


def test_sync_and_restart_and_exec(person: Person, home: Path) -> None:
    run = {"command": ["sh", "-c", "cat /app/a > /ran; echo reloaded"]}
    services = {
        "web": watching(sync("sync+exec", exec=run)),
        "other": watching({"action": "restart", "path": "./src"}),
        "needs": sleeping(depends_on={"other": {"condition": "service_started", "restart": True}}),
    }
    write(home, services)
    with typed(person, "watch", cwd=home, terminal=False) as watch:
        watch.expect("Watch enabled")
        (home / "src/a").write_text("1")
        watch.expect("service(s) ['other', 'needs'] restarted")
        watch.expect("reloaded")
        becomes(person, home, "1", "cat", "/ran")


def test_rebuild(person: Person, home: Path) -> None:
    (home / "Dockerfile").write_text(f'FROM {IMAGE}\nCOPY src /app\nCMD ["sleep", "1000"]\n')
    (home / ".dockerignore").write_text("src/notes\n")
    (home / "src/a").write_text("1")
    trigger = {"action": "rebuild", "path": "./src"}
    write(home, {"web": {"build": ".", "init": True, "develop": {"watch": [trigger]}}})
    with typed(person, "watch", "--quiet", cwd=home, terminal=False) as watch:
        watch.expect("Watch enabled")
        (home / "src/notes").write_text("ignored")
        (home / "src/a").write_text("2")
        watch.expect("Rebuilding service(s) ['web'] after changes were detected...")
        watch.expect("successfully built")
        becomes(person, home, "2", "cat", "/app/a")
        (home / "Dockerfile").write_text("FROM nothing-that-is:here\n")
        (home / "src/a").write_text("3")
        watch.expect("watch: ")
        (home / "Dockerfile").write_text(f'FROM {IMAGE}\nCOPY src /app\nCMD ["sleep", "1000"]\n')
        (home / "src/a").write_text("4")
        watch.expect("successfully built")
        becomes(person, home, "4", "cat", "/app/a")


def test_up_watch_reads_along_through_a_rebuild(person: Person, home: Path) -> None:
    docker = f'FROM {IMAGE}\nCOPY src /app\nCMD ["sh", "-c", "cat /app/a; exec sleep 1000"]\n'
    (home / "Dockerfile").write_text(docker)
    (home / "src/a").write_text("first\n")
    trigger = {"action": "rebuild", "path": "./src"}
    write(home, {"web": {"build": ".", "init": True, "develop": {"watch": [trigger]}}})
    with typed(person, "up", "--watch", "-t", "0", cwd=home) as up:
        up.expect("Watch enabled")
        (home / "src/a").write_text("second\n")
        up.expect("Rebuilding")
        up.expect("second")
        up.types("w")
        up.expect("Watch disabled")
        (home / "src/a").write_text("third\n")
        up.types("w")
        up.expect("Rebuilding")
        up.expect("third")
        up.types("\x03")
        assert up.ends() == 130
    assert "Traceback" not in up.text


def test_the_key_says_where_nothing_is_configured(person: Person, home: Path) -> None:
    write(home, {"web": sleeping()})
    with typed(person, "up", cwd=home) as up:
        up.expect("Enable Watch")
        up.types("w")
        up.expect("none of the selected services is configured for watch")
        up.types("d")
        assert up.ends() == 0


@pytest.mark.parametrize(
    ("services", "words"),
    [
        ({"web": sleeping()}, "none of the selected services is configured for watch"),
        ({"web": watching({"action": "rebuild", "path": "."})}, "without a build context"),
    ],
)
def test_what_cannot_be_watched(
    person: Person, home: Path, services: dict[str, Any], words: str
) -> None:
    write(home, services)
    for arguments in (("watch",), ("up", "--watch")):
        done = person.pycompose(*arguments, cwd=home)
        assert done.returncode == 1
        assert words in done.stderr.splitlines()[-1]
    assert person.does("ps", "-aq", cwd=home) == ""


def test_a_tree_of_ten_thousand_files(person: Person, home: Path) -> None:
    for folder in range(100):
        (home / f"src/d{folder}").mkdir()
        for number in range(100):
            (home / f"src/d{folder}/f{number}").write_text("old")
    write(home, {"web": watching(sync(initial_sync=True, ignore=["d5/"]))})
    with typed(person, "watch", cwd=home, terminal=False) as watch:
        watch.expect('Syncing service "web" after 9900 changes')
        becomes(person, home, "old", "cat", "/app/d99/f99")
        (home / "src/d99/f99").write_text("new")
        watch.expect('Syncing service "web" after 1 changes')
        becomes(person, home, "new", "cat", "/app/d99/f99")
        for folder in range(100):
            (home / f"src/d{folder}/f0").write_text("all")
        watch.expect("Syncing")
        becomes(person, home, "all", "cat", "/app/d99/f0")
        (home / "src/d2").rename(home / "src/moved")
        becomes(person, home, "old", "cat", "/app/moved/f50")
        becomes(person, home, "", "sh", "-c", "ls -d /app/d2 /app/d5 2>/dev/null")
        opened = Path(f"/proc/{watch.process.pid}/fd")
        links = [os.readlink(one) for one in opened.iterdir() if one.is_symlink()]
        assert links.count("anon_inode:inotify") == 1
