"""What a batch of changes asks for."""

from __future__ import annotations

from typing import Any

from compose.model.hook import Hook
from compose.watch.rules import Changes, Kind, Trigger, Work, plan_work, relative

HOOK = Hook(("reload",))


def trigger(kind: Kind, path: str = "/src", service: str = "web", **more: Any) -> Trigger:
    return Trigger(service, kind, path, "/app" if kind.startswith("sync") else "", **more)


def work(changes: Changes, *triggers: Trigger) -> list[Work]:
    return plan_work(triggers, changes)


def changed(*paths: str) -> Changes:
    return Changes(frozenset(paths))


def test_a_path_below_the_trigger_and_one_beside_it() -> None:
    assert relative(trigger("sync"), "/src/a/b") == "a/b"
    assert relative(trigger("sync"), "/src") == ""
    assert relative(trigger("sync"), "/srcs/a") is None
    assert relative(trigger("sync"), "/other") is None


def test_ignored_and_included() -> None:
    picky = trigger(
        "sync", ignores=lambda path: path == "no.py", includes=lambda path: path.endswith(".py")
    )
    assert relative(picky, "/src/a.py") == "a.py"
    assert relative(picky, "/src/a.txt") is None
    assert relative(picky, "/src/no.py") is None


def test_files_are_copied_and_removed() -> None:
    changes = Changes(frozenset(["/src/a", "/src/d/b"]), frozenset(["/src/gone"]))
    (found,) = work(changes, trigger("sync"))
    assert found == Work(
        "web", copies={"/src/a": "/app/a", "/src/d/b": "/app/d/b"}, removals=("/app/gone",),
        changes=3,
    )  # fmt: skip


def test_a_single_file_is_its_target() -> None:
    one = Trigger("web", "sync", "/src/conf", "/etc/app.conf")
    (found,) = work(changed("/src/conf"), one)
    assert found.copies == {"/src/conf": "/etc/app.conf"}


def test_a_rebuild_replaces_all_else() -> None:
    (found,) = work(changed("/src/a"), trigger("sync"), trigger("rebuild"))
    assert found == Work("web", rebuild=True, changes=1)


def test_restart_and_exec_go_along() -> None:
    (found,) = work(changed("/src/a"), trigger("sync+restart"), trigger("sync+exec", hook=HOOK))
    assert (found.restart, found.hooks) == (True, (HOOK,))
    assert found.copies
    (found,) = work(changed("/src/a"), trigger("restart"))
    assert (found.restart, found.copies) == (True, {})


def test_each_service_has_its_own() -> None:
    found = work(
        changed("/src/a", "/lib/b"), trigger("sync"), trigger("restart", "/lib", service="db")
    )
    assert [(one.service, one.changes) for one in found] == [("web", 1), ("db", 1)]
    assert work(changed("/elsewhere"), trigger("sync")) == []
