"""What a build is made from, fetched from a client's session into the build's folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import trio

from engine.api.buildkit.filesync import fetch
from engine.build import remote
from engine.build.context import FOLDER_CONTEXT, read_material, read_text
from engine.build.ignore import clean_lines
from engine.build.request import Material
from engine.build.solve import IMAGE_CONTEXT
from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.api.buildkit.grpc import Connection
    from engine.api.buildkit.options import Sources
    from engine.build.request import BuildRequest


async def fetch_material(
    session: Connection, request: BuildRequest, sources: Sources, work: Path
) -> Material:
    """The Dockerfile, what .dockerignore leaves of the context, named contexts. Raises EngineError."""
    contexts = await _contexts(session, request.contexts, sources, work)
    folder = work / "context"
    if sources.remote:
        inside, lone = await remote.fetch_context(sources.remote, folder)
        name = lone or request.dockerfile
        return await trio.to_thread.run_sync(read_material, inside, name, contexts)
    name = request.dockerfile
    asked = [name, f"{name}.dockerignore"]
    await fetch(session, sources.dockerfile, work / "dockerfile", include=asked)
    text, ignored = await trio.to_thread.run_sync(_read, work / "dockerfile", name)
    if text is None:
        raise InvalidRequestError(
            f"failed to read dockerfile: open {name}: no such file or directory"
        )
    if ignored is None:
        ignored = await _ignored(session, sources.context, work / "ignore")
    await fetch(session, sources.context, folder, exclude=_patterns(ignored))
    return Material(folder, text, contexts, ignored)


async def _contexts(
    session: Connection, wanted: Mapping[str, str], sources: Sources, work: Path
) -> dict[str, Path]:
    """Named contexts' folders; of images only the builder knows."""
    found: dict[str, Path] = {}
    for number, (name, value) in enumerate(wanted.items()):
        place = work / f"named-{number}"
        if value.startswith(FOLDER_CONTEXT):
            local = sources.contexts[name]
            ignored = await _ignored(session, local, work / f"ignore-{number}")
            await fetch(session, local, place, exclude=_patterns(ignored))
            found[name] = place
        elif not value.startswith(IMAGE_CONTEXT):
            found[name], _ = await remote.fetch_context(value, place)
    return found


async def _ignored(session: Connection, name: str, folder: Path) -> str:
    """A folder's .dockerignore, "" if it has none."""
    await fetch(session, name, folder, include=[".dockerignore"])
    text, _ = await trio.to_thread.run_sync(_read, folder, ".dockerignore")
    return text or ""


def _read(folder: Path, name: str) -> tuple[str | None, str | None]:
    """A Dockerfile and its own ignore file."""
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return read_text(root, name), read_text(root, f"{name}.dockerignore")
    finally:
        os.close(root)


def _patterns(ignored: str) -> list[str]:
    """The patterns, as the client's matcher takes them. Raises InvalidRequestError."""
    return [f"!{clean}" if exception else clean for _, clean, exception in clean_lines(ignored)]
