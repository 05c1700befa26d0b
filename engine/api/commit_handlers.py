"""Handler of POST /commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.api.exchange import Exchange, Response
from engine.build.commit import CommitRequest, commit
from engine.containers import docker_json
from engine.containers.config import Config
from engine.errors import InvalidRequestError
from engine.images.reference import parse_reference

if TYPE_CHECKING:
    from engine.api.engine import Engine


async def create(engine: Engine, exchange: Exchange) -> Response:
    """POST /commit: `container`, `repo`, `tag`, `comment`, `author`, `pause`, `changes`."""
    query = exchange.request
    document = await exchange.json()
    if document is not None and not isinstance(document, dict):
        raise InvalidRequestError("invalid JSON: the body must be an object")
    name = query.text("repo")
    if name:
        name = parse_reference(
            f"{name}:{query.text('tag')}" if query.text("tag") else name
        ).familiar
    request = CommitRequest(
        container=query.text("container"),
        name=name,
        comment=query.text("comment"),
        author=query.text("author"),
        pause=query.flag("pause", default=True),
        changes=tuple(
            line for text in query.all("changes") for line in text.splitlines() if line.strip()
        ),
        config=docker_json.decode(Config, document, "Config") if document else None,
    )
    image = await commit(engine.containers, engine.images, request)
    return Response(201, {"Id": image.id})
