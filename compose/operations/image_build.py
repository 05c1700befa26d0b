"""`image build`: an image of a folder, a URL or what comes on standard input, beside any project."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.engine_client import calls
from compose.engine_client.json_stream import JsonStream
from compose.engine_client.payloads.references import REMOTE
from compose.model.record import Record
from compose.operations.archives import CHUNK
from compose.operations.context import Context, Upload
from compose.operations.credentials import registry_config
from compose.operations.pulling import raise_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from compose.engine_client.call import Call
    from compose.engine_client.transport import Engine
    from compose.operations.session import Session


class ImageBuildRequest(Record):
    """`context` is a folder, a URL or "-"; `query` the API's parameters; `dockerfile` a path, or "-"."""

    context: str
    query: Mapping[str, Any]
    dockerfile: str = ""
    quiet: bool = False


def build(request: ImageBuildRequest, session: Session) -> str:
    """Build, the builder's words as lines of progress; the image's id. Raises ComposeError."""
    query = dict(request.query)
    pieces: Iterator[bytes] = iter(())
    if REMOTE.match(request.context):
        query["remote"] = request.context
        query |= {"dockerfile": request.dockerfile} if request.dockerfile else {}
    elif request.context == "-":
        pieces = iter(lambda: sys.stdin.buffer.read(CHUNK), b"")
        query |= {"dockerfile": request.dockerfile} if request.dockerfile else {}
    else:
        inline = sys.stdin.read() if request.dockerfile == "-" else ""
        folder = Path(request.context)
        named = "" if inline else from_folder(folder, request.dockerfile)
        context = Context(folder, named, inline)
        query["dockerfile"] = context.dockerfile
        pieces = context.pieces()
    image_id = ""

    async def main(engine: Engine) -> int:
        nonlocal image_id
        call = calls.build_image(query, registry_config(session.environment))
        image_id = await follow(engine, call, Upload(pieces), session, quiet=request.quiet)
        return 0

    session.run_async(session.client(), main)
    return image_id


def from_folder(folder: Path, dockerfile: str) -> str:
    """A Dockerfile is named from where the person is, a context's own from the context."""
    if not dockerfile:
        return ""
    return (
        str(Path(dockerfile).absolute()) if Path(dockerfile).is_file() else str(folder / dockerfile)
    )


async def follow(
    engine: Engine, call: Call, upload: Upload, session: Session, *, quiet: bool
) -> str:
    """The builder's lines, to the end; the image's id. Raises ImageFailedError."""
    image_id, rest, stream = "", "", JsonStream()
    async with engine.stream(call, upload) as body:
        async for piece in body:
            for message in stream.feed(piece):
                raise_error(message)
                image_id = (message.get("aux") or {}).get("ID", image_id)
                *lines, rest = (rest + str(message.get("stream") or "")).split("\n")
                for line in () if quiet else lines:
                    session.progress.line(line)
    return image_id
