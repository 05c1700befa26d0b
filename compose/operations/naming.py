"""The names that a person may type: services and profiles of the project's files, what the engine has.

Quick, and without consequence: the engine is asked only if it answers at once, never started; a file
that does not load gives no names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.engine_client import calls, object_calls
from compose.engine_client.blocking import BlockingClient
from compose.model import labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.engine_client.call import Call
    from compose.operations.session import Session


def names_of(kind: str, session: Session) -> list[str]:
    """The names of a kind: services, profiles, projects, containers, networks, volumes or images."""
    try:
        if kind in ("services", "profiles"):
            return names_in_files(kind, session)
        call, read = QUESTIONS[kind]
        with BlockingClient(session.endpoint) as client:
            client.ping()
            return sorted(set(read(client.do(call).json() or {})))
    except Exception:  # noqa: BLE001  # whatever is wrong with the files: TAB says nothing
        return []


def names_in_files(kind: str, session: Session) -> list[str]:
    """Services or profiles, as the project's files and those they include say now; nothing is resolved."""
    from compose.loader.files import Files
    from compose.loader.include import entries
    from compose.loader.settings import resolve
    from compose.loader.sources import Disk

    opened = Files(Disk(session.load.working_dir))
    settings = resolve(session.load, opened, lambda _text: None)
    waiting, seen = list(settings.files), set()
    found: set[str] = set()
    while waiting:
        file = waiting.pop()
        if file in seen or file == "-":
            continue
        seen.add(file)
        folder = Disk(file.rpartition("/")[0])
        for document in opened.documents(file):
            tree = document.tree if isinstance(document.tree, dict) else {}
            for name, service in (tree.get("services") or {}).items():
                found |= (
                    {name} if kind == "services" else set((service or {}).get("profiles") or ())
                )
            waiting += [
                folder.absolute(path) for one in entries(tree.get("include")) for path in one.paths
            ]
    return sorted(found)


def projects(document: Any) -> list[str]:
    """Of a list of containers: the projects."""
    return [item["Labels"][labels.PROJECT] for item in document]


def containers(document: Any) -> list[str]:
    """Of a list of containers: their names."""
    return [name.lstrip("/") for item in document for name in item.get("Names") or []]


def networks(document: Any) -> list[str]:
    """Of a list of networks."""
    return [item["Name"] for item in document]


def volumes(document: Any) -> list[str]:
    """Of a list of volumes."""
    return [item["Name"] for item in document.get("Volumes") or []]


def images(document: Any) -> list[str]:
    """Of a list of images: their tags."""
    return [tag for item in document for tag in item.get("RepoTags") or [] if "<none>" not in tag]


QUESTIONS: dict[str, tuple[Call, Callable[[Any], list[str]]]] = {
    "projects": (calls.list_containers(""), projects),
    "containers": (object_calls.list_containers({}, everything=True), containers),
    "networks": (object_calls.list_networks({}), networks),
    "volumes": (object_calls.list_volumes({}), volumes),
    "images": (calls.list_images(), images),
}
