"""`docker commit`: a container's changes as one more layer on its image.

The container is paused while its files are read, unless that is not wanted. What the engine has put
into the container to mount on is left out.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.build.mount_points import strip_mount_points
from engine.containers import docker_json
from engine.containers.changes import ENGINES
from engine.containers.creation import merge_config
from engine.errors import ConflictError, EngineError, NotModifiedError
from engine.images.changes import apply_changes
from engine.images.compression import open_tar
from engine.images.pack import pack_layer
from engine.images.unpack import unpack_layer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.containers.config import Config
    from engine.containers.model import Container
    from engine.containers.service import Containers
    from engine.images.model import Image
    from engine.images.store import Images

#: Of a container's Config, what is no business of an image.
_NOT_KEPT = (
    "Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin",
    "StdinOnce", "Image", "MacAddress", "NetworkDisabled", "StopTimeout",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """POST /commit. `config` replaces the container's own where it says something."""

    container: str
    name: str = ""
    comment: str = ""
    author: str = ""
    pause: bool = True
    changes: tuple[str, ...] = ()
    config: Config | None = None


async def commit(containers: Containers, images: Images, request: CommitRequest) -> Image:
    """Make the image, and name it. Raises NotFoundError, ConflictError, InvalidRequestError."""
    container = containers.find(request.container)
    if container.state.status in ("removing", "dead"):
        raise ConflictError(
            f"You cannot commit container {request.container} which is being removed"
        )
    parent = images.find(container.image)
    config = image_config(container, request)
    root = containers.rootfs(container)
    upper = Path(tempfile.mkdtemp(dir=images.scratch, prefix="commit-"))
    try:
        async with _still(containers, container, pause=request.pause):
            await trio.to_thread.run_sync(_copy, root.upper, upper, root.lower)
        document = {
            **parent.document,
            "config": config,
            "created": _now(),
            "author": request.author,
            "comment": request.comment,
            "container": container.id,
            "history": [
                *(parent.document.get("history") or ()),
                {
                    "created": _now(),
                    "author": request.author,
                    "created_by": " ".join((container.path, *container.args)),
                    "comment": request.comment,
                },
            ],
        }
        with images.holding(*parent.chain_ids):
            image = await images.add_layer(parent, upper, document)
    finally:
        await trio.to_thread.run_sync(lambda: shutil.rmtree(upper, ignore_errors=True))
    if request.name:
        images.tag(image, request.name)
    containers.publish(
        container,
        "commit",
        {"comment": request.comment, "imageID": image.id, "imageRef": request.name},
    )
    return image


def image_config(container: Container, request: CommitRequest) -> dict[str, Any]:
    """The new image's config: the container's, what the request says, then the changes. Pure."""
    base = container.config
    if request.config is not None:
        base = merge_config(request.config, container.config)
    document = {
        key: value for key, value in docker_json.encode(base).items() if key not in _NOT_KEPT
    }
    return apply_changes(document, request.changes)


@asynccontextmanager
async def _still(
    containers: Containers, container: Container, *, pause: bool
) -> AsyncIterator[None]:
    """Nothing runs in the container while inside, where that can be and is wanted."""
    paused = False
    if pause and container.state.status == "running":
        try:
            await containers.pause(container.id)
            paused = True
        except (ConflictError, NotModifiedError):
            pass  # it has just ended, or somebody else has paused it
    try:
        yield
    finally:
        if paused:
            with trio.CancelScope(shield=True):
                try:
                    await containers.unpause(container.id)
                except EngineError:
                    pass  # it was killed meanwhile: there is nothing to thaw


def _copy(source: str, target: Path, lower: tuple[str, ...]) -> None:
    with tempfile.TemporaryFile(dir=target.parent) as archive:
        pack_layer(source, archive)
        archive.seek(0)
        unpack_layer(open_tar(archive), target)
    status = Path(source).stat()
    target.chmod(status.st_mode & 0o7777)
    strip_mount_points(target, lower, tuple(sorted(ENGINES)))


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"
