"""`image`: what an engine has of images, whatever project they are for; thin over the API."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from compose.engine_client import calls, image_calls
from compose.engine_client.json_stream import JsonStream
from compose.engine_client.payloads.references import familiar
from compose.errors import ComposeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from compose.engine_client.blocking import BlockingClient
    from compose.operations.bootstrap import BootstrapRequest
    from compose.operations.session import Session

CHUNK = 1 << 18


def bootstrap(request: BootstrapRequest, session: Session, report: Callable[[str], None]) -> str:
    """Make a base image of a distribution's packages and import it; returns its id."""
    from compose.operations.base_image import docker_archive, image_config
    from compose.operations.bootstrap import make_archive

    client = session.client()  # before the minutes of work: is there an engine to give it to?
    archive = make_archive(request, report)
    with archive.path.open("rb") as file:
        diff_id = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    config = image_config(archive.recipe, diff_id)
    image_id = f"sha256:{hashlib.sha256(config).hexdigest()}"
    with client:
        there = client.do(calls.inspect_image(f"{archive.repository}:{archive.tag}"))
        if there.status == 200 and there.json()["Id"] == image_id:
            return image_id
        call = image_calls.load_images(quiet=True, platform="")
        loaded(client.upload(call, docker_archive(archive, config)), lambda _message: None)
        return image_id


def imported(pieces: Iterator[bytes]) -> str:
    """The id in the stream that answers an import. Raises ComposeError for an error in it."""
    stream = JsonStream()
    image_id = ""
    for piece in pieces:
        for message in stream.feed(piece):
            if message.get("error"):
                raise ComposeError(str(message["error"]))
            image_id = message.get("status", image_id)
    return image_id


def file_pieces(path: Path) -> Iterator[bytes]:
    """A file, a piece at a time."""
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            yield data


def pull(session: Session, name: str, platform: str, *, every: bool = False) -> str:
    """Pull one image, or `every` tag; returns its full name. Raises ComposeError."""
    from compose.operations.pulling import pull_image

    async def main(engine: Any) -> int:
        session.progress.report(name, "Pulling")
        await pull_image(engine, name, session.environment, session.progress, platform, every=every)
        session.progress.report(name, "Pulled", "done")
        return 0

    session.run_async(session.client(), main)
    return name if every else familiar(name)


def push(session: Session, name: str, *, every: bool = False, platform: str = "") -> str:
    """Push one image, one `platform` of it or `every` tag; its full name. Raises ComposeError."""
    from compose.operations.pulling import push_image

    async def main(engine: Any) -> int:
        session.progress.report(name, "Pushing")
        await push_image(
            engine, name, session.environment, session.progress, every=every, platform=platform
        )
        session.progress.report(name, "Pushed", "done")
        return 0

    session.run_async(session.client(), main)
    return name if every else familiar(name)


def load(session: Session, pieces: Iterator[bytes], *, quiet: bool, platform: str) -> list[str]:
    """Load images from a tar; returns the engine's words, a line each. Raises ComposeError."""
    from compose.operations.pulling import report

    call = image_calls.load_images(quiet=quiet, platform=platform)
    with session.client() as client:
        return loaded(
            client.upload(call, pieces), lambda message: report(message, session.progress)
        )


def loaded(pieces: Iterator[bytes], tell: Callable[[dict[str, Any]], None]) -> list[str]:
    """The lines in the stream that answers a load; `tell` is given its progress.

    Raises ComposeError for an error in it.
    """
    lines: list[str] = []
    stream = JsonStream()
    for piece in pieces:
        for message in stream.feed(piece):
            if message.get("error"):
                raise ComposeError(str(message["error"]))
            if message.get("stream"):
                lines.append(str(message["stream"]).rstrip())
            else:
                tell(message)
    return lines


def save(session: Session, names: list[str], platform: str = "") -> Iterator[bytes]:
    """Images as the pieces of one tar, of one platform if it is named. Raises ComposeError."""
    client: BlockingClient = session.client()
    with client:
        yield from client.stream(calls.save_images(names, platform))
