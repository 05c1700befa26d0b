"""Handlers of POST /build (the classic builder's stream, or our own client's) and POST /build/prune."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

import trio

from engine.api.exchange import Exchange, Response
from engine.build.classic import ClassicStream
from engine.build.events import Built, as_message
from engine.build.given import INPUTS_LIMIT, Given, read_inputs
from engine.build.prune import PruneRequest, measured
from engine.build.request import BuildError, BuildRequest, Limits
from engine.errors import EngineError, HostLimitError, InvalidRequestError, NotSupportedError
from engine.images.store import spool

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.build.cache import CacheRecord
    from engine.build.events import Event

#: Parameters that are honoured, or whose default means nothing here (rm, forcerm: nothing is left anyway).
KNOWN = frozenset((
    "dockerfile", "t", "buildargs", "labels", "target", "nocache", "pull", "networkmode",
    "extrahosts", "platform", "shmsize", "squash", "q", "remote", "rm", "forcerm", "version",
    "buildid", "session", "memory", "memswap", "cpushares", "cpuperiod", "cpuquota", "cpusetcpus",
    "cpusetmems", "cgroupparent", "ulimits", "progress", "cachefrom",
))  # fmt: skip
INPUTS_HEADER = "x-pycompose-inputs"


async def build(engine: Engine, exchange: Exchange) -> None:
    """POST /build: a context as a tar in the body, progress as Docker's JSON lines."""
    request = exchange.request
    if request.text("version") == "2":
        raise NotSupportedError(
            "POST /build with version=2 (BuildKit) is not supported", hint="set DOCKER_BUILDKIT=0"
        )
    wanted, given = read_build(exchange), Given()
    with spool(engine.images.scratch) as context:
        inputs = bytearray()
        length = _inputs_length(exchange)
        async for chunk in exchange.body():
            ahead = min(length - len(inputs), len(chunk))
            inputs += chunk[:ahead]
            try:
                await trio.to_thread.run_sync(context.write, chunk[ahead:])
            except OSError as error:
                raise HostLimitError(f"cannot keep the build context: {error.strerror}") from error
        if inputs:
            wanted, given = read_inputs(bytes(inputs), wanted)
        context.seek(0)
        async with exchange.stream() as body:
            stream = _stream_of(exchange)
            turn = trio.Lock()  # stages tell side by side

            async def tell(event: Event) -> None:
                async with turn:
                    for message in stream.feed(event):
                        await body.send_json(message)

            try:
                await engine.builder.build_tar(wanted, context, tell, given)
            except EngineError as error:
                for message in stream.rest():
                    await body.send_json(message)
                detail: dict[str, Any] = {"message": str(error)}
                if isinstance(error, BuildError):
                    detail["code"] = error.code
                await body.send_json({"errorDetail": detail, "error": str(error)})
    await engine.builder.keep_within_bounds()


async def grpc(engine: Engine, exchange: Exchange) -> None:
    """POST /grpc: BuildKit's services, loaded when a client asks for them."""
    from engine.api.buildkit_handlers import grpc as serve

    await serve(engine, exchange)


class OwnStream:
    """Every event as it is, for our own client."""

    def feed(self, event: Event) -> list[dict[str, Any]]:
        """The event; at the end also what others understand."""
        aux = [{"aux": {"ID": event.image_id}}] if isinstance(event, Built) else []
        return [as_message(event), *aux]

    def rest(self) -> list[dict[str, Any]]:
        """Nothing waits."""
        return []


class QuietStream(OwnStream):
    """The image's id, and nothing else."""

    def feed(self, event: Event) -> list[dict[str, Any]]:
        """The id."""
        return [{"stream": f"{event.image_id}\n"}] if isinstance(event, Built) else []


def _stream_of(exchange: Exchange) -> ClassicStream | OwnStream:
    if exchange.request.flag("q"):
        return QuietStream()
    return OwnStream() if exchange.request.text("progress") == "events" else ClassicStream()


