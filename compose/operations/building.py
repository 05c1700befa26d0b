"""Builds one service's image: the context out, the builder's words in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compose.engine_client import calls
from compose.engine_client.json_stream import JsonStream
from compose.errors import EngineRefusedError, ProjectError
from compose.operations.build_query import REMOTE, BuildOptions, build_query
from compose.operations.context import Context, Upload
from compose.operations.credentials import registry_config
from compose.operations.pulling import ImageFailedError, raise_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compose.engine_client.transport import Engine
    from compose.model.project import Project
    from compose.model.service import Service

__all__ = ["BuildOptions", "build_image"]


async def build_image(
    engine: Engine,
    project: Project,
    service: Service,
    options: BuildOptions,
    environment: Mapping[str, str],
    write: Callable[[str], None],
) -> str:
    """Build; `write` is given the builder's output. Returns the image's id. Raises ComposeError."""
    assert service.build is not None
    query = build_query(project, service, options)
    upload = None
    if not REMOTE.match(service.build.context):
        build = service.build
        folder = Path(build.context or project.working_dir)
        try:
            context = Context(folder, build.dockerfile, build.dockerfile_inline)
        except ProjectError as error:
            raise ProjectError(f"services.{service.name}.build: {error}") from error
        query["dockerfile"] = context.dockerfile
        upload = Upload(context.pieces())
    call = calls.build_image(query, registry_config(environment))
    image_id = ""
    stream = JsonStream()
    try:
        async with engine.stream(call, upload) as body:
            async for piece in body:
                for message in stream.feed(piece):
                    raise_error(message)
                    image_id = (message.get("aux") or {}).get("ID", image_id)
                    if message.get("stream"):
                        write(message["stream"])
    except (ImageFailedError, EngineRefusedError) as error:
        raise ImageFailedError(f"services.{service.name}.build: {error}") from error
    return image_id
