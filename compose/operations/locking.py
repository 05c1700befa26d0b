"""`lock` writes which images a project is made of, by digest; `up --locked` takes those and no others.

The file is compose.lock.json beside the project: for an image from a registry the digest that its
name had there, for one that is built here its id. Rules: what is here is locked as it is, so that
what was tested is what is locked; --update asks the registries anew. Reading decides nothing (pure
`differences`), and --locked pulls by digest, then gives the name to what came.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.engine_client import calls, image_calls
from compose.engine_client.payloads.container import image_of
from compose.engine_client.payloads.references import familiar, registry_of, split_reference
from compose.errors import ComposeError, EngineRefusedError, ProjectError
from compose.model.record import Record
from compose.operations.credentials import credentials, encode, read_config
from compose.planner.images import is_built

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.engine_client.blocking import BlockingClient
    from compose.engine_client.transport import Engine
    from compose.model.project import Project
    from compose.operations.session import Session

FILE = "compose.lock.json"
VERSION = 1


class LockRequest(Record):
    """The flags of lock: `update` asks the registries for all, `check` writes nothing."""

    update: bool = False
    check: bool = False


def lock(request: LockRequest, session: Session) -> Path:
    """Write the file, or with `check` compare with it; returns its path. Raises ComposeError."""
    project = session.project(()).project
    path = lock_path(project)
    with session.client() as client:
        found = {
            name: resolve(project, name, session, client, update=request.update)
            for name in names_of(project)
        }
    if request.check:
        wrong = differences(read_lock(path), found)
        if wrong:
            raise ComposeError(f"{path.name} is out of date: {'; '.join(wrong)}: run lock again")
        return path
    if session.dry_run:
        return path
    write_lock(path, found)
    return path


def names_of(project: Project) -> list[str]:
    """All images of a project, those of mounts too, in order. Pure."""
    names = {image_of(project, service) for service in project.services.values()}
    for service in project.services.values():
        names |= {mount.source for mount in service.volumes if mount.type == "image"}
    return sorted(names)


def lock_path(project: Project) -> Path:
    """Where a project's lock file is."""
    return Path(project.working_dir) / FILE


def resolve(
    project: Project, name: str, session: Session, client: BlockingClient, *, update: bool
) -> dict[str, str]:
    """What an image is now: {"digest": ...} or, for one that is built, {"id": ...}."""
    answer = client.do(calls.inspect_image(name))
    here = answer.json() if answer.status == 200 else {}
    if is_built(project, name):
        if not here:
            raise ComposeError(f"{name} is not built yet, so there is nothing to lock: build first")
        return {"id": here["Id"]}
    digest = "" if update else digest_here(name, here)
    if digest:
        return {"digest": digest}
    known = credentials(read_config(session.environment), registry_of(name))
    try:
        found = client.do(image_calls.distribution(name, encode(known) if known else "")).json()
    except EngineRefusedError as error:
        if here and not here.get("RepoDigests") and not update:
            return {"id": here["Id"]}  # made here, and of no registry
        raise ComposeError(f"{name}: {error}") from error
    return {"digest": str(found["Descriptor"]["digest"])}


def digest_here(name: str, document: Mapping[str, Any]) -> str:
    """The digest that an image here has in the registry of that name; "" if it has none. Pure."""
    repository, tag = split_reference(name)
    if ":" in tag:
        return tag  # the name is a digest itself
    for one in document.get("RepoDigests") or []:
        owner, _, digest = one.partition("@")
        if owner == repository.removeprefix("docker.io/").removeprefix("library/"):
            return str(digest)
    return ""


def differences(
    locked: Mapping[str, Mapping[str, str]], found: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """In words, where the file and what is there differ. Pure."""
    wrong = [f"{name} is not in it" for name in found if name not in locked]
    wrong += [
        f"{name} is {shown(found[name])}, not {shown(locked[name])}"
        for name in found
        if name in locked and locked[name] != found[name]
    ]
    return wrong


def shown(entry: Mapping[str, str]) -> str:
    """An entry's one value."""
    return next(iter(entry.values()), "nothing")


def read_lock(path: Path) -> dict[str, dict[str, str]]:
    """The file. Raises ProjectError where there is none, or it is none."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ProjectError(f"{path} is missing: `pycompose lock` writes it") from None
    except (OSError, ValueError) as error:
        raise ProjectError(f"{path} cannot be read: {error}") from error
    try:
        if document["version"] != VERSION:
            raise ProjectError(
                f"{path} has version {document['version']}, this pycompose reads {VERSION}"
            )
        return {
            str(name): {str(key): str(value) for key, value in entry.items()}
            for name, entry in document["images"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ProjectError(
            f"{path} is no lock file: write it anew with `pycompose lock`"
        ) from error


def write_lock(path: Path, images: Mapping[str, Mapping[str, str]]) -> None:
    """Replace the file at once. Raises ComposeError."""
    text = json.dumps({"version": VERSION, "images": images}, indent=2, sort_keys=True) + "\n"
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ComposeError(f"cannot write {path}: {error.strerror}") from error


def enforce(project: Project, session: Session) -> None:
    """Make the images that are here under the project's names the locked ones, or fail.

    Raises ProjectError for an image that is not locked, or that is built and is another now.
    """
    locked = read_lock(lock_path(project))
    client = session.client()
    names = names_of(project)
    answers = client.do_all([calls.inspect_image(name) for name in names])
    here = {
        name: answer.json() if answer.status == 200 else {}
        for name, answer in zip(names, answers, strict=True)
    }
    wrong, missing = compare(locked, here)
    if wrong:
        raise ProjectError(f"not as locked: {'; '.join(wrong)}: `pycompose lock` locks what is now")
    if not missing or session.dry_run:
        for name in missing:
            session.progress.report(name, "Would be pulled by its locked digest", "done")
        client.close()
        return

    async def main(engine: Engine) -> int:
        for name, digest in missing.items():
            await fetch(engine, session, name, digest)
        return 0

    session.run_async(client, main)


def compare(
    locked: Mapping[str, Mapping[str, str]], here: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], dict[str, str]]:
    """(what cannot be helped, in words; the digests to fetch, by name). Pure."""
    wrong: list[str] = []
    missing: dict[str, str] = {}
    for name, document in here.items():
        entry = locked.get(name)
        if entry is None:
            wrong.append(f"{name} is not in {FILE}")
        elif "id" in entry and document.get("Id") != entry["id"]:
            what = f"is {document['Id']}" if document else "is not here"
            wrong.append(f"{name} {what}, and {FILE} has {entry['id']}")
        elif "id" not in entry and digest_here(name, document) != entry.get("digest"):
            missing[name] = str(entry.get("digest"))
    return wrong, missing


async def fetch(engine: Engine, session: Session, name: str, digest: str) -> None:
    """Pull by digest, and give what came the name. Raises ComposeError."""
    from compose.operations.pulling import pull_image

    repository, tag = split_reference(familiar(name))
    session.progress.report(name, "Pulling")
    await pull_image(engine, f"{repository}@{digest}", session.environment, session.progress)
    if ":" not in tag:
        await engine.do(calls.tag_image(f"{repository}@{digest}", repository, tag))
    session.progress.report(name, "Pulled", "done")
