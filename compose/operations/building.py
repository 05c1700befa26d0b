"""Builds one service's image: the context out, the builder's words in."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.engine_client import calls
from compose.engine_client.json_stream import JsonStream
from compose.engine_client.payloads.references import REMOTE
from compose.errors import EngineRefusedError, ProjectError
from compose.operations.archives import CHUNK
from compose.operations.build_inputs import (
    BuildInputs,
    agents_of,
    gather_inputs,
    needed_inputs,
)
from compose.operations.build_query import BuildOptions, build_query
from compose.operations.context import Context, Upload
from compose.operations.credentials import registry_config
from compose.operations.portable_cache import FROM, TO, asked_of, bring, read_places, take_away
from compose.operations.pulling import ImageFailedError, raise_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from compose.engine_client.call import Call
    from compose.engine_client.transport import Engine
    from compose.model.project import Project
    from compose.model.service import Service

__all__ = ["BuildOptions", "build_image"]
OWN_SERVER = "pycompose"


async def build_image(
    engine: Engine,
    project: Project,
    service: Service,
    options: BuildOptions,
    environment: Mapping[str, str],
    tell: Callable[[Mapping[str, Any]], None],
) -> str:
    """Build; `tell` is given the builder's messages. Returns the image's id. Raises ComposeError."""
    assert service.build is not None
    query = build_query(project, service, options)
    own = OWN_SERVER in (await engine.do(calls.PING)).headers.get("server", "")
    if not own:
        _refuse_foreign(service, options)
        if uncached_stages(service, options):
            place = f"services.{service.name}.build.no_cache_filter"
            tell(warning(f"{place} needs pycompose's own engine: this one may use its cache"))
    where = f"services.{service.name}.build"
    sources = read_places(service.build.cache_from, FROM, f"{where}.cache_from")
    targets = read_places(service.build.cache_to, TO, f"{where}.cache_to")
    if targets and not own:
        raise ProjectError(
            f"services.{service.name}.build.cache_to needs pycompose's own engine: take it out"
        )
    caches = await bring(engine, sources, lambda text: tell(warning(text))) if sources else []
    if caches:
        query["cachefrom"] = json.dumps(caches)
    agents_wanted = (*service.build.ssh, *options.ssh)
    with agents_of(agents_wanted, environment, f"services.{service.name}.build.ssh") as agents:
        inputs, pieces, dockerfile = _material(project, service, options, agents, own=own)
        if made := asked_of(targets):
            inputs = BuildInputs({**inputs.document, "cache_to": made}, inputs.folders)
        if dockerfile:
            query["dockerfile"] = dockerfile
        ahead = inputs.encoded() if own else b""
        upload = with_ahead(ahead, Upload(pieces))
        call = calls.build_image(query, registry_config(environment), len(ahead))
        try:
            image_id, cache = await follow(engine, call, upload, tell)
            if cache:
                await take_away(
                    engine, cache, targets, environment, lambda text: tell(warning(text))
                )
            return image_id
        except (ImageFailedError, EngineRefusedError) as error:
            raise ImageFailedError(f"services.{service.name}.build: {error}") from error


async def follow(
    engine: Engine,
    call: Call,
    upload: AsyncIterator[bytes],
    tell: Callable[[Mapping[str, Any]], None],
) -> tuple[str, str]:
    """The image's id, and that of its cache if one was asked for."""
    image_id, cache, stream = "", "", JsonStream()
    async with engine.stream(call, upload) as body:
        async for piece in body:
            for message in stream.feed(piece):
                raise_error(message)
                aux = message.get("aux") or {}
                image_id, cache = aux.get("ID", image_id), aux.get("cache", cache)
                tell(message)
    return image_id, cache


def warning(text: str) -> dict[str, Any]:
    """A warning of ours, as the builder's are."""
    return {"id": "pycompose.build", "aux": {"event": "warned", "text": text, "rule": ""}}


def _material(
    project: Project,
    service: Service,
    options: BuildOptions,
    agents: Mapping[str, str],
    *,
    own: bool,
) -> tuple[BuildInputs, Iterator[bytes], str]:
    """What is given beside the context, the context's tar, the Dockerfile's name in it."""
    build = service.build
    assert build is not None
    flags = {"check": options.check, "no_cache_filter": uncached_stages(service, options)}
    if build.context.startswith(REMOTE):
        text = build.dockerfile_inline or None
        inputs = gather_inputs(project, service, agents, text, **flags)
        if inputs.folders:
            raise ProjectError(
                f"services.{service.name}.build.additional_contexts: folders cannot go with a "
                "context that is a URL: use images or URLs"
            )
        return inputs, iter(()), ""
    folder = Path(build.context or project.working_dir)
    if folder.name == "-" and not folder.exists():
        text = build.dockerfile_inline or None
        return gather_inputs(project, service, agents, text, **flags), _stdin(), build.dockerfile
    inputs = gather_inputs(project, service, agents, None, **flags)
    try:
        context = Context(
            folder, build.dockerfile, build.dockerfile_inline, apart=own, folders=inputs.folders
        )
    except ProjectError as error:
        raise ProjectError(f"services.{service.name}.build: {error}") from error
    if context.text is not None:
        inputs = BuildInputs({**inputs.document, "dockerfile": context.text}, inputs.folders)
    return inputs, context.pieces(), context.dockerfile


def uncached_stages(service: Service, options: BuildOptions) -> list[str]:
    """The stages whose cache is not used: the file's, then the command line's."""
    assert service.build is not None
    return list(dict.fromkeys((*service.build.no_cache_filter, *options.no_cache_filter)))


def _stdin() -> Iterator[bytes]:
    """A tar, or a lone Dockerfile, on standard input."""
    # not through a buffer: its lock, held by a thread that waits, would break the way out
    while data := os.read(sys.stdin.fileno(), CHUNK):
        yield data


def _refuse_foreign(service: Service, options: BuildOptions) -> None:
    """ProjectError for what another engine's POST /build has no way to be given."""
    needed = needed_inputs(service)
    if options.ssh or options.check:
        needed.append("--ssh" if options.ssh else "--check")
    if options.every_platform and len(service.build.platforms if service.build else ()) > 1:
        needed.append("platforms")
    if needed:
        raise ProjectError(
            f"services.{service.name}.build.{needed[0]} needs pycompose's own engine: "
            "this one takes it through BuildKit only"
        )


async def with_ahead(ahead: bytes, upload: Upload) -> AsyncIterator[bytes]:
    """The inputs, then the context."""
    yield ahead
    async for piece in upload:
        yield piece
