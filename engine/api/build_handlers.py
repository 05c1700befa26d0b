"""Handlers of POST /build (the classic builder's) and POST /build/prune."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import trio

from engine.api.exchange import Exchange, Response
from engine.build.request import BuildError, BuildRequest
from engine.errors import EngineError, InvalidRequestError, NotSupportedError
from engine.images.store import spool

if TYPE_CHECKING:
    from engine.api.engine import Engine

#: Parameters that are honoured, or whose default means nothing here (rm, forcerm: nothing is left anyway).
KNOWN = {
    "dockerfile", "t", "buildargs", "labels", "target", "nocache", "pull", "networkmode",
    "extrahosts", "platform", "shmsize", "squash", "q", "remote", "rm", "forcerm", "version",
    "buildid", "session",
}  # fmt: skip


async def build(engine: Engine, exchange: Exchange) -> None:
    """POST /build: a context as a tar in the body, progress as Docker's JSON lines."""
    request = exchange.request
    if request.text("version") == "2":
        raise NotSupportedError(
            "this engine builds with the classic builder", hint="set DOCKER_BUILDKIT=0"
        )
    wanted = read_build(exchange)
    with spool(engine.images.scratch) as context:
        async for chunk in exchange.body():
            await trio.to_thread.run_sync(context.write, chunk)
        context.seek(0)
        async with exchange.stream() as body:

            async def report(message: dict[str, Any]) -> None:
                await body.send_json(message)

            try:
                await engine.builder.build(wanted, context, report)
            except EngineError as error:
                detail: dict[str, Any] = {"message": str(error)}
                if isinstance(error, BuildError):
                    detail["code"] = error.code
                await report({"errorDetail": detail, "error": str(error)})


def read_build(exchange: Exchange) -> BuildRequest:
    """The parameters of a build. Raises InvalidRequestError."""
    request = exchange.request
    others = tuple(
        name
        for name, values in request.query.items()
        if name not in KNOWN and values[-1] not in ("", "0", "false", "null", "{}", "[]")
    )
    return BuildRequest(
        dockerfile=request.text("dockerfile") or "Dockerfile",
        tags=tuple(filter(None, request.all("t"))),
        build_args=_mapping(request.text("buildargs"), "buildargs"),
        labels=_mapping(request.text("labels"), "labels"),
        target=request.text("target"),
        no_cache=request.flag("nocache"),
        pull=request.flag("pull"),
        network_mode=request.text("networkmode"),
        extra_hosts=_hosts(request.all("extrahosts")),
        platform=request.text("platform"),
        shm_size=request.number("shmsize", 0) or 0,
        squash=request.flag("squash"),
        quiet=request.flag("q"),
        remote=request.text("remote"),
        not_honoured=others,
    )


def _mapping(text: str, name: str) -> dict[str, Any]:
    try:
        document = json.loads(text or "{}") or {}
    except ValueError as error:
        raise InvalidRequestError(f"invalid JSON in {name}") from error
    if not isinstance(document, dict):
        raise InvalidRequestError(f"{name} must be an object")
    return document


def _hosts(values: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for value in values:
        if value.startswith("["):
            found += json.loads(value)
        else:
            found += filter(None, value.split(","))
    return tuple(found)


async def prune(engine: Engine, exchange: Exchange) -> Response:
    """POST /build/prune."""
    del exchange
    deleted, freed = await engine.builder.cache.prune()
    return Response(document={"CachesDeleted": deleted or None, "SpaceReclaimed": freed})