def _inputs_length(exchange: Exchange) -> int:
    text = exchange.request.headers.get(INPUTS_HEADER, "0")
    if not text.isdecimal() or int(text) > INPUTS_LIMIT:
        raise InvalidRequestError(f"{INPUTS_HEADER}: {text} is no length up to {INPUTS_LIMIT}")
    return int(text)


def read_build(exchange: Exchange) -> BuildRequest:
    """The parameters of a build. Raises InvalidRequestError."""
    request = exchange.request
    others = tuple(
        name
        for name, values in request.query.items()
        if name not in KNOWN and values[-1] not in ("", "0", "false", "null", "{}", "[]")
    )

    def number(name: str) -> int:
        return request.number(name, 0) or 0

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
        limits=Limits(
            number("memory"), number("memswap"), number("cpushares"), number("cpuperiod"),
            number("cpuquota"), request.text("cpusetcpus"), request.text("cpusetmems"),
            request.text("cgroupparent"), number("shmsize"), _ulimits(request.text("ulimits")),
        ),
        squash=request.flag("squash"),
        remote=request.text("remote"),
        cache_from=_texts(request.text("cachefrom"), "cachefrom"),
        auths=_registries(request.headers.get("x-registry-config", "")),
        not_honoured=others,
    )  # fmt: skip


def _json(text: str, name: str, otherwise: Any) -> Any:
    try:
        return json.loads(text) or otherwise if text else otherwise
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"invalid JSON in {name}") from error


def _mapping(text: str, name: str) -> dict[str, Any]:
    document = _json(text, name, {})
    if not isinstance(document, dict):
        raise InvalidRequestError(f"{name} must be an object")
    if not all(value is None or isinstance(value, str) for value in document.values()):
        raise InvalidRequestError(f"{name} must hold texts only")
    return document


def _texts(text: str, name: str) -> tuple[str, ...]:
    document = _json(text, name, [])
    if not isinstance(document, list) or not all(isinstance(one, str) for one in document):
        raise InvalidRequestError(f"{name} must be a list of texts")
    return tuple(document)


def _hosts(values: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for value in values:
        if value.startswith("["):
            found += _texts(value, "extrahosts")
        else:
            found += filter(None, value.split(","))
    return tuple(found)


def _ulimits(text: str) -> tuple[tuple[str, int, int], ...]:
    try:
        return tuple(
            (str(one["Name"]), int(one["Soft"]), int(one["Hard"]))
            for one in _json(text, "ulimits", [])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequestError("ulimits must be a list of Name, Soft, Hard") from error


def _registries(header: str) -> dict[str, Any]:
    """X-Registry-Config: credentials by registry."""
    if not header:
        return {}
    try:
        padded = header + "=" * (-len(header) % 4)
        document = json.loads(base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_")))
    except (ValueError, binascii.Error) as error:
        raise InvalidRequestError(f"invalid X-Registry-Config header: {error}") from error
    return document if isinstance(document, dict) else {}


async def prune(engine: Engine, exchange: Exchange) -> Response:
    """POST /build/prune."""
    request = exchange.request

    def number(*names: str) -> int:
        return next((found for name in names if (found := request.number(name))), 0)

    wanted = PruneRequest(
        request.flag("all"), number("reserved-space", "keep-storage"), number("max-used-space"),
        number("min-free-space"), request.filters(),
    )  # fmt: skip
    deleted, freed = await engine.builder.prune(wanted)
    return Response(document={"CachesDeleted": deleted or None, "SpaceReclaimed": freed})


async def usage(engine: Engine) -> list[dict[str, Any]]:
    """The build cache's part of GET /system/df."""
    return [_usage(one) for one in await measured(engine.builder.cache)]


def _usage(one: CacheRecord) -> dict[str, Any]:
    from engine.build.snapshot import timestamp

    return {
        "ID": one.key.removeprefix("sha256:")[:25],
        "Parents": [parent.removeprefix("sha256:")[:25] for parent in one.parents] or None,
        "Type": one.kind,
        "Description": one.description,
        "InUse": one.in_use,
        "Shared": one.shared,
        "Size": one.size,
        "CreatedAt": timestamp(one.created_ns),
        "LastUsedAt": timestamp(one.last_used_ns),
        "UsageCount": one.usage_count,
    }
