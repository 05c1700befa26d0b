"""Pulls and pushes one image: the engine's stream of progress, to its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from compose.engine_client import calls, image_calls
from compose.engine_client.json_stream import JsonStream
from compose.engine_client.payloads.platforms import fits
from compose.engine_client.payloads.references import split_reference
from compose.errors import ComposeError, EngineRefusedError
from compose.operations.credentials import registry_auth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.engine_client.call import Call
    from compose.engine_client.transport import Engine
    from compose.operations.progress import Kind, Progress
    from compose.planner.steps import PullImage

#: The engine's words for a layer that is done with.
DONE = ("Download complete", "Already exists", "Pull complete", "Layer already exists", "Pushed")


class ImageFailedError(ComposeError):
    """A pull, push or build that the engine began and could not end."""


async def pull_image(
    engine: Engine,
    image: str,
    environment: Mapping[str, str],
    progress: Progress | None,
    platform: str = "",
    *,
    every: bool = False,
    subject: str = "",
) -> None:
    """Pull, `every` tag if asked. `progress` None is quiet about layers.

    `subject` is whose parts the layers are told to be, the image itself without it. Raises ComposeError naming the image.
    """
    repository, tag = (image, "") if every else split_reference(image)
    auth = registry_auth(environment, image)
    platform = platform or environment.get("DOCKER_DEFAULT_PLATFORM", "")
    call = image_calls.pull_image(repository, tag, platform=platform, auth=auth)
    try:
        await follow(engine, call, progress, subject or image)
    except (ImageFailedError, EngineRefusedError) as error:
        text = str(error)
        raise ImageFailedError(text if image in text else f"{image}: {text}") from error


def is_passing(text: str) -> bool:
    """Whether an error is about the way to a registry, or how often one may ask: not about the image.

    In our engine's words, and in those that Docker's has from Go. Pure.
    """
    return PASSING.search(text) is not None


PASSING = re.compile(
    r"toomanyrequests|rate limit|cannot reach|silent|does not answer|hung up|connection broke"
    r"|the registry answered 5\d\d|ends after \d+ of"
    r"|dial tcp|i/o timeout|no such host|connection refused|connection reset|TLS handshake timeout"
    r"|Client\.Timeout|unexpected EOF|server misbehaving|network is unreachable"
    r"|unexpected status code 5\d\d|status: 5\d\d|(?:502|503|504) (?:Bad|Service|Gateway)",
    re.IGNORECASE,
)


async def is_here(engine: Engine, step: PullImage) -> bool:
    """Whether the engine has the image already, for the platform that is wanted."""
    answer = await engine.do(calls.inspect_image(step.image, step.platform))
    if answer.status != 200:
        return False
    return not step.platform or fits(answer.json(), step.platform)


async def push_image(
    engine: Engine,
    image: str,
    environment: Mapping[str, str],
    progress: Progress | None,
    *,
    every: bool = False,
    platform: str = "",
) -> None:
    """Push, `every` tag if asked, or one platform of it. Raises ComposeError naming the image."""
    repository, tag = (image, "") if every else split_reference(image)
    auth = registry_auth(environment, image)
    call = image_calls.push_image(repository, tag, auth=auth, platform=platform)
    try:
        await follow(engine, call, progress, image)
    except (ImageFailedError, EngineRefusedError) as error:
        text = str(error)
        raise ImageFailedError(text if image in text else f"{image}: {text}") from error


async def follow(engine: Engine, call: Call, progress: Progress | None, subject: str = "") -> None:
    """Read a stream of progress. Raises ImageFailedError for an error in it."""
    stream = JsonStream()
    async with engine.stream(call) as body:
        async for piece in body:
            for message in stream.feed(piece):
                raise_error(message)
                if progress is not None:
                    report(message, progress, subject)


def raise_error(message: Mapping[str, Any]) -> None:
    """ImageFailedError if the message is one."""
    detail = message.get("errorDetail") or {}
    text = detail.get("message") or message.get("error")
    if text:
        raise ImageFailedError(str(text).strip())


def report(message: Mapping[str, Any], progress: Progress, subject: str = "") -> None:
    """A layer's line; only where the engine gives an amount, as docker compose does."""
    layer, status = message.get("id", ""), str(message.get("status", ""))
    detail = message.get("progressDetail")
    if not layer or detail is None:
        return
    kind: Kind = "done" if status in DONE else "working"
    progress.report(layer, status, kind, str(message.get("progress", "")), parent=subject)
